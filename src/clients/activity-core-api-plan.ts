/** What `/api/v1/plan` answers (contract 5). */
import { z } from 'zod';

const text = z.string();

export const definitionErrorSchema = z.object({
  file: text,
  line: z.number(),
  column: z.number(),
  path: text,
  message: text,
});

const fields = z.array(z.object({ path: text, from: z.json(), to: z.json() }));

export const planSchema = z.object({
  changes: z.array(
    z.object({
      definition_id: text,
      action: text,
      fields,
      next_fire_times: z.array(text),
      timezone: text.nullable(),
      emit: text.nullable(),
      sink_mode: text.nullable(),
      sink_reason: text.nullable(),
    }),
  ),
  /** An older service tells no fields of a type. */
  event_types: z.array(z.object({ type: text, action: text, fields: fields.optional() })),
  errors: z.array(definitionErrorSchema),
  /** An older service has none. */
  warnings: z.array(definitionErrorSchema.extend({ code: text })).optional(),
});

export type PlanAnswer = z.output<typeof planSchema>;
export type DefinitionErrorAnswer = z.output<typeof definitionErrorSchema>;
