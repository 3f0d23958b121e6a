/** `GET /api/v1/overview`: what the operator's page shows, in one request whose cost does not depend on how much there is. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import manifest from '../../package.json' with { type: 'json' };
import type { ConsumerLag } from '../bridge/consumer-lag.ts';
import { QUARANTINE_REASONS } from '../core/envelope.ts';
import { listRefusals, listWaitingTasks, MOST_COUNTED, readGlance, readMended } from '../store/overview.ts';
import { type Queryable, transaction } from '../store/pool.ts';
import { listOverflow } from '../store/quarantine-overflow.ts';
import { listRuns, listRunsById, type RunView } from '../store/run-views.ts';
import { RUN_STATUSES } from '../store/runs.ts';
import { listTicks } from '../store/schedule-ticks.ts';
import { type DefinitionRoutesDeps, definitionExample, definitionItem, toItems } from './definitions.ts';
import { jsonObject, timestamp, uuidText, violations } from './outputs.ts';
import { problems } from './problem.ts';
import { refusedEventId } from './quarantine.ts';
import { run, runExample } from './runs.ts';
import { tick, tickExample } from './ticks.ts';

export interface OverviewDeps extends DefinitionRoutesDeps {
  readLag: () => Promise<ConsumerLag>;
  /** `url` is null where nobody said where Temporal's web UI is. */
  temporalUi: { url: string | null; namespace: string };
}

const RUNS_SHOWN = 25;
const ROWS_SHOWN = 10;
const DEFINITIONS_SHOWN = 500;

const count = z.int().describe(`At most ${MOST_COUNTED}, which says as many or more`);
const shortRun = run.extend({ error: z.object({ code: z.string(), message: z.string() }).nullable() });
const failedRun = shortRun.extend({
  mended_by: uuidText.nullable().describe('The retry that completed since'),
});

const overview = z.object({
  as_of: timestamp.describe('PostgreSQL’s clock'),
  version: z.string(),
  temporal_ui: z.object({ url: z.string().nullable(), namespace: z.string() }),
  lag: z.object({
    messages: z
      .int()
      .nullable()
      .describe('Messages in the stream that are not acknowledged; null: not known'),
    message: z.string(),
    is_pulled: z
      .boolean()
      .nullable()
      .describe(
        'False: nobody waits for messages, and none was delivered or acknowledged within 30 s; null: not known',
      ),
  }),
  last_event_at: timestamp.nullable().describe('When an event was accepted last'),
  oldest_dispatch_at: timestamp.nullable().describe('When what has been at work for longest was handed over'),
  oldest_unsent_at: timestamp
    .nullable()
    .describe('When the spec was made that a running run has been trying to send for longest'),
  counts: z.object({
    open_dispatches: count,
    running_runs: count,
    failed_runs_24h: count.describe(
      `Ended so within 24 hours, without those that a retry mended. At most ${MOST_COUNTED}`,
    ),
    held_events: count,
    quarantine_open: count,
    outbox_pending: count,
    outbox_stopped: count.describe(
      `Of the ${MOST_COUNTED} oldest pending specs, those whose run is over: sent only when resumed`,
    ),
    ticks_not_run_24h: count.describe(`Missed or overlapped. At most ${MOST_COUNTED}`),
  }),
  definitions: z.array(definitionItem.omit({ document: true })).describe('By id'),
  definition_count: z.int(),
  runs: z.array(shortRun).describe('Newest first; the whole error is in the run'),
  failed_runs: z
    .array(failedRun)
    .describe('By their end, newest first; those that `failed_runs_24h` counts go before others'),
  ticks_not_run: z.array(tick).describe('Missed or overlapped, newest first'),
  pending_tasks: z
    .array(
      z.object({
        idempotency_key: z.string(),
        run_id: uuidText,
        run_status: z.enum(RUN_STATUSES).describe('Unless it is `running`, nothing is sent before a resume'),
        definition_id: z.string(),
        rule_id: z.string(),
        title: z.string(),
        attempts: z.int(),
        last_error: jsonObject.nullable(),
        created_at: timestamp,
      }),
    )
    .describe('What waits to be sent, oldest first'),
  refused: z
    .array(
      z.object({
        id: uuidText,
        event_id: refusedEventId,
        received_at: timestamp,
        subject: z.string(),
        reason: z.enum(QUARANTINE_REASONS),
        size: z.int(),
        violations: violations.describe('The first three'),
        violation_count: z.int(),
      }),
    )
    .describe('What is open in quarantine, newest first'),
  refused_and_not_kept: z.int().describe('Counted since quarantine was full'),
});

const { document: _, ...definition } = definitionExample;
const failedExample = {
  ...runExample,
  status: 'failed' as const,
  task_count: 0,
  error: { code: 'rule_error', message: 'rule low-success-rate: no such key: success_rate' },
};
const example: z.output<typeof overview> = {
  as_of: '2026-11-20T08:16:00.1Z',
  version: '0.1.0',
  temporal_ui: { url: 'https://temporal.example', namespace: 'default' },
  lag: { messages: 0, message: 'ok', is_pulled: true },
  last_event_at: '2026-11-20T08:15:00.2Z',
  oldest_dispatch_at: null,
  oldest_unsent_at: null,
  counts: {
    open_dispatches: 0,
    running_runs: 0,
    failed_runs_24h: 1,
    held_events: 0,
    quarantine_open: 1,
    outbox_pending: 1,
    outbox_stopped: 1,
    ticks_not_run_24h: 1,
  },
  definitions: [definition as z.output<typeof overview>['definitions'][number]],
  definition_count: 1,
  runs: [failedExample as z.output<typeof shortRun>],
  failed_runs: [{ ...failedExample, mended_by: null } as z.output<typeof failedRun>],
  ticks_not_run: [{ ...tickExample, outcome: 'missed', reason: 'no worker ran', run_id: null }],
  pending_tasks: [
    {
      idempotency_key: '2c5b1f0f8f6d2a0e6f1d7c3b9a8e7d6c5b4a39281706f5e4d3c2b1a06f0c4a5a',
      run_id: runExample.run_id,
      run_status: 'failed',
      definition_id: runExample.definition_id,
      rule_id: 'low-success-rate',
      title: 'Review coach in kaizen-agentic',
      attempts: 1,
      last_error: { code: 'sink_unauthorized', message: 'issue-core answered 401' },
      created_at: '2026-11-20T08:15:00.3Z',
    },
  ],
  refused: [
    {
      id: '7d9f0b52-6a58-5a0e-8f3b-2b9d7c1e4a60',
      event_id: '01J',
      received_at: '2026-11-20T08:15:00.2Z',
      subject: 'activity.kaizen.metrics.recorded',
      reason: 'invalid_attributes',
      size: 12,
      violations: [{ pointer: '/attributes/summary', message: 'is required' }],
      violation_count: 1,
    },
  ],
  refused_and_not_kept: 0,
};

export function overviewRoutes(deps: OverviewDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/overview',
      {
        schema: {
          summary: 'Everything at a glance',
          description:
            'What an operator looks at first: lag, counts, what is due, ran, failed, waits or was refused. Its cost does not ' +
            'depend on how much there is. `/readyz` says whether the process works, `/trust` what can be relied on.',
          tags: ['overview'],
          querystring: z.strictObject({}),
          response: { 200: overview.meta({ examples: [example] }), ...problems() },
        },
      },
      shared(() => readOverview(deps)),
    );
  };
}

/** However many ask at one moment, it is read once. */
function shared<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | null = null;
  return () => {
    reading ??= read().finally(() => {
      reading = null;
    });
    return reading;
  };
}

async function readOverview(deps: OverviewDeps) {
  const { definitions } = await deps.registry.current();
  const shown = definitions.slice(0, DEFINITIONS_SHOWN);
  const [lag, records, items] = await Promise.all([deps.readLag(), readRecords(deps), toItems(deps, shown)]);
  return {
    version: manifest.version,
    temporal_ui: deps.temporalUi,
    lag,
    definitions: items,
    definition_count: definitions.length,
    ...records,
  };
}

/** One snapshot: a run that is among the failed ones is among the newest, too. */
function readRecords({ pool }: OverviewDeps) {
  return transaction(pool, async (client) => {
    await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const few = { limit: ROWS_SHOWN };
    const { failed_run_ids, ...glance } = await readGlance(client);
    const runs = await listRuns(client, {}, { limit: RUNS_SHOWN });
    const missed = await listTicks(client, { outcome: 'missed' }, few);
    const overlapped = await listTicks(client, { outcome: 'overlapped' }, few);
    const overflow = await listOverflow(client);
    return {
      ...glance,
      runs: runs.items.map(shorten),
      failed_runs: await readFailed(client, failed_run_ids),
      ticks_not_run: [...missed.items, ...overlapped.items]
        .sort((a, b) => Date.parse(b.scheduled_for) - Date.parse(a.scheduled_for))
        .slice(0, ROWS_SHOWN),
      pending_tasks: await listWaitingTasks(client, ROWS_SHOWN),
      refused: await listRefusals(client, ROWS_SHOWN),
      refused_and_not_kept: overflow.reduce((sum, { count }) => sum + count, 0),
    };
  });
}

/** What somebody has to see, then what began last. */
async function readFailed(db: Queryable, counted: readonly string[]) {
  const newest = await listRuns(db, { status: 'failed' }, { limit: ROWS_SHOWN });
  const found = new Map<string, RunView>();
  for (const view of [...(await listRunsById(db, counted)), ...newest.items]) found.set(view.run_id, view);
  const views = [...found.values()].slice(0, ROWS_SHOWN);
  const mended = await readMended(
    db,
    views.map(({ run_id }) => run_id),
  );
  return views
    .map((view) => ({ ...shorten(view), mended_by: mended.get(view.run_id) ?? null }))
    .sort((a, b) => endOf(b) - endOf(a));
}

const endOf = ({ finished_at, started_at }: { finished_at: string | null; started_at: string }) =>
  Date.parse(finished_at ?? started_at);

function shorten({ error, ...view }: RunView) {
  return { ...view, error: error && { code: error.code, message: error.message } };
}
