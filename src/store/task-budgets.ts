/**
 * `task_budgets`: how many specs a definition may still make within limits.max_tasks_per_hour. Its row's lock puts the
 * commits of that definition in order, over all workers and replicas.
 * Order of locks: whoever takes the registry's lock takes it before this one.
 */
import type { Queryable } from './pool.ts';

export interface Budget {
  /** Why nothing more goes through until the definition is resumed; null while it has not crossed its limit. */
  exceeded_reason: string | null;
  /** Specs made in the last hour, or since the last resume that came after the limit was crossed. */
  specs: number;
  /** When that resume was, where it is within this hour. */
  counted_from: string | null;
}

/** Until the transaction ends; made where they are missing. Sorted, so that two commits cannot deadlock. */
export async function lockBudgets(db: Queryable, definitionIds: string[]): Promise<Map<string, Budget>> {
  await db.query(
    // The update changes nothing: it locks the row, also one that another transaction is making at this moment.
    `INSERT INTO task_budgets AS b (definition_id) SELECT id FROM unnest($1::text[]) AS id ORDER BY id
     ON CONFLICT (definition_id) DO UPDATE SET counted_from = b.counted_from`,
    [definitionIds],
  );
  // A statement of its own: it sees what those committed who held the locks before.
  const { rows } = await db.query(
    `SELECT b.definition_id, b.exceeded_reason, hour.counted_from,
            (SELECT count(*) FROM task_spawn_log t
              WHERE t.definition_id = b.definition_id
                AND t.created_at > coalesce(hour.counted_from, hour.began_at)) AS specs
       FROM task_budgets b,
            LATERAL (SELECT began_at, CASE WHEN b.counted_from > began_at THEN b.counted_from END AS counted_from
                       FROM (SELECT statement_timestamp() - interval '60 minutes' AS began_at) AS now) AS hour
      WHERE b.definition_id = ANY ($1)`,
    [definitionIds],
  );
  return new Map(rows.map(({ definition_id, ...budget }) => [definition_id, budget]));
}

/** Which of these specs are there already: a retry moves them to another run, and they count no second time. */
export async function listKnownSpecs(db: Queryable, idempotencyKeys: string[]): Promise<Set<string>> {
  if (idempotencyKeys.length === 0) return new Set();
  const { rows } = await db.query(
    'SELECT idempotency_key FROM task_spawn_log WHERE idempotency_key = ANY ($1)',
    [idempotencyKeys],
  );
  return new Set(rows.map((row) => row.idempotency_key));
}

export async function markExceeded(db: Queryable, definitionId: string, reason: string): Promise<void> {
  await db.query(
    'UPDATE task_budgets SET exceeded_at = clock_timestamp(), exceeded_reason = $2 WHERE definition_id = $1',
    [definitionId, reason],
  );
}

/** Null where the limit is not crossed, or the definition was resumed since. */
export async function readExceededReason(db: Queryable, definitionId: string): Promise<string | null> {
  const { rows } = await db.query('SELECT exceeded_reason FROM task_budgets WHERE definition_id = $1', [
    definitionId,
  ]);
  return rows[0]?.exceeded_reason ?? null;
}

/** A budget that was exceeded starts again at nothing. Waits for the commits that hold events because of it. */
export async function renewBudget(db: Queryable, definitionId: string): Promise<void> {
  // An update alone would pass over a row whose limit is being crossed at this moment.
  await db.query('SELECT 1 FROM task_budgets WHERE definition_id = $1 FOR UPDATE', [definitionId]);
  await db.query(
    `UPDATE task_budgets SET counted_from = clock_timestamp(), exceeded_at = NULL, exceeded_reason = NULL
      WHERE definition_id = $1 AND exceeded_at IS NOT NULL`,
    [definitionId],
  );
}

/** Those that have crossed their limit and are not paused yet. */
export async function listExceededWithoutPause(db: Queryable): Promise<string[]> {
  const { rows } = await db.query(
    `SELECT definition_id FROM task_budgets b
      WHERE exceeded_at IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM definition_pauses p WHERE p.definition_id = b.definition_id)
      ORDER BY 1`,
  );
  return rows.map((row) => row.definition_id);
}
