/** What may be posted (contract 7). Nothing else is taken, so that a member too many is seen. */
import { z } from 'zod';
import { type Answer, refused } from './issue-core-answer.ts';

export const taskBodySchema = z.strictObject({
  title: z.string().min(1),
  description: z.string(),
  labels: z.array(z.string()),
  priority: z.enum(['low', 'medium', 'high', 'urgent']),
  target_repo: z.string().nullable(),
  dedupe_key: z.string().nullable(),
  source: z.strictObject({
    system: z.literal('activity-core'),
    definition_id: z.string().min(1),
    definition_hash: z.string().min(1),
    run_id: z.string().min(1),
    rule_id: z.string().min(1),
    event_id: z.string().nullable(),
    traceparent: z.string().optional(),
  }),
});
export type TaskBody = z.output<typeof taskBodySchema>;

export const commentBodySchema = z.strictObject({ body: z.string().min(1) });

export type Parsed<T> = { ok: true; value: T } | { ok: false; answer: Answer };

/** A `review_required` is refused wherever it stands (M10). */
export function parseBody<T>(text: string, schema: z.ZodType<T>): Parsed<T> {
  const json = parseJson(text);
  if (!json.ok) return json;
  if (hasReviewRequired(json.value)) {
    const message = 'review_required is metadata of a run; it is never sent to issue-core';
    return { ok: false, answer: refused(400, 'review_required_refused', message) };
  }
  const parsed = schema.safeParse(json.value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const violations = parsed.error.issues.map(
    ({ path, message }) => `${['body', ...path].join('.')}: ${message}`,
  );
  return { ok: false, answer: refused(400, 'invalid_request', violations.join('; ')) };
}

/** Null where the text holds none. */
export function titleOf(text: string): string | null {
  const json = parseJson(text);
  return json.ok ? (z.object({ title: z.string() }).safeParse(json.value).data?.title ?? null) : null;
}

function parseJson(text: string): Parsed<unknown> {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    const message = `the body is not JSON: ${(error as Error).message}`;
    return { ok: false, answer: refused(400, 'invalid_request', message) };
  }
}

function hasReviewRequired(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false;
  return Object.entries(value).some(
    ([name, member]) => name === 'review_required' || hasReviewRequired(member),
  );
}
