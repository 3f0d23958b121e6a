/** What the HTTP API answers about whether runs can be relied on (contract 5). */
import { z } from 'zod';

const text = z.string();

export const feedbackSchema = z.looseObject({
  run_id: text,
  definition_id: text,
  verdict: text,
  note: text.nullable(),
  requested_by: text,
  at: text,
  state_hub: text,
});

const evidenceSchema = z.looseObject({
  ok: z.boolean(),
  detail: text,
  needed: z.boolean().default(true),
  unchecked: text.nullable().default(null),
});

const trustTickSchema = z.looseObject({
  scheduled_for: text,
  state: text,
  run_id: text.nullable(),
  evidence: z.looseObject({
    temporal_history: evidenceSchema,
    activity_run: evidenceSchema,
    state_hub_progress: evidenceSchema,
    working_memory_note: evidenceSchema,
  }),
  collected_at: text.nullable(),
  reason: text.nullable(),
});

export const trustSchema = z.looseObject({
  definition_id: text,
  required: z.number(),
  trusted: z.boolean(),
  scheduled: z.boolean().default(true),
  reason: text,
  clean_streak: z.number(),
  feedback: z.looseObject({ run_id: text, verdict: text, at: text }).nullable(),
  ticks: z.array(trustTickSchema),
});

export type Feedback = z.output<typeof feedbackSchema>;
export type Trust = z.output<typeof trustSchema>;
export type TrustTick = z.output<typeof trustTickSchema>;
export type TrustEvidence = z.output<typeof evidenceSchema>;

export type FeedbackRequest = {
  verdict: string;
  note?: string;
};
