/**
 * The outbox: specs of `task_spawn_log` that are committed as `pending` and wait to be sent, one statement a step. Whatever
 * was sent is on record before it goes out; an answer that comes is recorded even where an operator discarded its spec.
 */
import type { TaskSpec } from '../core/decision.ts';
import type { JsonObject } from '../core/json.ts';
import { type Pool, type Queryable, transaction } from './pool.ts';

/** A spec that is to be sent, with what its body names. */
export interface OutboxTask {
  idempotency_key: string;
  run_id: string;
  definition_id: string;
  definition_hash: string;
  rule_id: string;
  event_id: string | null;
  spec: TaskSpec;
  dedupe_key: string | null;
  /** The body that was posted before; null where none was. */
  request: string | null;
  unanswered_posts: number;
  duplicate_of: string | null;
  /** Milliseconds until it may be asked again; 0 where it may be now. */
  wait_ms: number;
}

/** Pending specs of the dispatch's runs that emit, in the order of their commit. */
export async function listOutbox(db: Queryable, dispatchId: string): Promise<OutboxTask[]> {
  const { rows } = await db.query(
    `SELECT t.idempotency_key, t.run_id, t.definition_id, r.definition_hash, t.rule_id, r.event_id, t.spec, t.dedupe_key,
            t.request, t.unanswered_posts, t.duplicate_of,
            greatest(0, ceil(extract(epoch FROM t.not_before - clock_timestamp()) * 1000))::float8 AS wait_ms
       FROM activity_runs r JOIN task_spawn_log t USING (run_id)
      WHERE r.dispatch_id = $1 AND r.status = 'running' AND r.sink_mode = 'live' AND t.status = 'pending'
      ORDER BY t.created_at, t.idempotency_key`,
    [dispatchId],
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
  return transaction(pool, async (client) => {
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`dedupe ${dedupe_key}`]);
    const { rowCount } = await client.query(
      `UPDATE task_spawn_log AS t SET leased_until = clock_timestamp() + make_interval(secs => $2)
        WHERE idempotency_key = $1 AND status = 'pending' AND ${IS_LIVE} AND NOT EXISTS (
          SELECT 1 FROM task_spawn_log o JOIN activity_runs r USING (run_id)
           WHERE o.dedupe_key = t.dedupe_key AND o.status = 'pending' AND o.idempotency_key <> t.idempotency_key
             AND (o.leased_until > clock_timestamp() OR (o.request IS NOT NULL AND r.status = 'running')))`,
      [idempotency_key, seconds],
    );
    return rowCount === 1;
  });
}

/**
 * The intent to post, before the post. `request`: the bytes to send, those of the first time where there was one.
 * `unanswered`: posts before this one whose answer nobody read. Null where it may not be sent now.
 */
export async function recordIntent(
  db: Queryable,
  idempotencyKey: string,
  request: string,
  { leased }: { leased: boolean },
): Promise<{ request: string; unanswered: number } | null> {
  const { rows } = await db.query(
    `UPDATE task_spawn_log AS t
        SET request = coalesce(request, $2), unanswered_posts = unanswered_posts + 1, attempts = attempts + 1
      WHERE idempotency_key = $1 AND status = 'pending' AND ${IS_LIVE} AND (NOT $3 OR leased_until > clock_timestamp())
      RETURNING request, unanswered_posts - 1 AS unanswered`,
    [idempotencyKey, request, leased],
  );
  return rows[0] ?? null;
}

/** A comment is due on that open task; it is decided once, whatever is open later. */
export async function recordDuplicateOf(db: Queryable, idempotencyKey: string, ref: string): Promise<void> {
  await db.query('UPDATE task_spawn_log SET duplicate_of = $2 WHERE idempotency_key = $1', [
    idempotencyKey,
    ref,
  ]);
}

/** The final answer. Whether it is the first one: two processes may have sent the same key. */
export async function recordAnswer(
  db: Queryable,
  idempotencyKey: string,
  answer:
    | { status: 'created' | 'duplicate'; task_ref: string }
    | { status: 'failed'; last_error: JsonObject },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE task_spawn_log
        SET status = $2, task_ref = $3, last_error = $4, emitted_at = CASE WHEN $2 <> 'failed' THEN clock_timestamp() END,
            attempts = greatest(attempts, 1), leased_until = NULL, not_before = NULL
      WHERE idempotency_key = $1 AND (status = 'pending' OR (status = 'discarded' AND $2 <> 'failed'))`,
    [
      idempotencyKey,
      answer.status,
      'task_ref' in answer ? answer.task_ref : null,
      'last_error' in answer ? JSON.stringify(answer.last_error) : null,
    ],
  );
  return rowCount === 1;
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
