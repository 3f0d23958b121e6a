/** What of issue-core's stand-in survives a restart. */
import { z } from 'zod';
import { taskBodySchema } from './issue-core-body.ts';
import { type Journal, noJournal, openJournal } from './journal.ts';

const changeSchema = z.discriminatedUnion('change', [
  z.object({
    change: z.literal('task'),
    ref: z.string(),
    idempotency_key: z.string(),
    body: taskBodySchema,
    at: z.string(),
  }),
  z.object({
    change: z.literal('comment'),
    ref: z.string(),
    idempotency_key: z.string(),
    body: z.string(),
    at: z.string(),
  }),
  z.object({
    change: z.literal('state'),
    ref: z.string(),
    state: z.enum(['open', 'closed']),
    at: z.string(),
  }),
]);
export type Change = z.output<typeof changeSchema>;

export type IssueCoreJournal = Journal<Change>;

/** @throws Error: journal.ts */
export const openIssueCoreJournal = (file: string | undefined): IssueCoreJournal =>
  file === undefined ? noJournal() : openJournal(file, changeSchema, 'tasks');
