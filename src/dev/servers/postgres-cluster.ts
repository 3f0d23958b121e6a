/** Makes PostgreSQL's data folder, whole or not at all. */
import { execFile } from 'node:child_process';
import { chown, mkdtemp, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { UnprivilegedUser } from './unprivileged-user.ts';

export const SUPERUSER = 'activity_core';
export const POSTGRES_ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

const run = promisify(execFile);
const UNFINISHED = 'initdb-';

export interface ClusterDeps {
  /** The folder with `initdb`. */
  bin: string;
  folder: string;
  data: string;
  password: string;
  user: UnprivilegedUser | null;
  signal: AbortSignal;
}

export async function initializeCluster(deps: ClusterDeps): Promise<void> {
  await removeUnfinished(deps.folder);
  const workshop = await mkdtemp(join(deps.folder, UNFINISHED));
  const passwordFile = join(workshop, 'password');
  await writeFile(passwordFile, deps.password, { mode: 0o600 });
  if (deps.user) {
    await chown(passwordFile, deps.user.uid, deps.user.gid);
    await chown(workshop, deps.user.uid, deps.user.gid);
  }
  await initdb(deps, workshop, passwordFile);
  await rename(join(workshop, 'data'), deps.data);
  await rm(workshop, { recursive: true });
  await syncFolder(deps.folder);
}

async function initdb(
  { bin, user, signal }: ClusterDeps,
  workshop: string,
  passwordFile: string,
): Promise<void> {
  const args = [
    ...['--pgdata', join(workshop, 'data'), '--username', SUPERUSER, '--pwfile', passwordFile],
    ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--no-instructions'],
    ...['--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
  ];
  try {
    await run(join(bin, 'initdb'), args, { ...user, cwd: workshop, env: POSTGRES_ENV, signal });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new Error(`PostgreSQL's initdb failed: ${said || error}`, { cause: error });
  }
}

async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(UNFINISHED)) await rm(join(folder, name), { recursive: true });
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
