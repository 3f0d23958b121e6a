import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Pool } from '../store/pool.ts';
import { listTicks, TICK_OUTCOMES } from '../store/schedule-ticks.ts';
import { idText, pageQuery, time } from './inputs.ts';
import { listOf, timestamp, uuidText } from './outputs.ts';
import { problems } from './problem.ts';

export const tick = z.object({
  definition_id: z.string(),
  scheduled_for: timestamp,
  outcome: z.enum(TICK_OUTCOMES),
  reason: z.string().nullable(),
  run_id: uuidText.nullable().describe('The run that it started, or that came too late'),
});

export const tickExample = {
  definition_id: 'hourly-coach-orientation',
  scheduled_for: '2026-11-20T08:15:00Z',
  outcome: 'fired',
  reason: null,
  run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
};

const query = z.strictObject({
  definition_id: idText.optional(),
  outcome: z.enum(TICK_OUTCOMES).optional(),
  since: time.optional().describe('Scheduled for this time or later'),
  until: time.optional().describe('Scheduled for before this time'),
  ...pageQuery,
});

export function tickRoutes({ pool }: { pool: Pool }): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/ticks',
      {
        schema: {
          summary: 'List scheduled ticks',
          description:
            'Each time at which a schedule was due, and what became of it, newest first. One that may still start has no ' +
            'outcome yet and is not listed.',
          tags: ['ticks'],
          querystring: query,
          response: { 200: listOf(tick, tickExample), ...problems() },
        },
      },
      async (request) => {
        const { limit, cursor, ...filter } = request.query;
        return listTicks(pool, filter, { limit, cursor });
      },
    );
  };
}
