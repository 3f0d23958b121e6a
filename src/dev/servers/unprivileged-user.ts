/** PostgreSQL refuses to run as root: the user that it runs as where we are root. */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { hasCode } from './process-identity.ts';

export interface UnprivilegedUser {
  uid: number;
  gid: number;
}

const run = promisify(execFile);
const CANDIDATES = ['nobody', 'daemon', 'bin'];
/** Node takes user ids as signed 32-bit numbers; macOS has 4294967294 for `nobody`. */
const MAX_UID = 2 ** 31 - 1;

/** Null where we are not root. The owner of `dataDir`, where that exists, so that its files stay readable. */
export async function unprivilegedUser(uid: number, dataDir: string): Promise<UnprivilegedUser | null> {
  if (uid !== 0) return null;
  const owner = await ownerOf(dataDir);
  if (owner) return owner;
  for (const name of CANDIDATES) {
    const user = await lookUp(name);
    if (user && (await canBecome(user))) return user;
  }
  throw new Error(
    `PostgreSQL refuses to run as root, and none of the users ${CANDIDATES.join(', ')} can be switched to. ` +
      'Start as an ordinary user, or set DATABASE_URL.',
  );
}

/** Asked of the system as that user: modes, ACLs and mount options all count. */
export async function canEnter(folder: string, user: UnprivilegedUser): Promise<boolean> {
  return succeeds('cd "$1"', user, folder);
}

function canBecome(user: UnprivilegedUser): Promise<boolean> {
  return succeeds(':', user);
}

async function succeeds(script: string, user: UnprivilegedUser, ...args: string[]): Promise<boolean> {
  try {
    await run('/bin/sh', ['-c', script, 'sh', ...args], { ...user, cwd: '/' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

async function ownerOf(folder: string): Promise<UnprivilegedUser | null> {
  try {
    const { uid, gid } = await stat(folder);
    return uid === 0 ? null : { uid, gid };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

async function lookUp(name: string): Promise<UnprivilegedUser | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    const user = { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    return user.uid > 0 && user.uid <= MAX_UID && user.gid <= MAX_UID ? user : null;
  } catch (error) {
    if (error instanceof Error && 'stderr' in error) return null;
    throw error;
  }
}
