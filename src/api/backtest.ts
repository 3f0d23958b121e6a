/**
 * What a backtest reads (docs/backtest.md): recorded inputs in bulk, oldest first. Whoever asks evaluates them; here
 * nothing is evaluated. One page is read at a time, whoever asks, so that a backtest never takes more than one connection.
 */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Definition } from '../core/definition.ts';
import type { Envelope } from '../core/envelope.ts';
import { findCurrentDefinition, findRevision } from '../store/definitions.ts';
import { listEventTypes } from '../store/event-types.ts';
import { isPoisonousRow } from '../store/failure.ts';
import { InvalidCursorError } from '../store/page.ts';
import { type Pool, type Queryable, readClock } from '../store/pool.ts';
import {
  isCancelledByTimeout,
  readForgottenBefore,
  readOnly,
  readRecordedEvents,
  readRecordedTicks,
} from '../store/recorded-inputs.ts';
import { RUN_STATUSES } from '../store/runs.ts';
import { TICK_OUTCOMES } from '../store/schedule-ticks.ts';
import { decision, decisionExample } from './events.ts';
import { idText, storableText, time } from './inputs.ts';
import { jsonObject, listOf, runError, timestamp, uuidText } from './outputs.ts';
import { Problem, problems } from './problem.ts';
import { instructionRecord } from './run-outputs.ts';
import { task, taskExample } from './tasks.ts';

const MOST_INPUTS = 1000;

const document = z.custom<Definition>().meta({ type: 'object', additionalProperties: true });

const onRecord = z.object({
  definition_id: z.string(),
  now: timestamp.describe('By the clock that recorded times are of'),
  forgotten_before: timestamp
    .nullable()
    .describe('What came before may have been deleted (RETENTION_DAYS); null: nothing was'),
  current: z
    .object({ definition_hash: z.string(), document })
    .nullable()
    .describe('What is applied; null where it is not declared'),
  event_type: z
    .object({ type: z.string(), attributes_schema: jsonObject })
    .nullable()
    .describe('That it waits for, as it is applied; null without one'),
});

const runs = z
  .array(
    z.object({
      run_id: uuidText,
      definition_hash: z.string(),
      status: z.enum(RUN_STATUSES),
      started_at: timestamp,
      error: runError.nullable(),
      has_context: z.boolean().describe('False where it ended before its sources had answered'),
      context: jsonObject.nullable().describe('Null also where it was not asked for'),
      instructions: z.array(instructionRecord).describe('Empty also where they were not asked for'),
      tasks: z.array(
        task.pick({ idempotency_key: true, rule_id: true, spec: true }).extend({
          moved: z.boolean().describe('A run that it retried made it: what was sent kept its text'),
        }),
      ),
    }),
  )
  .describe('A run and its retries, oldest first');

const event = z.object({
  event_uid: uuidText,
  received_at: timestamp,
  envelope: z.custom<Envelope>().meta({ type: 'object', additionalProperties: true }),
  decision: decision
    .pick({ definition_hash: true, outcome: true, reason: true })
    .nullable()
    .describe('Null where the definition did not decide about it'),
  runs,
});

const tick = z.object({
  scheduled_for: timestamp,
  outcome: z.enum(TICK_OUTCOMES),
  reason: z.string().nullable(),
  runs,
});

const { definition_id, definition_hash, outcome, reason } = decisionExample;
const { idempotency_key, rule_id, spec } = taskExample;
const runExample = {
  run_id: taskExample.run_id,
  definition_hash,
  status: 'completed',
  started_at: '2026-11-20T08:15:00.25Z',
  error: null,
  has_context: true,
  context: null,
  instructions: [],
  tasks: [{ idempotency_key, rule_id, spec, moved: false }],
};
const eventExample = {
  event_uid: '0d4f2f3a-8f0b-5a53-8d8e-5b1a2c3d4e5f',
  received_at: '2026-11-20T08:15:00.2Z',
  envelope: {
    id: '01JDZ8X6QY3V9W4T1N2M7K5R0B',
    type: 'kaizen.metrics.recorded',
    source: 'kaizen-agentic',
    time: '2026-11-20T08:15:00Z',
    attributes: { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: 0.62 } },
  },
  decision: { definition_hash, outcome, reason },
  runs: [runExample],
};
const tickExample = {
  scheduled_for: '2026-11-20T08:15:00Z',
  outcome: 'fired',
  reason: null,
  runs: [runExample],
};
const onRecordExample = {
  definition_id,
  now: '2026-11-20T09:00:00.1Z',
  forgotten_before: null,
  current: { definition_hash, document: { id: definition_id } },
  event_type: { type: 'kaizen.metrics.recorded', attributes_schema: { type: 'object' } },
};

const query = z.strictObject({
  since: time.describe('Received, or scheduled for, this time or later'),
  until: time.describe('Received, or scheduled for, before this time'),
  context: z
    .enum(['true', 'false'])
    .default('false')
    .describe('Also what the sources of each run bound, and what its model answered'),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MOST_INPUTS)
    .default(500)
    .describe(`At most, 1 to ${MOST_INPUTS}`),
  cursor: storableText(500).optional().describe('The `next_cursor` of the answer before'),
});
const ofDefinition = z.object({ definition_id: idText });
const description =
  'For backtests: oldest first, with what was recorded. An answer has fewer than `limit` where more would be too large.';
const tags = ['backtest'];

export function backtestRoutes({ pool }: { pool: Pool }): FastifyPluginAsyncZod {
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(read: (client: Queryable) => Promise<T>): Promise<T> => {
    const mine = turn.then(() => readOnly(pool, read));
    turn = mine.catch(() => undefined);
    return mine;
  };

  return async (app) => {
    app.get(
      '/backtest/:definition_id',
      {
        schema: {
          summary: 'What is on record for a backtest',
          description: 'Also for a definition that was never applied: nothing is on record of it then.',
          tags,
          params: ofDefinition,
          querystring: z.strictObject({}),
          response: { 200: onRecord.meta({ examples: [onRecordExample] }), ...problems() },
        },
      },
      async ({ params: { definition_id: id } }) =>
        inTurn(async (client) => {
          const found = await findCurrentDefinition(client, id);
          const waitsFor = found?.document.trigger.event?.type;
          const eventType = (await listEventTypes(client)).find(({ type }) => type === waitsFor);
          return {
            definition_id: id,
            now: await readClock(client),
            forgotten_before: await readForgottenBefore(client),
            current: found && { definition_hash: found.definition_hash, document: found.document },
            event_type: eventType
              ? { type: eventType.type, attributes_schema: eventType.attributes_schema }
              : null,
          };
        }),
    );

    app.get(
      '/backtest/:definition_id/revisions/:definition_hash',
      {
        schema: {
          summary: 'A revision that runs were recorded with',
          description:
            'Whether its sources and instructions are those of another one, so that answers can be used again.',
          tags,
          params: ofDefinition.extend({ definition_hash: idText }),
          querystring: z.strictObject({}),
          response: {
            200: z.object({ document }).meta({ examples: [{ document: onRecordExample.current.document }] }),
            ...problems('not_found'),
          },
        },
      },
      async ({ params }) => {
        const found = await findRevision(pool, params.definition_id, params.definition_hash);
        if (found) return { document: found };
        const what = `revision ${params.definition_hash} of ${params.definition_id}`;
        throw new Problem('not_found', `${what} was never applied`);
      },
    );

    app.get(
      '/backtest/:definition_id/events',
      {
        schema: {
          summary: 'Recorded events, to be decided again',
          description,
          tags,
          params: ofDefinition,
          querystring: query.extend({ type: idText }),
          response: { 200: listOf(event, eventExample), ...problems() },
        },
      },
      async ({ params, query: { limit, cursor, context, ...filter } }) => {
        const wanted = { ...filter, ...params, context: context === 'true' };
        return inTurn((client) => readRecordedEvents(client, wanted, { limit, cursor })).catch(blame(cursor));
      },
    );

    app.get(
      '/backtest/:definition_id/ticks',
      {
        schema: {
          summary: 'Recorded ticks, to be decided again',
          description,
          tags,
          params: ofDefinition,
          querystring: query,
          response: { 200: listOf(tick, tickExample), ...problems() },
        },
      },
      async ({ params, query: { limit, cursor, context, ...filter } }) => {
        const wanted = { ...filter, ...params, context: context === 'true' };
        return inTurn((client) => readRecordedTicks(client, wanted, { limit, cursor })).catch(blame(cursor));
      },
    );
  };
}

/** All else was checked before: what PostgreSQL cannot read is a made-up cursor. */
const blame =
  (cursor: string | undefined) =>
  (error: unknown): never => {
    if (isCancelledByTimeout(error))
      throw new Problem('unavailable', 'so many take too long to read; fewer with `limit`', { cause: error });
    throw cursor && isPoisonousRow(error) ? Object.assign(new InvalidCursorError(), { cause: error }) : error;
  };
