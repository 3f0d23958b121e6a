import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { createRedrive, type RedriveDeps } from '../bridge/redrive.ts';
import { QUARANTINE_REASONS } from '../core/envelope.ts';
import { shellWord } from '../core/shell-word.ts';
import { type Pool, type Queryable, transaction } from '../store/pool.ts';
import { listOverflow } from '../store/quarantine-overflow.ts';
import {
  closeQuarantined,
  findQuarantined,
  listQuarantined,
  lockQuarantined,
  QUARANTINE_STATES,
  type QuarantinedEvent,
} from '../store/quarantined-events.ts';
import { decision, decisionExample } from './events.ts';
import { dryRunFlag, idText, isUuid, pageQuery, pathUuid, storableText } from './inputs.ts';
import { timestamp, uuidText, violations } from './outputs.ts';
import { Problem, problems } from './problem.ts';

/** Also of what the overview shows. */
export const refusedEventId = z
  .string()
  .nullable()
  .describe('The `id` of the event; null where it could not be read so far');

const quarantined = z.object({
  id: uuidText,
  event_id: refusedEventId,
  received_at: timestamp,
  subject: z.string(),
  headers: z.record(z.string(), z.array(z.string())),
  reason: z.enum(QUARANTINE_REASONS),
  violations,
  bytes_base64: z
    .string()
    .describe('The message as it came; empty where it is closed and its bytes were given up to make room'),
  size: z.int(),
  state: z.enum(QUARANTINE_STATES),
  state_reason: z.string().nullable().describe('Why it was discarded'),
  event_uid: uuidText.nullable().describe('What it became when it was redriven'),
});

const example = {
  id: '7d9f0b52-6a58-5a0e-8f3b-2b9d7c1e4a60',
  event_id: '01J',
  received_at: '2026-11-20T08:15:00.2Z',
  subject: 'activity.kaizen.metrics.recorded',
  headers: {},
  reason: 'invalid_attributes',
  violations: [{ pointer: '/attributes/summary', message: 'is required' }],
  bytes_base64: 'eyJpZCI6IjAxSiJ9',
  size: 12,
  state: 'open',
  state_reason: null,
  event_uid: null,
};

const overflow = z
  .array(
    z.object({
      reason: z.enum(QUARANTINE_REASONS),
      count: z.int(),
      first_at: timestamp,
      last_at: timestamp,
      last_subject: z.string(),
      first_stream_seq: z.int(),
      last_stream_seq: z.int(),
    }),
  )
  .describe('What was counted and not kept, since quarantine was full (QUARANTINE_MAX_BYTES)');

const list = z.object({ items: z.array(quarantined), next_cursor: z.string().nullable(), overflow }).meta({
  examples: [
    {
      items: [example],
      next_cursor: null,
      overflow: [
        {
          reason: 'not_json',
          count: 12_000,
          first_at: '2026-11-20T08:15:00.2Z',
          last_at: '2026-11-20T09:40:11.7Z',
          last_subject: 'activity.kaizen.metrics.recorded',
          first_stream_seq: 5_001,
          last_stream_seq: 17_312,
        },
      ],
    },
  ],
});

const redriven = z
  .object({
    fate: z.enum(['accepted', 'unmatched', 'duplicate', 'quarantined']),
    decisions: z.array(decision).describe('Those that this redrive made, or would make'),
    reason: z.enum(QUARANTINE_REASONS).optional().describe('Why it stays in quarantine'),
    violations: violations.optional(),
  })
  .meta({ examples: [{ fate: 'accepted', decisions: [decisionExample] }] });

const query = z.strictObject({
  event_id: idText.optional(),
  state: z.enum(QUARANTINE_STATES).optional(),
  reason: z.enum(QUARANTINE_REASONS).optional(),
  ...pageQuery,
});

const params = z.object({ id: pathUuid });
const redriveBody = z.strictObject({ dry_run: dryRunFlag }).meta({ examples: [{ dry_run: true }] });
const discardBody = z
  .strictObject({ reason: storableText(1000).regex(/\S/, 'expected a text that is not blank') })
  .meta({ examples: [{ reason: 'a test message of the publisher' }] });
const one = quarantined.meta({ examples: [example] });
const tags = ['quarantine'];

export function quarantineRoutes(deps: RedriveDeps): FastifyPluginAsyncZod {
  const { pool } = deps;
  const redrive = createRedrive(deps);
  return async (app) => {
    app.get(
      '/quarantine',
      {
        schema: {
          summary: 'List what was refused',
          description:
            'Each message whole, with the reason, newest first; `overflow` counts those that there was no room for.',
          tags,
          querystring: query,
          response: { 200: list, ...problems() },
        },
      },
      async (request) => {
        const { limit, cursor, ...filter } = request.query;
        const page = await listQuarantined(pool, filter, { limit, cursor });
        return {
          items: page.items.map(toItem),
          next_cursor: page.next_cursor,
          overflow: await listOverflow(pool),
        };
      },
    );

    app.get(
      '/quarantine/:id',
      {
        schema: {
          summary: 'Show a refused message',
          description: 'The message whole, with headers, subject, reason and violations.',
          tags,
          params,
          querystring: z.strictObject({}),
          response: { 200: one, ...problems('not_found') },
        },
      },
      async (request) => readItem(pool, idOf(request.params.id)),
    );

    app.post(
      '/quarantine/:id/redrive',
      {
        schema: {
          summary: 'Redrive a refused message',
          description:
            'Handles the message as if it came now, against the registry as it is now. Refused again, it stays open.',
          tags,
          params,
          querystring: z.strictObject({}),
          body: redriveBody,
          response: { 200: redriven, ...problems('not_found', 'wrong_state') },
        },
      },
      async (request) => {
        const id = idOf(request.params.id);
        const { outcome, ...answer } = await redrive(id, { dryRun: request.body.dry_run });
        if (outcome === 'not_found') throw notFound(id);
        if ('state' in answer) throw wrongState(answer.state);
        if (!('fate' in answer)) throw notFound(id);
        return answer;
      },
    );

    app.post(
      '/quarantine/:id/discard',
      {
        schema: {
          summary: 'Discard a refused message',
          description: 'It stays on record with the reason, and can no longer be redriven.',
          tags,
          params,
          querystring: z.strictObject({}),
          body: discardBody,
          response: { 200: one, ...problems('not_found', 'wrong_state') },
        },
      },
      async (request) => {
        const id = idOf(request.params.id);
        return transaction(pool, async (client) => {
          const row = await lockQuarantined(client, id);
          if (!row) throw notFound(id);
          if (row.state !== 'open') throw wrongState(row.state);
          await closeQuarantined(client, id, {
            state: 'discarded',
            reason: request.body.reason,
            event_uid: null,
          });
          return readItem(client, id);
        });
      },
    );
  };
}

async function readItem(db: Queryable | Pool, id: string) {
  const row = await findQuarantined(db, id);
  if (!row) throw notFound(id);
  return toItem(row);
}

function toItem({ bytes, ...row }: QuarantinedEvent) {
  return { ...row, bytes_base64: bytes.toString('base64') };
}

function idOf(text: string): string {
  if (!isUuid(text)) throw notFound(text);
  return text.toLowerCase();
}

function notFound(id: string): Problem {
  return new Problem(
    'not_found',
    `nothing in quarantine has the id ${id}; where it is the id of an event: \`quarantine list --event-id ${shellWord(id)}\`, ` +
      'GET /api/v1/quarantine?event_id=…',
  );
}

function wrongState(state: string): Problem {
  return new Problem('wrong_state', `it is ${state}; only what is open can be redriven or discarded`);
}
