/** `npm run dev`: embedded servers and every role in one process, until Ctrl-C. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  type Config,
  readDevConfig,
  readLaunchEnvironment,
  type ServiceConfig,
  withServers,
} from '../config.ts';
import { formatWarning } from '../definitions/errors.ts';
import { defaultCacheDir, type ServerExit, type Servers, startServers } from '../dev/servers.ts';
import { applyPlannedFolder } from '../schedules/plan-folder.ts';
import { ScheduleRefusedError } from '../schedules/schedule-errors.ts';
import { type Service, startService } from '../service/service.ts';
import { migrate } from '../store/migrate.ts';
import { createPool } from '../store/pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import { freeAdminPort } from './admin-port.ts';
import { withFolder } from './definitions-folder.ts';
import { type DevFileContent, writeDevFile } from './dev-file.ts';
import { openDevLog } from './dev-log.ts';
import { devSummary } from './dev-summary.ts';
import { openSurroundings, type Surroundings } from './dev-surroundings.ts';
import { MIGRATIONS_DIR } from './folders.ts';
import { printable } from './printable.ts';
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
  const config = readDevConfig();
  const stateDir = options.stateDir ? resolve(options.stateDir) : await defaultStateDir(options.ephemeral);
  const devFile = join(stateDir, 'dev.json');
  const say = (message: string) => console.log(message);
  const stopping = onStopSignal();
  const broken = Promise.withResolvers<Error>();
  let servers: Servers | null = null;
  let surroundings: Surroundings | null = null;
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
    const { LOG_LEVEL: level } = config;
    const { logger, place: logPlace } = openDevLog({ level, stateDir, stderr: process.stderr });
    restarts = createRestarts(servers, logger);
    // What a crash has left names processes that are gone.
    await rm(devFile, { force: true });
    await prepare(withServers(config, servers), logger, say);
    surroundings = await openSurroundings(config, stateDir);
    const adminPort = await freeAdminPort(config, say);
    const serviceConfig = {
      ...withServers(config, servers),
      ...surroundings.settings,
      ADMIN_PORT: adminPort,
      TEMPORAL_UI_URL: config.TEMPORAL_UI_URL ?? servers.temporal_ui_url ?? undefined,
    };
    service = await startService({
      config: serviceConfig,
      roles: ['worker', 'subscriber', 'api'],
      logger,
      migrationsDir: MIGRATIONS_DIR,
    });
    await Promise.race([service.ready, stopping.requested]);
    if (!stopping.signal.aborted) {
      await writeDevFile(devFile, devFileContent(servers, surroundings, service.url));
      say(
        devSummary({
          servers,
          told: [...surroundings.told, ['issue sink', sinkStory(config.ISSUE_SINK_TYPE)], ['log', logPlace]],
          apiUrl: service.url,
          stateDir,
          isFound: options.stateDir === null && !options.ephemeral,
          pid: process.pid,
        }),
      );
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
      await surroundings?.close();
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

/** The database's tables, then what the definitions say. */
async function prepare(config: ServiceConfig, logger: Logger, say: (message: string) => void): Promise<void> {
  const pool = createPool(config.DATABASE_URL, logger, { max: 2 });
  try {
    const migrated = await migrate(pool, MIGRATIONS_DIR);
    if (migrated.length > 0) say(`Migrated the database: ${migrated.join(', ')}`);
  } finally {
    await pool.end();
  }
  try {
    const applied = await withFolder(config, logger, (folder) => applyPlannedFolder(folder, Date.now()));
    for (const { action, definition_id } of applied.changes) say(`Applied: ${action} ${definition_id}`);
    for (const warning of applied.warnings) say(printable(formatWarning(warning)));
  } catch (error) {
    // One schedule whose id is taken in Temporal must not keep everything else down.
    if (!(error instanceof ScheduleRefusedError)) throw error;
    say(`Applied with exceptions: ${error.message}`);
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

function devFileContent(servers: Servers, { settings }: Surroundings, apiUrl: string): DevFileContent {
  const { temporal_address, temporal_ui_url, nats_url, database_url } = servers;
  return {
    temporal_address,
    temporal_ui_url,
    nats_url,
    database_url,
    api_url: apiUrl,
    issue_core_url: settings.ISSUE_CORE_URL,
    state_hub_url: settings.STATE_HUB_URL,
    llm_connect_url: settings.LLM_CONNECT_URL,
    working_memory_dir: settings.WORKING_MEMORY_DIR && resolve(settings.WORKING_MEMORY_DIR),
    kaizen_repos_root: settings.KAIZEN_REPOS_ROOT && resolve(settings.KAIZEN_REPOS_ROOT),
    kaizen_engagement_roster: settings.KAIZEN_ENGAGEMENT_ROSTER && resolve(settings.KAIZEN_ENGAGEMENT_ROSTER),
    pid: process.pid,
  };
}

function sinkStory(type: Config['ISSUE_SINK_TYPE']): string {
  return type === 'null'
    ? 'null (audit only); ISSUE_SINK_TYPE=issue-core makes approved definitions live'
    : 'issue-core; a definition with emit: live and an approved audit run makes tasks there';
}
