/** What the HTTP API answers about live tasks: reviews, promotion, what is pending (contract 5). */
import { z } from 'zod';
import { runSchema, taskSchema } from './activity-core-api-shapes.ts';

const text = z.string();

export const newReviewSchema = z.looseObject({
  run_id: text,
  definition_id: text,
  verdict: text,
  reviewer: text,
  note: text.nullable(),
  reviewed_at: text,
  is_current_content: z.boolean(),
});

export const pendingTasksSchema = z.looseObject({
  count: z.number(),
  items: z.array(taskSchema),
  skipped: z.array(z.looseObject({ definition_id: text, count: z.number(), reason: text })).optional(),
});

export const promotionSchema = z.looseObject({
  definition_id: text,
  file: text,
  emit: text,
  sink_mode: text,
  sink_reason: text.nullable(),
  ready: z.boolean(),
  checks: z.array(z.looseObject({ name: text, ok: z.boolean(), message: text })),
  run: runSchema.nullable(),
  tasks: z.array(
    z.looseObject({ ...taskSchema.shape, open: z.array(z.looseObject({ ref: text })).nullable() }),
  ),
  change: z.looseObject({ path: text, from: text, to: text }).nullable(),
});

export type NewReview = z.output<typeof newReviewSchema>;
export type PendingTasks = z.output<typeof pendingTasksSchema>;
export type Promotion = z.output<typeof promotionSchema>;

/** Whose pending tasks; `dry_run` only asks what would become of them. */
export type PendingTasksRequest = {
  run_id?: string;
  definition_id?: string;
  dry_run: boolean;
};
export type ReviewRequest = {
  verdict: string;
  reviewer: string;
  note?: string;
};
