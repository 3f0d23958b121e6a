/** What metrics tell of the outbox, which is read at each scrape: a server that does not answer is not waited for. */
import type { Queryable } from './pool.ts';

// pg heeds query_timeout for each query; its types know it for the pool alone.
const bounded = (text: string) => ({ text, query_timeout: 3_000 });

export interface OutboxCounts {
  /** All specs that are not sent yet. */
  pending: number;
  /** Those of them whose run is over: nobody sends them unasked. */
  stranded: number;
}

// Both sides are partial indexes: what is over and done is not read.
export const OUTBOX_COUNTS = `SELECT count(*) AS pending, count(*) FILTER (WHERE r.run_id IS NULL) AS stranded
  FROM task_spawn_log t LEFT JOIN activity_runs r ON r.run_id = t.run_id AND r.status = 'running'
 WHERE t.status = 'pending'`;

export async function countOutbox(db: Queryable): Promise<OutboxCounts> {
  const { rows } = await db.query(bounded(OUTBOX_COUNTS));
  return rows[0];
}

// As the emission counts: from when its dispatch was decided, or resumed.
export const OLDEST_EMISSION = `SELECT extract(epoch FROM clock_timestamp() - d.prepared_at)::float8 AS seconds
  FROM dispatches d
 WHERE d.closed_at IS NULL AND d.prepared_at IS NOT NULL AND EXISTS (
   SELECT 1 FROM activity_runs r JOIN task_spawn_log t USING (run_id)
    WHERE r.dispatch_id = d.dispatch_id AND r.status = 'running' AND t.status = 'pending')
 ORDER BY d.prepared_at LIMIT 1`;

/** For how long the oldest of what is being sent has waited; 0 where nothing is. EMIT_GIVE_UP_HOURS ends it. */
export async function readOldestEmissionSeconds(db: Queryable): Promise<number> {
  const { rows } = await db.query(bounded(OLDEST_EMISSION));
  return Math.max(0, rows[0]?.seconds ?? 0);
}
