/** What tests of the event path share: a NATS server, a database and a task queue of their own, and ways to send and to count. */
import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { defaultCacheDir, type ServerName, type Servers, startServers } from '../../src/dev/servers.ts';
import type { Pool } from '../../src/store/pool.ts';
import { applyFolder } from './apply-folder.ts';
import { createTestDatabase } from './database.ts';
import type { TestServers } from './servers.ts';
import { until } from './until.ts';

export interface EventPath extends AsyncDisposable {
  /** The owner's; the service connects with less. */
  pool: Pool;
  nats: NatsConnection;
  /** The servers that are this test's alone: it may stop and restart them. */
  own: Servers;
  stream: string;
  consumer: string;
  taskQueue: string;
  environment: Record<string, string>;
  /** Publishes as any NATS client would and returns the sequence. */
  publish(body: unknown, subject?: string): Promise<number>;
  /** All of it is acknowledged: nothing waits in the stream. */
  drained(): Promise<void>;
  count(table: string, where?: string): Promise<number>;
}

/** Of NATS, which waits for the disk: only ends what would never be answered. */
export const NATS_ANSWER_MS = 60_000;

export const SUBJECT = 'activity.kaizen.metrics.recorded';

export function metricsEvent(id: string, successRate = 0.5, rest: Record<string, unknown> = {}) {
  return {
    id,
    type: 'kaizen.metrics.recorded',
    source: 'kaizen-agentic',
    time: new Date().toISOString(),
    attributes: { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: successRate } },
    ...rest,
  };
}

/** NATS is always the test's own: two streams of one server may not share the subjects `activity.>`. */
export async function createEventPath(
  shared: TestServers,
  {
    definitions = 'definitions',
    own: ownServers = [],
  }: { definitions?: string; own?: Exclude<ServerName, 'nats'>[] } = {},
): Promise<EventPath> {
  const own = await startServers({
    stateDir: await mkdtemp(join(tmpdir(), 'activity-core-test-')),
    cacheDir: process.env.ACTIVITY_CORE_CACHE ?? defaultCacheDir(),
    path: process.env.PATH ?? '',
    ports: { temporal: 0, temporal_ui: 0, nats: 0, postgres: 0 },
    use: {
      ...(ownServers.includes('temporal') ? {} : { temporal_address: shared.temporal_address }),
      ...(ownServers.includes('postgres') ? {} : { database_url: shared.database_url }),
    },
    ephemeral: true,
    log: () => undefined,
  });
  const database = await createTestDatabase(own.database_url);
  await applyFolder(database.pool, definitions);
  const taskQueue = `test-${randomUUID().slice(0, 8)}`;
  const nats = await connect({ servers: own.nats_url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  const manager = await jetstreamManager(nats, { timeout: NATS_ANSWER_MS });
  const stream = 'ACTIVITY';
  return {
    pool: database.pool,
    nats,
    own,
    stream,
    consumer: 'activity-core',
    taskQueue,
    environment: {
      DATABASE_URL: database.serviceUrl,
      NATS_URL: own.nats_url,
      TEMPORAL_ADDRESS: own.temporal_address,
      TASK_QUEUE: taskQueue,
    },
    async publish(body, subject = SUBJECT) {
      const payload = body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body);
      return (await jetstream(nats).publish(subject, payload)).seq;
    },
    async drained() {
      await until(
        'the stream is drained',
        async () => (await manager.streams.info(stream)).state.messages === 0,
      );
    },
    async count(table, where = 'true') {
      const { rows } = await database.pool.query(`SELECT count(*) AS n FROM ${table} WHERE ${where}`);
      return rows[0].n;
    },
    async [Symbol.asyncDispose]() {
      await nats.close();
      await database[Symbol.asyncDispose]();
      await own.close();
    },
  };
}

/** A folder with the shipped definitions, to add others to. */
export async function definitionsFolder(
  files: Record<string, string>,
): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'activity-core-definitions-'));
  await cp('definitions', path, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
