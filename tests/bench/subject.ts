/** What is measured: the whole service as a process of its own, with a database of its own, and ways to feed and watch it. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { ensureStream } from '../../src/bridge/stream.ts';
import type { Servers } from '../../src/dev/servers.ts';
import { countOpenDispatches } from '../../src/store/dispatches.ts';
import type { Pool } from '../../src/store/pool.ts';
import { applyFolder } from '../setup/apply-folder.ts';
import { createTestDatabase } from '../setup/database.ts';
import { definitionsFolder } from '../setup/event-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';
import { type Load, SUBJECT, sendAll, specsOf } from './events.ts';

const STREAM = 'ACTIVITY';
export const DEFINITION = 'low-success-rate-review';

export interface Subject extends AsyncDisposable {
  pool: Pool;
  environment: Record<string, string>;
  publish(text: string): Promise<unknown>;
  /** Resolves when it is ready. */
  start(): Promise<ServiceProcess>;
  /** What is published while it is stopped waits in the stream. */
  stop(): Promise<void>;
  countRuns(): Promise<number>;
  /** Resolves when all is acknowledged and every dispatch closed. @throws Error past the bound, with the service's log */
  settled(boundMs: number): Promise<void>;
}

export interface SubjectOptions {
  /** Enabled ones that the event type triggers, all alike. */
  definitions?: number;
  /** Changes the text of the definition. */
  rewrite?: (text: string) => string;
  environment?: Record<string, string>;
}

/** One at a time: they share the stream. */
export async function openSubject(servers: Servers, options: SubjectOptions = {}): Promise<Subject> {
  const { definitions = 1, rewrite = (text) => text } = options;
  const database = await createTestDatabase(servers.database_url);
  const nats = await connect({ servers: servers.nats_url });
  const manager = await jetstreamManager(nats);
  const js = jetstream(nats);
  await ensureStream(manager, STREAM, pino({ level: 'silent' }));
  const text = rewrite(await readFile(`definitions/${DEFINITION}.yaml`, 'utf8'));
  await using folder = await definitionsFolder(copies(text, definitions));
  await applyFolder(database.pool, folder.path);
  const environment = {
    DATABASE_URL: database.url,
    NATS_URL: servers.nats_url,
    TEMPORAL_ADDRESS: servers.temporal_address,
    TASK_QUEUE: `bench-${randomUUID().slice(0, 8)}`,
    ...options.environment,
  };
  let service: ServiceProcess | null = null;
  const stop = async () => {
    await service?.stop();
    service = null;
  };
  return {
    pool: database.pool,
    environment,
    publish: (event) => js.publish(SUBJECT, event),
    async start() {
      service = await spawnService({ environment });
      await service.ready();
      return service;
    },
    stop,
    async countRuns() {
      return (await database.pool.query('SELECT count(*) AS n FROM activity_runs')).rows[0].n;
    },
    async settled(boundMs) {
      // Cheap to ask: it must not compete with what is measured.
      const isSettled = async () =>
        (await manager.streams.info(STREAM)).state.messages === 0 &&
        (await countOpenDispatches(database.pool)) === 0;
      await until('all events are handled', isSettled, { boundMs, context: () => service?.log() ?? '' });
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await manager.streams.delete(STREAM);
      await nats.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

function copies(text: string, count: number): Record<string, string> {
  const files: Record<string, string> = { [`${DEFINITION}.yaml`]: text };
  for (let n = 2; n <= count; n += 1) {
    const id = `${DEFINITION}-${n}`;
    files[`${id}.yaml`] = text.replace(`id: ${DEFINITION}\n`, `id: ${id}\n`);
  }
  return files;
}

export const publishAll = (subject: Subject, load: Load): Promise<void> =>
  sendAll(load, (text) => subject.publish(text));

const BOUND_MS = 120_000;
const BOUND_MS_PER_PAIR = 20;

/** Ten times slower than anything seen: it only ends what would never end. */
export const boundOf = (pairs: number): number => BOUND_MS + pairs * BOUND_MS_PER_PAIR;

/** A rate is worth nothing where something was lost or doubled. @throws Error */
export async function expectWork(
  { pool }: Subject,
  load: Load,
  { definitions, rounds }: { definitions: number; rounds: number },
): Promise<void> {
  const { rows } = await pool.query(
    `SELECT (SELECT count(*) FROM activity_runs WHERE status = 'completed') AS runs, (SELECT count(*) FROM task_spawn_log) AS specs`,
  );
  const { runs, specs } = rows[0];
  const [wantedRuns, wantedSpecs] = [load.events, specsOf(load)].map((count) => count * definitions * rounds);
  if (runs !== wantedRuns || specs !== wantedSpecs)
    throw new Error(
      `${runs} completed runs and ${specs} specs; there should be ${wantedRuns} and ${wantedSpecs}`,
    );
}
