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

export type Feedback = z.output<typeof feedbackSchema>;

export type FeedbackRequest = {
  verdict: string;
  note?: string;
};
