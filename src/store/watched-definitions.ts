/** `watched_definitions`: since when each enabled definition is watched, and when it last completed a run. */
import type { Queryable } from './pool.ts';

/** Of a definition that is declared now and enabled; it may be paused. */
export interface Expectation {
  definition_id: string;
  /** As declared, like `26h`. */
  run_every: string;
  breached: boolean;
}

export async function listExpectations(db: Queryable): Promise<Expectation[]> {
  const { rows } = await db.query(
    `SELECT d.definition_id, d.document #>> '{expect,run_every}' AS run_every, b.breach_id IS NOT NULL AS breached
       FROM activity_definitions d
       LEFT JOIN expectation_breaches b ON b.definition_id = d.definition_id AND b.healed_at IS NULL
      WHERE d.is_current AND d.enabled AND d.document #>> '{expect,run_every}' IS NOT NULL
      ORDER BY d.definition_id`,
  );
  return rows;
}

/** What is enabled and was not watched yet, with an expectation or without: one that is declared later is counted from here too. */
export async function watchEnabled(db: Queryable): Promise<void> {
  await db.query(
    `INSERT INTO watched_definitions (definition_id, enabled_since)
     SELECT definition_id, applied_at FROM activity_definitions WHERE is_current AND enabled ORDER BY definition_id
     ON CONFLICT DO NOTHING`,
  );
}

/** What is disabled or no longer declared: enabled again, it starts anew. */
export async function forgetNotEnabled(db: Queryable): Promise<void> {
  await db.query(
    `DELETE FROM watched_definitions w
      WHERE NOT EXISTS (SELECT 1 FROM activity_definitions d
                         WHERE d.definition_id = w.definition_id AND d.is_current AND d.enabled)`,
  );
}

/** Its newest completed run, and a break that came and went unseen: a disabled revision that is younger than the watch. */
export async function refreshWatched(db: Queryable, definitionId: string): Promise<void> {
  await db.query(
    `UPDATE watched_definitions w
        SET enabled_since = CASE WHEN seen.disabled_at > w.enabled_since THEN seen.enabled_at ELSE w.enabled_since END,
            last_completed_at = greatest(w.last_completed_at, seen.completed_at)
       FROM (SELECT disabled_at,
                    (SELECT min(applied_at) FROM activity_definitions
                      WHERE definition_id = $1 AND enabled AND applied_at > disabled_at) AS enabled_at,
                    (SELECT max(finished_at) FROM activity_runs
                      WHERE definition_id = $1 AND status = 'completed') AS completed_at
               FROM (SELECT max(applied_at) AS disabled_at FROM activity_definitions
                      WHERE definition_id = $1 AND NOT enabled) AS disabled) AS seen
      WHERE w.definition_id = $1
        AND (seen.completed_at > coalesce(w.last_completed_at, '-infinity')
             OR seen.disabled_at > w.enabled_since AND seen.enabled_at IS NOT NULL)`,
    [definitionId],
  );
}
