/** A folder of ours that an unprivileged user can enter, also where the home or the checkout is closed to it. */
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  rmdir,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCode } from './process-identity.ts';
import type { Log } from './protocol.ts';
import { canEnter, type UnprivilegedUser } from './unprivileged-user.ts';

const PREFIX = 'activity-core-';
/** Others can enter what they know the name of, and list nothing. */
const ENTER_ONLY = 0o711;

export interface FolderPlace {
  /** Taken where the user can enter it. */
  preferred: string;
  /** The file that names the folder which was taken instead. */
  pointer: string;
  /** Null: we run as ourselves, and `preferred` it is. */
  user: UnprivilegedUser | null;
  /** A folder that lasts must not lie where the system cleans up by age: half a database would be gone. */
  lasting: boolean;
  /** Where true, a folder with content that has become unreachable is an error, not a reason to begin anew. */
  irreplaceable: boolean;
}

/** Creates the folder at the first time and finds it again at each later one. */
export async function reachableFolder(place: FolderPlace, log: Log): Promise<string> {
  const { preferred, pointer, user } = place;
  if (user === null) {
    await mkdir(preferred, { recursive: true });
    return preferred;
  }
  const recorded = await readPointer(pointer);
  if (recorded !== null) {
    if (await isOurs(recorded)) return recorded;
    log('the folder that was used before is gone; its data with it', { folder: recorded });
  }
  await mkdir(preferred, { recursive: true });
  await chmod(preferred, ENTER_ONLY);
  if (await canEnter(preferred, user)) return preferred;
  const isEmpty = (await readdir(preferred)).length === 0;
  if (!isEmpty && place.irreplaceable) {
    throw new Error(
      `${preferred} holds data, but the user ${user.uid} that must run PostgreSQL cannot enter it any more: ` +
        'open its parent folders (chmod o+x), or move it away',
    );
  }
  if (isEmpty) await rmdir(preferred);
  const folder = await createElsewhere(user, place.lasting);
  await writeFile(pointer, `${folder}\n`, { mode: 0o600 });
  log('the folder cannot be entered by the user that runs PostgreSQL, another is used', {
    preferred,
    folder,
  });
  return folder;
}

/** Removes the folder that stands in for an unreachable one, if there is one. */
export async function removeStandIn(pointer: string): Promise<void> {
  const folder = await readPointer(pointer);
  if (folder !== null && (await isOurs(folder))) await rm(folder, { recursive: true, force: true });
}

async function createElsewhere(user: UnprivilegedUser, lasting: boolean): Promise<string> {
  const temporary = [tmpdir(), '/var/tmp', '/tmp'];
  for (const base of lasting ? ['/var/lib/activity-core', ...temporary] : temporary) {
    const folder = await createIn(base);
    if (folder === null) continue;
    if (await canEnter(folder, user)) return realpath(folder);
    await rmdir(folder);
  }
  throw new Error(
    `no folder found that the user ${user.uid} can enter; set DATABASE_URL, or open ${tmpdir()}`,
  );
}

/** The random name keeps others from planting the folder before us. */
async function createIn(base: string): Promise<string | null> {
  try {
    await mkdir(base, { recursive: true, mode: 0o755 });
    const folder = await mkdtemp(join(base, PREFIX));
    await chmod(folder, ENTER_ONLY);
    return folder;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR'].some((code) => hasCode(error, code))) return null;
    throw error;
  }
}

async function readPointer(pointer: string): Promise<string | null> {
  try {
    return (await readFile(pointer, 'utf8')).trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** False where it is gone. The system may have cleaned it up and somebody else taken the name: that one is refused. */
async function isOurs(folder: string): Promise<boolean> {
  try {
    const found = await lstat(folder);
    const ours = found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0;
    if (!ours)
      throw new Error(`${folder} belongs to somebody else, or others can write to it: it is not used`);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
