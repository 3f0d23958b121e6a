/** `watched_definitions`: since when each enabled definition is watched, and when it last completed a run. */
import type { Queryable } from './pool.ts';

/** Of a definition that is declared now and enabled; it may be paused. */
export interface Expectation {
  definition_id: string;
  /** As declared, like `26h`. */
  run_every: string;
  breached: boolean;
}

// pg heeds query_timeout for each query; its types know it for the pool alone.
const EXPECTATIONS = {
  text: `SELECT d.definition_id, d.document #>> '{expect,run_every}' AS run_every, b.breach_id IS NOT NULL AS breached
       FROM activity_definitions d
       LEFT JOIN expectation_breaches b ON b.definition_id = d.definition_id AND b.healed_at IS NULL
      WHERE d.is_current AND d.enabled AND d.document #>> '{expect,run_every}' IS NOT NULL
      ORDER BY d.definition_id`,
  query_timeout: 3_000,
};

/** For metrics too: a server that does not answer is not waited for. */
export async function listExpectations(db: Queryable): Promise<Expectation[]> {
  const { rows } = await db.query(EXPECTATIONS);
  return rows;
}

/** It is enabled from now on. One that was already stays watched since then, also with new content. */
export async function beginWatch(db: Queryable, definitionId: string): Promise<void> {
  await db.query(
    `INSERT INTO watched_definitions (definition_id, enabled_since) VALUES ($1, clock_timestamp())
     ON CONFLICT DO NOTHING`,
    [definitionId],
  );
}

/** They are disabled, or no longer declared: enabled again, each starts anew. */
export async function endWatches(db: Queryable, definitionIds: string[]): Promise<void> {
  await db.query('DELETE FROM watched_definitions WHERE definition_id = ANY ($1)', [definitionIds]);
}

/** Its newest completed run. */
export async function refreshWatched(db: Queryable, definitionId: string): Promise<void> {
  await db.query(
    `UPDATE watched_definitions w SET last_completed_at = seen.completed_at
       FROM (SELECT max(finished_at) AS completed_at FROM activity_runs
              WHERE definition_id = $1 AND status = 'completed') AS seen
      WHERE w.definition_id = $1 AND seen.completed_at > coalesce(w.last_completed_at, '-infinity')`,
    [definitionId],
  );
}
