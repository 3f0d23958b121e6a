/** `run_feedback`: what people say of runs that are over. All of it is kept; of a run's, the newest counts. */
import type { Queryable } from './pool.ts';

export type FeedbackVerdict = 'useful' | 'noisy' | 'wrong';

export interface NewFeedback {
  verdict: FeedbackVerdict;
  note: string | null;
  requested_by: string;
  /** False where there is no State Hub: it is never posted then. */
  for_state_hub: boolean;
}

export interface Feedback {
  run_id: string;
  definition_id: string;
  definition_hash: string;
  /** Null where the run was no tick's. */
  scheduled_for: string | null;
  verdict: FeedbackVerdict;
  note: string | null;
  requested_by: string;
  at: string;
  state_hub: 'not_configured' | 'pending' | 'posted';
}

export interface UnpostedFeedback extends Feedback {
  feedback_id: number;
}

const COLUMNS = `run_id, definition_id, definition_hash, scheduled_for, verdict, note, requested_by, at,
  CASE WHEN NOT for_state_hub THEN 'not_configured' WHEN posted_at IS NULL THEN 'pending' ELSE 'posted' END AS state_hub`;

/** Null where there is no such run, or it is running. */
export async function insertFeedback(
  db: Queryable,
  runId: string,
  { verdict, note, requested_by, for_state_hub }: NewFeedback,
): Promise<Feedback | null> {
  // The lock puts what is said of one run at one moment in order, so that the newest is the same for everybody.
  const { rows } = await db.query(
    `WITH run AS (
       SELECT run_id, definition_id, definition_hash, scheduled_for FROM activity_runs
        WHERE run_id = $1 AND status <> 'running' FOR NO KEY UPDATE)
     INSERT INTO run_feedback (run_id, definition_id, definition_hash, scheduled_for, verdict, note, requested_by, for_state_hub, at)
     SELECT run_id, definition_id, definition_hash, scheduled_for, $2, $3, $4, $5, clock_timestamp() FROM run
     RETURNING ${COLUMNS}`,
    [runId, verdict, note, requested_by, for_state_hub],
  );
  return rows[0] ?? null;
}

/** Newest first. */
export async function listFeedbackOfRun(db: Queryable, runId: string): Promise<Feedback[]> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM run_feedback WHERE run_id = $1 ORDER BY feedback_id DESC`,
    [runId],
  );
  return rows;
}

/** The newest of each of these runs. */
export async function listNewestFeedback(
  db: Queryable,
  runIds: readonly string[],
): Promise<{ run_id: string; verdict: FeedbackVerdict; at: string }[]> {
  const { rows } = await db.query(
    `SELECT DISTINCT ON (run_id) run_id, verdict, at FROM run_feedback
      WHERE run_id = ANY ($1) ORDER BY run_id, feedback_id DESC`,
    [runIds],
  );
  return rows;
}

const isUnposted = (feedback: string) => `(${feedback}.for_state_hub AND ${feedback}.posted_at IS NULL)`;

/**
 * The next feedback that State Hub has not accepted, for this replica alone while the lease lasts. What was said of one run
 * comes in order; what failed before comes last, so that it stops no other. Null where there is none.
 */
export async function leaseUnpostedFeedback(
  db: Queryable,
  leaseSeconds: number,
): Promise<UnpostedFeedback | null> {
  const { rows } = await db.query(
    `UPDATE run_feedback
        SET leased_until = clock_timestamp() + $1 * interval '1 second'
      WHERE feedback_id = (SELECT f.feedback_id FROM run_feedback f
                            WHERE ${isUnposted('f')} AND coalesce(f.leased_until, '-infinity') <= clock_timestamp()
                              AND NOT EXISTS (SELECT 1 FROM run_feedback e
                                               WHERE e.run_id = f.run_id AND e.feedback_id < f.feedback_id
                                                 AND ${isUnposted('e')})
                            ORDER BY f.leased_until NULLS FIRST, f.feedback_id LIMIT 1 FOR UPDATE SKIP LOCKED)
     RETURNING feedback_id, ${COLUMNS}`,
    [leaseSeconds],
  );
  return rows[0] ?? null;
}

export async function markFeedbackPosted(db: Queryable, feedbackId: number): Promise<void> {
  await db.query(
    `UPDATE run_feedback SET posted_at = clock_timestamp(), leased_until = NULL
      WHERE feedback_id = $1 AND posted_at IS NULL`,
    [feedbackId],
  );
}

/** Whoever comes next may try again. */
export async function returnUnpostedFeedback(db: Queryable, feedbackId: number): Promise<void> {
  await db.query('UPDATE run_feedback SET leased_until = clock_timestamp() WHERE feedback_id = $1', [
    feedbackId,
  ]);
}
