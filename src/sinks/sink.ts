/** Where task specs go. The outbox asks, the sink does one request, and nothing is retried here. */
import type { JsonObject } from '../core/json.ts';

/**
 * What is known after one request.
 *
 * `audited`      it was only recorded: there is no other side
 * `created`      the task is there, under `ref`
 * `known`        the key, or the task, was there before: a duplicate, unless an earlier post of ours got no answer
 * `rejected`     this task will never be taken
 * `unauthorized` nobody of ours is let in
 * `not_taken`    it did not arrive, or was answered so: nothing happened, the same later
 * `unknown`      no answer could be read: it may have happened; the same later
 */
export type SinkAnswer =
  | { outcome: 'audited' }
  | { outcome: 'created'; ref: string }
  | { outcome: 'known'; ref: string }
  | { outcome: 'rejected' | 'unauthorized'; fault: SinkFault }
  | { outcome: 'not_taken' | 'unknown'; fault: SinkFault; retry_after_ms: number | null };

/** Kept as the task's `last_error`. `status`: of the answer, null without one; `answer`: its text, cut, without secrets. */
export interface SinkFault extends JsonObject {
  request: string;
  status: number | null;
  message: string;
  answer: string | null;
}

/** The same for a question: `found` with the open tasks' references. */
export type SinkLookup = { outcome: 'found'; refs: string[] } | Extract<SinkAnswer, { fault: SinkFault }>;

/** A comment is there when the answer is `commented`. */
export type SinkComment = { outcome: 'commented' } | Extract<SinkAnswer, { fault: SinkFault }>;

export interface Sink {
  readonly type: 'null' | 'issue-core';
  /** `body`: as `requestBody` made it; again the same bytes for the same key. */
  create(idempotencyKey: string, body: string): Promise<SinkAnswer>;
  /** The open tasks with this key. */
  findOpen(dedupeKey: string): Promise<SinkLookup>;
  comment(ref: string, idempotencyKey: string, text: string): Promise<SinkComment>;
}
