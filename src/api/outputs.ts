/** What answers are made of. Values that were checked when they were stored are passed on without walking them again. */
import { z } from 'zod';
import type { Json, JsonObject } from '../core/json.ts';

export const timestamp = z.string().meta({ format: 'date-time' });
export const uuidText = z.string().meta({ format: 'uuid' });
export const jsonObject = z.custom<JsonObject>().meta({ type: 'object', additionalProperties: true });
export const jsonValue = z.custom<Json>();

export function listOf<Item extends z.ZodType>(item: Item, example: unknown) {
  return z
    .object({ items: z.array(item), next_cursor: z.string().nullable() })
    .meta({ examples: [{ items: [example], next_cursor: null }] });
}

export const violations = z.array(z.object({ pointer: z.string(), message: z.string() }));

export const ruleTrace = z.object({
  rule_id: z.string(),
  item: jsonValue.optional().describe('The element, with `for_each`'),
  as: z.string().optional().describe('What the rule calls the element, where that is not `item`'),
  expression: z.string(),
  values: jsonObject.describe('What the expression read'),
  result: z.boolean().nullable().describe('null where it could not be evaluated'),
});

export const runError = z.object({ code: z.string(), message: z.string(), details: jsonObject });

export const started = z.object({ run_id: uuidText, workflow_id: z.string() }).meta({
  examples: [
    { run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11', workflow_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11' },
  ],
});
