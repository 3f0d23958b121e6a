/** The API over a database of its own. Workflows are replaced by the real `prepare`, run when a test says so. */
import { createHash } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { pino } from 'pino';
import { createPrepare } from '../../src/activities/prepare.ts';
import { type ApiDeps, createApp } from '../../src/api/app.ts';
import type { ReceivedMessage } from '../../src/bridge/message.ts';
import { createRecordBatch } from '../../src/bridge/record.ts';
import type { Recorded } from '../../src/bridge/write-record.ts';
import { definitionSchema } from '../../src/core/definition.ts';
import type { EventType } from '../../src/core/event-type.ts';
import { runId } from '../../src/core/ids.ts';
import { canonicalJson, type JsonObject } from '../../src/core/json.ts';
import { createAppliedRegistry } from '../../src/definitions/applied-registry.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { createPauseExceeded } from '../../src/schedules/pause-exceeded.ts';
import { createSinkMode } from '../../src/sinks/sink-mode.ts';
import {
  advanceRegistryVersion,
  makeRevisionCurrent,
  pruneDefinitions,
} from '../../src/store/definitions.ts';
import { pruneEventTypes, upsertEventType } from '../../src/store/event-types.ts';
import { type Pool, transaction } from '../../src/store/pool.ts';
import { takeQueued } from '../../src/store/queued-dispatches.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { createTestDatabase } from './database.ts';
import { metricsEvent } from './event-path.ts';
import { createNoModel } from './no-model.ts';
import { createRecordedSchedules } from './recorded-schedules.ts';

export interface Answer {
  status: number;
  /** `{}` where the answer is no JSON. */
  body: JsonObject;
  text: string;
  headers: Record<string, unknown>;
}

export interface TestApi extends AsyncDisposable {
  app: FastifyInstance;
  /** The owner's, to set the stage with. */
  pool: Pool;
  /** What the API works with: it has the service's privileges. */
  servicePool: Pool;
  metrics: Metrics;
  /** The dispatches whose workflow was started, in order. */
  started: string[];
  /** The dispatches whose emission was started, in order. */
  emitted: string[];
  get(url: string): Promise<Answer>;
  post(url: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  declare(definitions: object[], eventTypes?: EventType[]): Promise<void>;
  /** As the bridge would, in one batch. */
  receive(...messages: Partial<ReceivedMessage>[]): Promise<Recorded>;
  /** What the workflow of each dispatch would do; without ids, those that were started. */
  runAll(dispatchIds?: string[]): Promise<void>;
  /** The number of rows of every table. */
  countRows(): Promise<Record<string, number>>;
  /** Empties every table but the definitions and event types. */
  clear(): Promise<void>;
}

export async function createTestApi(serverUrl: string, overrides: Partial<ApiDeps> = {}): Promise<TestApi> {
  const database = await createTestDatabase(serverUrl);
  const { pool, servicePool } = database;
  const started: string[] = [];
  const emitted: string[] = [];
  const resolvers = createResolvers();
  const shared = {
    pool: servicePool,
    resolvers,
    askModel: createNoModel(),
    registry: createAppliedRegistry(servicePool, resolvers),
    sinkMode: createSinkMode('null'),
    metrics: createMetrics(),
    logger: overrides.logger ?? pino({ level: 'silent' }),
    dedupeDays: 400,
    quarantineMaxBytes: overrides.quarantineMaxBytes ?? 1024 ** 3,
  };
  const app = createApp({
    ...shared,
    startDispatch: async (dispatchId) => void started.push(dispatchId),
    startEmission: async (dispatchId) => void emitted.push(dispatchId),
    issueCore: null,
    hasStateHub: true,
    readTrust: async () => null,
    readLag: async () => ({ messages: 0, message: 'ok', is_pulled: true }),
    temporalUi: { url: null, namespace: 'default' },
    rehearseModel: createNoModel,
    recallModel: createNoModel(),
    temporalSchedules: createRecordedSchedules(),
    adminToken: undefined,
    requestsPerMinute: 60_000,
    roles: ['api'],
    checks: async () => ({ postgres: { ok: true, message: 'ok' } }),
    temporalMetrics: async () => '',
    definitionsDir: 'definitions',
    ...overrides,
  });
  const record = createRecordBatch(shared);
  const { temporalSchedules = createRecordedSchedules() } = overrides;
  const pauseExceeded = createPauseExceeded({ ...shared, temporalSchedules });
  const prepare = createPrepare({ ...shared, pauseExceeded, startQueued: async () => undefined });
  let sequence = 0;

  async function call(options: InjectOptions): Promise<Answer> {
    const response = await app.inject(options);
    const { statusCode: status, headers, body: text } = response;
    const body = /json/.test(String(headers['content-type'])) ? response.json() : {};
    return { status, body, text, headers };
  }

  return {
    app,
    pool,
    servicePool,
    metrics: shared.metrics,
    started,
    emitted,
    get: (url) => call({ method: 'GET', url }),
    post: (url, body, headers = {}) =>
      call({ method: 'POST', url, headers, ...(body === undefined ? {} : { payload: body as object }) }),
    declare: (definitions, eventTypes = [METRICS_TYPE]) => declare(pool, definitions, eventTypes),
    async receive(...messages) {
      const recorded = await record(
        messages.map((message) => {
          sequence += 1;
          return {
            subject: 'activity.kaizen.metrics.recorded',
            headers: {},
            bytes: new Uint8Array(),
            stream_seq: sequence,
            stream_timestamp: Date.now() * 1000 + sequence,
            redelivered: false,
            ...message,
          };
        }),
      );
      const taken = await takeQueued(pool, recorded.queued_definitions);
      return { ...recorded, dispatch_ids: [...recorded.dispatch_ids, ...taken] };
    },
    async runAll(dispatchIds = started) {
      for (const dispatch_id of dispatchIds) {
        await new MockActivityEnvironment().run(prepare, { dispatch_id });
      }
    },
    async countRows() {
      const counts: Record<string, number> = {};
      for (const table of await tablesOf(pool)) {
        counts[table] = (await pool.query(`SELECT count(*) AS n FROM ${table}`)).rows[0].n;
      }
      return counts;
    },
    async clear() {
      const kept = [
        'schema_migrations',
        'registry_version',
        'retention',
        'activity_definitions',
        'event_types',
      ];
      const tables = (await tablesOf(pool)).filter((table) => !kept.includes(table));
      await pool.query(`TRUNCATE ${tables.join(', ')}`);
      started.length = 0;
      emitted.length = 0;
    },
    async [Symbol.asyncDispose]() {
      await app.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

export const METRICS_TYPE: EventType = {
  type: 'kaizen.metrics.recorded',
  title: 'Metrics were recorded',
  owner: 'kaizen',
  attributes_schema: {
    type: 'object',
    required: ['agent', 'project', 'summary'],
    properties: {
      agent: { type: 'string' },
      project: { type: 'string' },
      summary: {
        type: 'object',
        required: ['success_rate'],
        properties: { success_rate: { type: 'number' } },
      },
    },
  },
};

/** The definition of contract 3, or a variant of it. */
export function reviewDefinition(change: object = {}) {
  return {
    id: 'low-success-rate-review',
    title: 'Review an agent whose success rate dropped',
    owner: 'kaizen',
    trigger: {
      event: { type: 'kaizen.metrics.recorded', filter: 'event.attributes.project != "sandbox"' },
    },
    context_sources: [{ type: 'event-payload', bind_to: 'context.metrics' }],
    rules: [
      {
        id: 'low-success-rate',
        condition: 'context.metrics.summary.success_rate < 0.8',
        task: {
          title: 'Review {{ context.metrics.agent }} in {{ context.metrics.project }}',
          dedupe_key: 'low-success-rate:{{ context.metrics.project }}',
        },
      },
    ],
    ...change,
  };
}

/** By hand only, with a static context; `title` is its task's. */
export function manualDefinition(change: object = {}) {
  return {
    id: 'by-hand',
    title: 'Started by hand',
    owner: 'kaizen',
    trigger: { manual: {} },
    context_sources: [{ type: 'static', bind_to: 'context.facts', params: { value: { count: 2 } } }],
    rules: [
      { id: 'always', condition: 'context.facts.count > 1.0', task: { title: 'Do it on {{ run.date }}' } },
    ],
    ...change,
  };
}

/** The run of an event of `reviewDefinition` that came in and was handled. */
export async function runOfEvent(api: TestApi, id: string, successRate = 0.5): Promise<string> {
  const { accepted, dispatch_ids } = await api.receive({ bytes: bytesOf(metricsEvent(id, successRate)) });
  await api.runAll(dispatch_ids);
  return runId('low-success-rate-review', `event:${accepted[0]?.event_uid}`);
}

/** A run of `by-hand` that ended in a rule error. Declares what it needs. */
export async function failedByHand(api: TestApi): Promise<string> {
  const rules = [{ id: 'bad', condition: 'context.facts.gone > 1.0', task: { title: 'never' } }];
  await api.declare([reviewDefinition(), manualDefinition({ rules })]);
  const { body } = await api.post('/api/v1/definitions/by-hand/runs');
  await api.runAll();
  return String(body.run_id);
}

export const bytesOf = (value: unknown): Uint8Array =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

export function itemsOf({ status, body }: Answer): JsonObject[] {
  if (status !== 200 || !Array.isArray(body.items))
    throw new Error(`no list: ${status} ${JSON.stringify(body)}`);
  return body.items as JsonObject[];
}

/** Follows `next_cursor` to the end, and gives each page. */
export async function pagesOf(api: TestApi, url: string): Promise<JsonObject[][]> {
  const pages: JsonObject[][] = [];
  for (let cursor: unknown = ''; cursor !== null; ) {
    const answer = await api.get(cursor ? `${url}&cursor=${cursor}` : url);
    pages.push(itemsOf(answer));
    cursor = answer.body.next_cursor;
  }
  return pages;
}

async function declare(pool: Pool, documents: object[], eventTypes: EventType[]): Promise<void> {
  const definitions = documents.map((document) => definitionSchema.parse(document));
  await transaction(pool, async (client) => {
    await advanceRegistryVersion(client);
    for (const eventType of eventTypes) await upsertEventType(client, eventType);
    for (const definition of definitions) {
      const hash = createHash('sha256').update(canonicalJson(definition)).digest('hex');
      await makeRevisionCurrent(client, definition, hash);
    }
    await pruneDefinitions(
      client,
      definitions.map(({ id }) => id),
    );
    await pruneEventTypes(
      client,
      eventTypes.map(({ type }) => type),
    );
  });
}

async function tablesOf(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
  return rows.map((row) => row.tablename);
}
