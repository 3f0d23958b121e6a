/** `dispatches.unanswered_since`: since when a dispatch of one run waits for somebody who does not answer, on PostgreSQL's clock. */
import type { Queryable } from './pool.ts';

/** The run that somebody did not answer. */
export interface UnansweredRun {
  run_id: string;
  definition_id: string;
  origin_trigger_key: string;
}

/**
 * For how many milliseconds nobody has answered. Who answered meanwhile, a source whose context was pinned or the model,
 * ended the wait before this one: it begins anew.
 */
export async function markUnanswered(
  db: Queryable,
  dispatchId: string,
  { run_id, definition_id, origin_trigger_key }: UnansweredRun,
): Promise<number> {
  const { rows } = await db.query(
    `UPDATE dispatches
        SET unanswered_since = CASE
              WHEN unanswered_since >= coalesce(
                     greatest((SELECT pinned_at FROM pinned_contexts WHERE run_id = $2),
                              (SELECT max(ended_at) FROM instruction_calls
                                WHERE definition_id = $3 AND origin_trigger_key = $4 AND run_id = $2
                                  AND outcome = 'accepted')), '-infinity')
              THEN unanswered_since ELSE now() END
      WHERE dispatch_id = $1
      RETURNING (extract(epoch FROM now() - unanswered_since) * 1000)::float8 AS waited_ms`,
    [dispatchId, run_id, definition_id, origin_trigger_key],
  );
  return rows[0]?.waited_ms ?? 0;
}
