/** What else goes by its age: one statement a table, at most `limit` rows a time. Each may be run again until it finds none. */
import type { Queryable } from './pool.ts';
import type { Cutoffs, DeletedRows } from './retention.ts';

/** Of each definition with a schedule; trust is asked for at most as many. */
const NEWEST_TICKS = 100;

/**
 * Ticks with an outcome, and their evidence. Of what still has a schedule, the newest stay, and the newest that a worker took
 * up, by which later ones are told from overlapped ones.
 */
export async function deleteExpiredTicks(
  db: Queryable,
  { rows: before }: Cutoffs,
  limit: number,
): Promise<DeletedRows> {
  const { rows } = await db.query(
    `WITH bounds AS MATERIALIZED (
       SELECT s.definition_id,
              (SELECT t.scheduled_for FROM schedule_ticks t
                WHERE t.definition_id = s.definition_id AND t.outcome IS NOT NULL
                ORDER BY t.scheduled_for DESC OFFSET ${NEWEST_TICKS - 1} LIMIT 1) AS oldest_kept,
              (SELECT max(t.scheduled_for) FROM schedule_ticks t
                WHERE t.definition_id = s.definition_id AND t.workflow_started_at IS NOT NULL) AS newest_admitted
         FROM schedules s),
     gone AS MATERIALIZED (
       SELECT t.definition_id, t.scheduled_for FROM schedule_ticks t LEFT JOIN bounds b USING (definition_id)
        WHERE t.scheduled_for < $1 AND t.deadline < $1 AND t.recorded_at < $1 AND t.outcome IS NOT NULL
          AND (b.definition_id IS NULL
               OR (t.scheduled_for < b.oldest_kept AND t.scheduled_for IS DISTINCT FROM b.newest_admitted))
          AND NOT EXISTS (SELECT 1 FROM activity_runs r
                           WHERE r.run_id = t.run_id AND (r.status = 'running' OR r.finished_at >= $1))
        ORDER BY t.scheduled_for, t.definition_id LIMIT $2 FOR UPDATE OF t SKIP LOCKED),
     evidence AS (DELETE FROM tick_evidence e USING gone
                   WHERE e.definition_id = gone.definition_id AND e.scheduled_for = gone.scheduled_for RETURNING 1),
     ticks AS (DELETE FROM schedule_ticks t USING gone
                WHERE t.definition_id = gone.definition_id AND t.scheduled_for = gone.scheduled_for RETURNING 1)
     SELECT (SELECT count(*) FROM ticks) AS schedule_ticks, (SELECT count(*) FROM evidence) AS tick_evidence`,
    [before, limit],
  );
  return rows[0];
}

/** Verdicts that do not count any more: there is a later one on the same content. */
export function deleteExpiredReviews(db: Queryable, cutoffs: Cutoffs, limit: number): Promise<DeletedRows> {
  return deleteWhere(db, { table: 'run_reviews', key: 'review_id', before: cutoffs.rows, limit }, [
    `reviewed_at < $1 AND EXISTS (
       SELECT 1 FROM run_reviews l WHERE l.definition_id = t.definition_id AND l.content_hash = t.content_hash
          AND l.review_id > t.review_id)`,
  ]);
}

/** A workflow that is reset later finds its dispatch missing, and runs nothing. */
export function deleteExpiredDispatches(
  db: Queryable,
  cutoffs: Cutoffs,
  limit: number,
): Promise<DeletedRows> {
  return deleteWhere(db, { table: 'dispatches', key: 'dispatch_id', before: cutoffs.rows, limit }, [
    'closed_at < $1',
  ]);
}

/** Those of runs that are over. One without a run is of a run that is not decided yet, unless nobody is to decide it. */
export function deleteExpiredPinnedContexts(
  db: Queryable,
  cutoffs: Cutoffs,
  limit: number,
): Promise<DeletedRows> {
  return deleteWhere(db, { table: 'pinned_contexts', key: 'run_id', before: cutoffs.rows, limit }, [
    'pinned_at < $1',
    `NOT EXISTS (SELECT 1 FROM activity_runs r WHERE r.run_id = t.run_id AND r.status = 'running')`,
    'NOT EXISTS (SELECT 1 FROM dispatches d WHERE d.closed_at IS NULL AND t.run_id = ANY (d.run_ids))',
  ]);
}

export function deleteExpiredQuarantine(
  db: Queryable,
  cutoffs: Cutoffs,
  limit: number,
): Promise<DeletedRows> {
  return deleteWhere(db, { table: 'quarantined_events', key: 'id', before: cutoffs.rows, limit }, [
    `state <> 'open' AND state_changed_at < $1`,
  ]);
}

/** So old a message is in no stream any more. How many there were stays in `quarantine_overflow`. */
export function deleteExpiredOverflow(db: Queryable, cutoffs: Cutoffs, limit: number): Promise<DeletedRows> {
  return deleteWhere(db, { table: 'quarantine_overflow_messages', key: 'id', before: cutoffs.rows, limit }, [
    'recorded_at < $1',
  ]);
}

/** Healed, and State Hub knows all of it. */
export function deleteExpiredBreaches(db: Queryable, cutoffs: Cutoffs, limit: number): Promise<DeletedRows> {
  return deleteWhere(db, { table: 'expectation_breaches', key: 'breach_id', before: cutoffs.rows, limit }, [
    'healed_at < $1',
    'NOT (for_state_hub AND (breach_posted_at IS NULL OR healing_posted_at IS NULL))',
  ]);
}

/** `conditions` know the row as `t`, and the time as $1. */
async function deleteWhere(
  db: Queryable,
  { table, key, before, limit }: { table: string; key: string; before: string; limit: number },
  conditions: string[],
): Promise<DeletedRows> {
  const { rowCount } = await db.query(
    `DELETE FROM ${table} WHERE ${key} IN (
       SELECT ${key} FROM ${table} AS t WHERE ${conditions.join(' AND ')} LIMIT $2 FOR UPDATE SKIP LOCKED)`,
    [before, limit],
  );
  return { [table]: rowCount ?? 0 };
}
