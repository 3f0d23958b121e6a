import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Pool } from '../store/pool.ts';
import { listTasks, TASK_STATUSES } from '../store/task-spawn-log.ts';
import { specExample, taskSpec } from './dry-run.ts';
import { idText, pageQuery, storableText, uuid } from './inputs.ts';
import { jsonObject, listOf, timestamp, uuidText } from './outputs.ts';
import { problems } from './problem.ts';

export const task = z.object({
  idempotency_key: z.string(),
  run_id: uuidText,
  definition_id: z.string(),
  rule_id: z.string(),
  spec: taskSpec,
  dedupe_key: z.string().nullable(),
  status: z.enum(TASK_STATUSES),
  task_ref: z.string().nullable(),
  attempts: z.int(),
  last_error: jsonObject.nullable(),
  review_required: z.boolean().describe('For audits and reports only; never sent to issue-core'),
  created_at: timestamp,
  emitted_at: timestamp.nullable(),
});

export const taskExample = {
  idempotency_key: '2c5b1f0f8f6d2a0e6f1d7c3b9a8e7d6c5b4a39281706f5e4d3c2b1a06f0c4a5a',
  run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
  definition_id: 'low-success-rate-review',
  rule_id: 'low-success-rate',
  spec: specExample,
  dedupe_key: specExample.dedupe_key,
  status: 'audited',
  task_ref: null,
  attempts: 0,
  last_error: null,
  review_required: false,
  created_at: '2026-11-20T08:15:00.3Z',
  emitted_at: null,
};

const query = z.strictObject({
  run_id: uuid.optional(),
  definition_id: idText.optional(),
  status: z.enum(TASK_STATUSES).optional(),
  dedupe_key: storableText(20_000).optional(),
  ...pageQuery,
});

export function taskRoutes({ pool }: { pool: Pool }): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/tasks',
      {
        schema: {
          summary: 'List task specs',
          description: 'The spawn log: each task spec that a run made, and what became of it, newest first.',
          tags: ['tasks'],
          querystring: query,
          response: { 200: listOf(task, taskExample), ...problems() },
        },
      },
      async (request) => {
        const { limit, cursor, ...filter } = request.query;
        return listTasks(pool, filter, { limit, cursor });
      },
    );
  };
}
