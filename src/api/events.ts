import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Envelope } from '../core/envelope.ts';
import { shellWord } from '../core/shell-word.ts';
import { listDecisions } from '../store/event-decisions.ts';
import { FATES, findEvents, listEvents } from '../store/events.ts';
import type { Pool } from '../store/pool.ts';
import { listQuarantined } from '../store/quarantined-events.ts';
import { RUN_STATUSES } from '../store/runs.ts';
import { idText, pageQuery } from './inputs.ts';
import { jsonObject, listOf, timestamp, uuidText } from './outputs.ts';
import { Problem, problems } from './problem.ts';

const event = z.object({
  event_uid: uuidText,
  fate: z.enum(FATES),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  time: timestamp,
  received_at: timestamp,
  subject: z.string(),
  stream_seq: z.int().nullable(),
  duplicates: z.int().describe('How often it came again'),
  traceparent: z.string().nullable().describe('W3C Trace Context; null where it came without a valid one'),
});

export const decision = z.object({
  definition_id: z.string(),
  definition_hash: z.string(),
  outcome: z.enum(['fired', 'filtered', 'held', 'discarded', 'filter_error']),
  reason: z.string().nullable(),
  values: jsonObject.describe('What the filter read'),
  run_id: uuidText.nullable(),
  run_status: z.enum(RUN_STATUSES).nullable().describe('Of that run; null where it is not on record'),
  decided_at: timestamp,
});

export const decisionExample = {
  definition_id: 'low-success-rate-review',
  definition_hash: '6f0c4a5a3c5b2f0f8f6d2a0e6f1d7c3b9a8e7d6c5b4a39281706f5e4d3c2b1a0',
  outcome: 'fired',
  reason: null,
  values: { 'event.attributes.project': 'kaizen-agentic' },
  run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
  run_status: 'completed',
  decided_at: '2026-11-20T08:15:00.25Z',
};

const wholeEvent = event.extend({
  envelope: z.custom<Envelope>().meta({ type: 'object', additionalProperties: true }),
  decisions: z.array(decision),
});

const example = {
  event_uid: '0d4f2f3a-8f0b-5a53-8d8e-5b1a2c3d4e5f',
  fate: 'accepted',
  id: '01JDZ8X6QY3V9W4T1N2M7K5R0B',
  source: 'kaizen-agentic',
  type: 'kaizen.metrics.recorded',
  time: '2026-11-20T08:15:00Z',
  received_at: '2026-11-20T08:15:00.2Z',
  subject: 'activity.kaizen.metrics.recorded',
  stream_seq: 42,
  duplicates: 0,
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
};

const wholeExample = {
  ...example,
  envelope: {
    id: '01JDZ8X6QY3V9W4T1N2M7K5R0B',
    type: 'kaizen.metrics.recorded',
    source: 'kaizen-agentic',
    time: '2026-11-20T08:15:00Z',
    subject: null,
    schema_version: null,
    correlation_id: null,
    causation_id: null,
    attributes: { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: 0.62 } },
  },
  decisions: [decisionExample],
};

const query = z.strictObject({
  type: idText.optional(),
  fate: z.enum(FATES).optional(),
  id: idText.optional(),
  source: idText.optional(),
  ...pageQuery,
});

const tags = ['events'];

export function eventRoutes({ pool }: { pool: Pool }): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/events',
      {
        schema: {
          summary: 'List events',
          description: 'The ledger of accepted events, newest first. What was refused is in quarantine.',
          tags,
          querystring: query,
          response: { 200: listOf(event, example), ...problems() },
        },
      },
      async (request) => {
        const { limit, cursor, ...filter } = request.query;
        return listEvents(pool, filter, { limit, cursor });
      },
    );

    app.get(
      '/events/:event',
      {
        schema: {
          summary: 'Explain an event',
          description: 'The event with its envelope, and for each definition what was decided and why.',
          tags,
          params: z.object({ event: idText.describe('`event_uid`, or `id` while only one source has it') }),
          querystring: z.strictObject({}),
          response: {
            200: wholeEvent.meta({ examples: [wholeExample] }),
            ...problems('not_found', 'ambiguous_id'),
          },
        },
      },
      async (request) => {
        const { event: wanted } = request.params;
        const [found, ...others] = await findEvents(pool, wanted);
        if (!found) throw await notAccepted(pool, wanted);
        if (others.length > 0) {
          const event_uids = [found, ...others].map(({ event_uid }) => event_uid);
          const detail = `${event_uids.length} sources have the id ${wanted}; ask by event_uid: ${event_uids.join(', ')}`;
          throw new Problem('ambiguous_id', detail, { event_uids });
        }
        return { ...found, decisions: await listDecisions(pool, found.event_uid) };
      },
    );
  };
}

/** Where it is instead, if anywhere. */
async function notAccepted(pool: Pool, wanted: string): Promise<Problem> {
  const { items } = await listQuarantined(pool, { event_id: wanted }, { limit: 1 });
  const [refused] = items;
  const where = refused
    ? `what came was refused (${refused.reason}) and is in quarantine, ${refused.state}: \`quarantine show ${refused.id}\`, ` +
      `all with this id: \`quarantine list --event-id ${shellWord(wanted)}\`, GET /api/v1/quarantine?event_id=…`
    : 'nothing in quarantine has this id either; a message whose id could not be read, or that was refused before ids were kept, is there without one (`quarantine list`, GET /api/v1/quarantine)';
  return new Problem('not_found', `no accepted event has the event_uid or id ${wanted}; ${where}`);
}
