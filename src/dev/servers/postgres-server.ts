/** PostgreSQL: its cluster made by `initdb` at the first start, run by an unprivileged user where we are root. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { postgresBinaries } from './postgres-binaries.ts';
import { initializeCluster, POSTGRES_ENV, SUPERUSER } from './postgres-cluster.ts';
import { commandLine, type StopStep } from './process-identity.ts';
import { reachableFolder } from './reachable-folder.ts';
import type { PrepareDeps, PreparedServer } from './server.ts';
import { readOrCreate } from './state-files.ts';
import { unprivilegedUser } from './unprivileged-user.ts';

/** Fast shutdown, immediate shutdown, kill. */
export const POSTGRES_STOP: StopStep[] = [
  { signal: 'SIGINT', waitMs: 15_000 },
  { signal: 'SIGQUIT', waitMs: 5000 },
  { signal: 'SIGKILL', waitMs: 10_000 },
];
const DATABASE = 'activity_core';
const PROBE_TIMEOUT_MS = 3000;
/** Backends of a postmaster that was killed take a moment to notice; until then the new one refuses to start. */
const STILL_IN_USE = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/;

export function postgresPasswordFile(stateDir: string): string {
  return join(stateDir, 'postgres-password');
}

export function postgresPointer(stateDir: string): string {
  return join(stateDir, 'postgres.folder');
}

export function databaseUrl(port: number, password: string): string {
  return `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/${DATABASE}`;
}

export async function preparePostgres(deps: PrepareDeps): Promise<PreparedServer> {
  const { stateDir, log, signal } = deps;
  const preferred = join(stateDir, 'postgres');
  const user = await unprivilegedUser(process.getuid?.() ?? -1, join(preferred, 'data'));
  const place = { preferred, pointer: postgresPointer(stateDir), user, lasting: !deps.ephemeral };
  const folder = await reachableFolder({ ...place, irreplaceable: true }, log);
  const bin = await postgresBinaries({ ...deps, user });
  const data = join(folder, 'data');
  const passwordFile = postgresPasswordFile(stateDir);
  if (existsSync(data) && !existsSync(passwordFile)) {
    throw new Error(`${passwordFile} is gone, and without it the database in ${data} cannot be opened`);
  }
  const password = readOrCreate(passwordFile, () => randomBytes(24).toString('hex'));
  if (!existsSync(data)) await initializeCluster({ bin, folder, data, password, user, signal });
  return ({ postgres: port }) => ({
    name: 'postgres',
    port,
    command: {
      file: join(bin, 'postgres'),
      args: settings(data, port),
      cwd: folder,
      env: POSTGRES_ENV,
      ...user,
    },
    probe: () => ensureDatabase(port, password),
    beforeStart: () => removeStaleLock(data),
    stopSteps: POSTGRES_STOP,
    transient: STILL_IN_USE,
  });
}

function settings(data: string, port: number): string[] {
  const values = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '256MB',
    fsync: 'on',
    synchronous_commit: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_checkpoints: 'off',
  };
  return ['-D', data, ...Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/**
 * PostgreSQL removes the file itself, except where the pid in it belongs by now to another process of the same user:
 * then it would never start again.
 */
async function removeStaleLock(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  const command = commandLine(pid);
  if (command !== null && !command.includes(data)) await rm(file);
}

async function ensureDatabase(port: number, password: string): Promise<void> {
  const connectionString = databaseUrl(port, password).replace(/\/[^/]*$/, '/postgres');
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: PROBE_TIMEOUT_MS });
  // A connection that breaks is told by the query too.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
}
