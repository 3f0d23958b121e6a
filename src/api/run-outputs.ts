/** What a run's instructions and reports look like from outside (contract 8). */
import { z } from 'zod';
import { jsonObject, jsonValue, timestamp, violations } from './outputs.ts';

const answer = z.object({
  answer: z.string().nullable().describe('As the model said it; null where there is none'),
  accepted: z.boolean(),
  violations,
  fault: z.string().nullable().describe('Why there is no answer'),
  model: z.string().nullable(),
  finish_reason: z.string().nullable(),
  usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.int() }).nullable(),
  latency_ms: z.int().nullable(),
  asked_at: timestamp,
});

export const instructionRecord = z
  .object({
    instruction_id: z.string(),
    status: z.enum(['answered', 'invalid', 'failed']),
    review_required: z.boolean(),
    reused: z.boolean().describe('The answer was there already, from an earlier attempt or run of the chain'),
    prompt_hash: z.string().describe('SHA-256 of the messages as they were sent'),
    output: jsonValue.describe('The answer that the schema accepted; null without one'),
    answers: z.array(answer).describe('Every request to the model, in order'),
  })
  .meta({ description: 'What an instruction came to' });

export const reportRecord = z
  .object({
    sink: z.string(),
    report: jsonObject.describe('The report as declared, everything in it computed'),
    status: z
      .enum(['pending', 'filed', 'failed', 'dropped'])
      .describe('`dropped`: it is not filed any more, because a retry of the run has reported'),
    attempts: z.int(),
    failing_since: timestamp
      .nullable()
      .describe('The first attempt that failed; null before that, and when it is filed'),
    error: z.string().nullable().describe('Of the last attempt that failed, or why it was dropped'),
    filed: jsonObject.nullable().describe('Where it stands: `progress_id`, or `file` and `sha256`'),
    filed_at: timestamp.nullable(),
  })
  .meta({ description: 'A report, and what became of it' });
