/**
 * One spec → issue-core, one try (contract 7): is there an open task with its dedupe key, then the post. The intent is on
 * record before each post, and each answer before the next request.
 */
import type { Definition } from '../core/definition.ts';
import { requestBody } from '../sinks/request-body.ts';
import type { Sink, SinkAnswer, SinkFault } from '../sinks/sink.ts';
import {
  type FinalAnswer,
  leaseDedupeKey,
  type OutboxTask,
  recordAnswer,
  recordDuplicateOf,
  recordIntent,
  recordSetback,
} from '../store/outbox.ts';
import type { Pool } from '../store/pool.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface SendDeps {
  pool: Pool;
  sink: Sink;
  metrics: Metrics;
  /** For how long a dedupe key is one spec's: longer than its requests can take. */
  leaseSeconds: number;
}

/**
 * `ended`    it has its final status
 * `later`    it stays pending: the other side did not do it
 * `blocked`  it was not sent: another spec with its dedupe key, or another process, is at it, or it may not be any more
 * `unauthorized`  it stays pending, and nothing more is to be sent
 */
export type Sent =
  | { is: 'ended' }
  | { is: 'blocked' }
  | { is: 'later'; fault: SinkFault }
  | { is: 'unauthorized'; fault: SinkFault };

type Setback = Extract<SinkAnswer, { fault: SinkFault }>;

export async function sendTask(
  deps: SendDeps,
  task: OutboxTask,
  { onDuplicate, isOver }: { onDuplicate: Definition['on_duplicate']; isOver: () => boolean },
): Promise<Sent> {
  // One that was posted may be there under its own key, which the answer to a second post tells; a look-up could not.
  const asksFirst = task.dedupe_key !== null && onDuplicate !== 'always' && task.unanswered_posts === 0;
  if (!asksFirst) return post(deps, task, { leased: false });
  if (!(await leaseDedupeKey(deps.pool, task, deps.leaseSeconds))) return { is: 'blocked' };
  if (task.duplicate_of !== null) return comment(deps, task, task.duplicate_of);
  const found = await deps.sink.findOpen(task.dedupe_key ?? '');
  if (found.outcome !== 'found') return setBack(deps, task, found, 'ask');
  const [ref] = found.refs;
  if (ref === undefined) return isOver() ? { is: 'blocked' } : post(deps, task, { leased: true });
  if (onDuplicate === 'skip') return end(deps, task, { is: 'open', task_ref: ref });
  const mayComment = !isOver() && (await recordDuplicateOf(deps.pool, task.idempotency_key, ref));
  return mayComment ? comment(deps, task, ref) : { is: 'blocked' };
}

async function post(deps: SendDeps, task: OutboxTask, lease: { leased: boolean }): Promise<Sent> {
  const { pool, sink } = deps;
  const { idempotency_key } = task;
  const request = await recordIntent(pool, idempotency_key, requestBody(task.spec, task), lease);
  if (request === null) return { is: 'blocked' };
  const answer = await sink.create(idempotency_key, request);
  if (answer.outcome === 'audited') throw new Error('the null sink was asked to send');
  if (answer.outcome === 'created' || answer.outcome === 'known')
    return end(deps, task, { is: answer.outcome, task_ref: answer.ref });
  return setBack(deps, task, answer, 'post');
}

/** Under a key of its own, which the sink makes of the task's: the second of two is the same comment. */
async function comment(deps: SendDeps, task: OutboxTask, ref: string): Promise<Sent> {
  const answer = await deps.sink.comment(ref, task.idempotency_key, commentText(task));
  if (answer.outcome === 'commented') return end(deps, task, { is: 'open', task_ref: ref });
  return setBack(deps, task, answer, 'ask');
}

async function end(
  { pool, metrics }: SendDeps,
  { definition_id, idempotency_key }: OutboxTask,
  answer: FinalAnswer,
): Promise<Sent> {
  const status = await recordAnswer(pool, idempotency_key, answer);
  if (status === null) return { is: 'blocked' };
  metrics.tasks.inc({ definition_id, status });
  return { is: 'ended' };
}

async function setBack(
  deps: SendDeps,
  task: OutboxTask,
  answer: Setback,
  asked: 'post' | 'ask',
): Promise<Sent> {
  const { fault } = answer;
  if (answer.outcome === 'rejected')
    return end(deps, task, { is: 'rejected', posted: asked === 'post', last_error: fault });
  const retry_after_ms = 'retry_after_ms' in answer ? answer.retry_after_ms : null;
  const answered = asked === 'post' && answer.outcome === 'unknown' ? null : asked;
  await recordSetback(deps.pool, task.idempotency_key, { last_error: fault, retry_after_ms, answered });
  return answer.outcome === 'unauthorized' ? { is: 'unauthorized', fault } : { is: 'later', fault };
}

function commentText({ spec, definition_id, rule_id, run_id }: OutboxTask): string {
  return [
    `activity-core asked for this again: ${spec.title}`,
    ...(spec.description ? [spec.description] : []),
    `(definition ${definition_id}, rule ${rule_id}, run ${run_id})`,
  ].join('\n\n');
}
