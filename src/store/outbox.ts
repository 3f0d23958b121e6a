/**
 * The outbox: specs of `task_spawn_log` that are committed as `pending` and wait to be sent, one statement a step. Whatever
 * was sent is on record before it goes out; an answer that comes is recorded even where an operator discarded its spec.
 */
import type { TaskSpec } from '../core/decision.ts';
import type { JsonObject } from '../core/json.ts';
import { type Pool, pipelined, type Queryable, transaction, UNSYNCED } from './pool.ts';

/** A spec that is to be sent, with what its body names. */
export interface OutboxTask {
  idempotency_key: string;
  run_id: string;
  definition_id: string;
  definition_hash: string;
  rule_id: string;
  event_id: string | null;
  traceparent: string | null;
  spec: TaskSpec;
  dedupe_key: string | null;
  /** Posts whose answer nobody read. */
  unanswered_posts: number;
  duplicate_of: string | null;
  /** Milliseconds until it may be asked again; 0 where it may be now. */
  wait_ms: number;
}

/** Pending specs of the dispatch's runs that emit: those that may be asked now come first, in the order of their commit. */
export async function listOutbox(db: Queryable, dispatchId: string, limit: number): Promise<OutboxTask[]> {
  const { rows } = await db.query(
    `SELECT t.idempotency_key, t.run_id, t.definition_id, r.definition_hash, t.rule_id, r.event_id, r.traceparent, t.spec,
            t.dedupe_key, t.unanswered_posts, t.duplicate_of,
            ceil(extract(epoch FROM greatest(t.not_before - clock_timestamp(), '0')) * 1000)::float8 AS wait_ms
       FROM activity_runs r JOIN task_spawn_log t USING (run_id)
      WHERE r.dispatch_id = $1 AND r.status = 'running' AND r.sink_mode = 'live' AND t.status = 'pending'
      ORDER BY greatest(t.not_before, now()), t.created_at, t.idempotency_key LIMIT $2`,
    [dispatchId, limit],
  );
  return rows.map((row) => ({ ...row, wait_ms: row.wait_ms ?? 0 }));
}

/** The run emits and its definition says `emit: live` at this moment: after a rollback nothing more goes out. */
const IS_LIVE = `EXISTS (SELECT 1 FROM activity_runs r WHERE r.run_id = t.run_id AND r.status = 'running')
             AND EXISTS (SELECT 1 FROM activity_definitions d
                          WHERE d.definition_id = t.definition_id AND d.is_current AND d.emit = 'live')`;

/**
 * The right to ask issue-core for a dedupe key and to post under it, for `seconds`. False where another spec with this key
 * has it, or was posted and nobody knows yet what became of it: looking now would miss its task.
 */
export async function leaseDedupeKey(
  pool: Pool,
  { idempotency_key, dedupe_key }: Pick<OutboxTask, 'idempotency_key' | 'dedupe_key'>,
  seconds: number,
): Promise<boolean> {
  return transaction(pool, async (client, end) => {
    const [, { rowCount }] = await pipelined([
      // A lease that a power cut takes was never used: what is posted under it is recorded, and flushed, after it.
      client.query(
        `SELECT set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock(hashtextextended($1, 0))`,
        [`dedupe ${dedupe_key}`],
      ),
      client.query(
        `UPDATE task_spawn_log AS t SET leased_until = clock_timestamp() + make_interval(secs => $2)
        WHERE idempotency_key = $1 AND status = 'pending' AND ${IS_LIVE} AND NOT EXISTS (
          SELECT 1 FROM task_spawn_log o JOIN activity_runs r USING (run_id)
           WHERE o.dedupe_key = t.dedupe_key AND o.status = 'pending' AND o.idempotency_key <> t.idempotency_key
             AND (o.leased_until > clock_timestamp() OR (o.unanswered_posts > 0 AND r.status = 'running')))`,
        [idempotency_key, seconds],
      ),
      end(),
    ]);
    return rowCount === 1;
  });
}

/**
 * The intent to post, before the post. The bytes to send: those of the first time where there was one. Null where it may
 * not be sent now.
 */
export async function recordIntent(
  db: Queryable,
  idempotencyKey: string,
  request: string,
  { leased }: { leased: boolean },
): Promise<string | null> {
  const { rows } = await db.query(
    `UPDATE task_spawn_log AS t
        SET request = coalesce(request, $2), unanswered_posts = unanswered_posts + 1, attempts = attempts + 1
      WHERE idempotency_key = $1 AND status = 'pending' AND ${IS_LIVE} AND (NOT $3 OR leased_until > clock_timestamp())
      RETURNING request`,
    [idempotencyKey, request, leased],
  );
  return rows[0]?.request ?? null;
}

/** What a look-up found counts only while no post is out: the open task may be that post's. */
const NOT_POSTED = 'unanswered_posts = 0';

/** A comment is due on that open task; it is decided once, whatever is open later. False where it may not be sent now. */
export async function recordDuplicateOf(
  db: Queryable,
  idempotencyKey: string,
  ref: string,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE task_spawn_log AS t SET duplicate_of = $2
      WHERE idempotency_key = $1 AND status = 'pending' AND ${NOT_POSTED} AND ${IS_LIVE}`,
    [idempotencyKey, ref],
  );
  return rowCount === 1;
}

/**
 * The final answer.
 *
 * `created`  to a post
 * `known`    to a post: a duplicate, unless another post of ours under this key got no answer that anybody read
 * `open`     a look-up, or a comment: there is a task with its dedupe key
 * `rejected` to a post or a comment; `posted` tells which
 */
export type FinalAnswer =
  | { is: 'created' | 'known' | 'open'; task_ref: string }
  | { is: 'rejected'; posted: boolean; last_error: JsonObject };

/**
 * What it is now; null where the answer does not count: another process was faster, or has a post out. Not flushed: an answer that a
 * power cut takes is one that nobody read, and the post is repeated. The dispatch's end is flushed.
 */
export async function recordAnswer(
  db: Queryable,
  idempotencyKey: string,
  answer: FinalAnswer,
): Promise<'created' | 'duplicate' | 'failed' | null> {
  const { rows } =
    answer.is === 'rejected'
      ? await db.query(
          `WITH ${UNSYNCED} UPDATE task_spawn_log
              SET status = 'failed', last_error = $2, attempts = greatest(attempts, 1), leased_until = NULL, not_before = NULL,
                  unanswered_posts = unanswered_posts - CASE WHEN $3 THEN 1 ELSE 0 END
             FROM unsynced WHERE idempotency_key = $1 AND status = 'pending' RETURNING status`,
          [idempotencyKey, JSON.stringify(answer.last_error), answer.posted],
        )
      : await db.query(
          `WITH ${UNSYNCED} UPDATE task_spawn_log
              SET status = CASE WHEN $3 = 'created' OR ($3 = 'known' AND unanswered_posts > 1) THEN 'created'
                                ELSE 'duplicate' END,
                  task_ref = $2, last_error = NULL, emitted_at = clock_timestamp(), attempts = greatest(attempts, 1),
                  leased_until = NULL, not_before = NULL
             FROM unsynced
            WHERE idempotency_key = $1 AND status IN ('pending', 'discarded') AND ($3 <> 'open' OR ${NOT_POSTED})
            RETURNING status`,
          [idempotencyKey, answer.task_ref, answer.is],
        );
  return rows[0]?.status ?? null;
}

export interface Setback {
  last_error: JsonObject;
  /** Null: as soon as it may be. */
  retry_after_ms: number | null;
  /** `post`: a post of ours was answered, and nothing came of it. `ask`: it was not even posted. */
  answered: 'post' | 'ask' | null;
}

/** It stays pending. What was answered is known not to have happened; what was not may have. */
export async function recordSetback(db: Queryable, idempotencyKey: string, setback: Setback): Promise<void> {
  await db.query(
    `UPDATE task_spawn_log
        SET last_error = $2, leased_until = NULL,
            not_before = clock_timestamp() + $3::float8 * interval '1 millisecond',
            unanswered_posts = unanswered_posts - CASE WHEN $4 = 'post' THEN 1 ELSE 0 END,
            attempts = attempts + CASE WHEN $4 = 'ask' THEN 1 ELSE 0 END
      WHERE idempotency_key = $1 AND status = 'pending'`,
    [idempotencyKey, JSON.stringify(setback.last_error), setback.retry_after_ms, setback.answered],
  );
}
