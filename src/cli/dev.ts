/** `npm run dev`: embedded servers and every role in one process, until Ctrl-C. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Config, readConfig, readLaunchEnvironment, withServers } from '../config.ts';
import { applyFolder } from '../definitions/apply-folder.ts';
import { defaultCacheDir, type ServerExit, type Servers, startServers } from '../dev/servers.ts';
import { type Service, startService } from '../service/service.ts';
import { migrate } from '../store/migrate.ts';
import { createPool } from '../store/pool.ts';
import { createLogger, type Logger } from '../telemetry/logger.ts';
import { freeAdminPort } from './admin-port.ts';
import { MIGRATIONS_DIR } from './folders.ts';
import { onStopSignal } from './stop-signal.ts';
import { UsageError } from './usage-error.ts';

export interface DevOptions {
  /** Null: `.activity-core`, or a temporary folder where ephemeral. */
  stateDir: string | null;
  ephemeral: boolean;
}

/** A server that falls over again and again is not restarted for ever. */
const MAX_RESTARTS = 5;
const RESTART_WINDOW_MS = 60_000;

export async function devCommand(options: DevOptions): Promise<number> {
  const config = readConfig();
  const logger = createLogger(config.LOG_LEVEL);
  const stateDir = options.stateDir ? resolve(options.stateDir) : await defaultStateDir(options.ephemeral);
  const devFile = join(stateDir, 'dev.json');
  const say = (message: string) => console.log(message);
  const stopping = onStopSignal();
  const broken = Promise.withResolvers<Error>();
  let servers: Servers | null = null;
  let service: Service | null = null;
  let restarts: Restarts | null = null;
  try {
    say('Starting activity-core. Servers that are not named in the environment are started with it.');
    servers = await launch(config, options, stateDir, stopping.signal, say, (exit) => {
      if (stopping.signal.aborted) return;
      restarts?.handle(exit).catch((error: unknown) => broken.resolve(error as Error));
    }).catch((error: unknown) => {
      if (stopping.signal.aborted) throw error;
      throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
    });
    restarts = createRestarts(servers, logger);
    // What a crash has left names processes that are gone.
    await rm(devFile, { force: true });
    await prepareDatabase(config, servers.database_url, logger, say);
    const adminPort = await freeAdminPort(config, say);
    const serviceConfig = { ...withServers(config, servers), ADMIN_PORT: adminPort };
    service = await startService({
      config: serviceConfig,
      roles: ['worker', 'subscriber', 'api'],
      logger,
      migrationsDir: MIGRATIONS_DIR,
    });
    await Promise.race([service.ready, stopping.requested]);
    if (!stopping.signal.aborted) {
      await writeDevFile(devFile, servers, service.url);
      say(summary(servers, service.url, stateDir, options.stateDir === null && !options.ephemeral));
    }
    const failure = await Promise.race([
      stopping.requested,
      broken.promise,
      service.failed.catch((error: Error) => error),
    ]);
    if (!failure) return 0;
    logger.fatal({ err: failure }, 'activity-core cannot go on');
    console.error(`activity-core stops: ${failure.message}`);
    return 1;
  } catch (error) {
    if (stopping.signal.aborted) return 0;
    throw error;
  } finally {
    if (servers) {
      say('Stopping…');
      // Only ours: a start that was refused leaves the file of the instance that lives.
      await rm(devFile, { force: true });
      await service?.stop();
      await servers.close();
      say('Stopped.');
    }
    stopping.release();
  }
}

async function defaultStateDir(ephemeral: boolean): Promise<string> {
  return ephemeral ? mkdtemp(join(tmpdir(), 'activity-core-')) : resolve('.activity-core');
}

function launch(
  config: Config,
  { ephemeral }: DevOptions,
  stateDir: string,
  signal: AbortSignal,
  say: (message: string) => void,
  onExit: (exit: ServerExit) => void,
): Promise<Servers> {
  const { cacheDir, path } = readLaunchEnvironment();
  return startServers({
    stateDir,
    ephemeral,
    cacheDir: cacheDir ?? defaultCacheDir(),
    path,
    use: {
      ...(config.TEMPORAL_ADDRESS ? { temporal_address: config.TEMPORAL_ADDRESS } : {}),
      ...(config.NATS_URL ? { nats_url: config.NATS_URL } : {}),
      ...(config.DATABASE_URL ? { database_url: config.DATABASE_URL } : {}),
    },
    log: (message, fields = {}) => say(sentence(message, fields)),
    onExit,
    signal,
  });
}

/** `started: name nats, port 4222` */
function sentence(message: string, fields: Record<string, unknown>): string {
  const facts = Object.entries(fields).map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`);
  return facts.length > 0 ? `  ${message}: ${facts.join(', ')}` : `  ${message}`;
}

async function prepareDatabase(
  config: Config,
  databaseUrl: string,
  logger: Logger,
  say: (message: string) => void,
): Promise<void> {
  const pool = createPool(databaseUrl, logger, { max: 2 });
  try {
    const migrated = await migrate(pool, MIGRATIONS_DIR);
    if (migrated.length > 0) say(`Migrated the database: ${migrated.join(', ')}`);
    const applied = await applyFolder(pool, config.DEFINITIONS_DIR);
    for (const { action, definition_id } of applied.changes) say(`Applied: ${action} ${definition_id}`);
  } finally {
    await pool.end();
  }
}

interface Restarts {
  handle(exit: ServerExit): Promise<void>;
}

function createRestarts(servers: Servers, logger: Logger): Restarts {
  const recent: number[] = [];
  return {
    async handle(exit) {
      if (exit.name === 'supervisor')
        throw new Error('the supervisor of the embedded servers has ended; start again, the data is kept');
      const now = Date.now();
      recent.push(now);
      if (recent.filter((at) => now - at < RESTART_WINDOW_MS).length > MAX_RESTARTS) {
        throw new Error(
          `${exit.name} ended ${MAX_RESTARTS} times within a minute; its log is in the state folder`,
        );
      }
      logger.warn({ ...exit }, 'an embedded server ended and is started again');
      await servers.restart(exit.name);
    },
  };
}

async function writeDevFile(file: string, servers: Servers, apiUrl: string): Promise<void> {
  const { temporal_address, temporal_ui_url, nats_url, database_url } = servers;
  const content = {
    temporal_address,
    temporal_ui_url,
    nats_url,
    database_url,
    api_url: apiUrl,
    pid: process.pid,
  };
  // It holds the database's password, and a reader must never find half of it.
  await writeFile(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** Where a server is, without the user, password and parameters that its URL may carry. */
function placeOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

function summary(servers: Servers, apiUrl: string, stateDir: string, isDefault: boolean): string {
  // The commands find the instance of the default folder by themselves.
  const api = isDefault ? '' : ` --api ${apiUrl}`;
  const nats = isDefault ? '' : ` --nats ${placeOf(servers.nats_url)}`;
  return `
activity-core is ready.

  API          ${apiUrl}/api/v1/runs
  Temporal     ${servers.temporal_address}${servers.temporal_ui_url ? `   web UI ${servers.temporal_ui_url}` : ''}
  NATS         ${placeOf(servers.nats_url)}
  PostgreSQL   ${placeOf(servers.database_url)}
  state        ${stateDir}   (addresses with the password: dev.json)

Publish an event:    npx activity-core publish FILE${nats}
See what came of it: npx activity-core runs list${api}
Ctrl-C stops everything that was started here.
`;
}
