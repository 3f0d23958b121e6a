/** Runs whose specs are being sent: `running`, `live`, in a dispatch that is prepared, and not at their reports yet. */
import type { RunError } from '../core/decision.ts';
import type { JsonObject } from '../core/json.ts';
import type { Queryable } from './pool.ts';

export interface EmittingRun {
  run_id: string;
  definition_id: string;
  definition_hash: string;
  pending: number;
  discarded: number;
  rejected: number;
  /** The first of them. */
  rejections: { idempotency_key: string; rule_id: string; title: string; last_error: JsonObject | null }[];
}

const REJECTIONS = 20;

export async function listEmittingRuns(db: Queryable, dispatchId: string): Promise<EmittingRun[]> {
  const { rows } = await db.query(
    `SELECT r.run_id, r.definition_id, r.definition_hash,
            count(*) FILTER (WHERE t.status = 'pending') AS pending,
            count(*) FILTER (WHERE t.status = 'discarded') AS discarded,
            count(*) FILTER (WHERE t.status = 'failed') AS rejected,
            (SELECT coalesce(jsonb_agg(f), '[]')
               FROM (SELECT idempotency_key, rule_id, spec->>'title' AS title, last_error FROM task_spawn_log
                      WHERE run_id = r.run_id AND status = 'failed'
                      ORDER BY created_at, idempotency_key LIMIT ${REJECTIONS}) AS f) AS rejections
       FROM activity_runs r LEFT JOIN task_spawn_log t USING (run_id)
      WHERE r.dispatch_id = $1 AND r.status = 'running' AND r.sink_mode = 'live' AND r.reporting_since IS NULL
      GROUP BY r.run_id ORDER BY r.run_id`,
    [dispatchId],
  );
  return rows;
}

/** A run that emitted, and how it ended. */
export interface EmittedRun {
  run_id: string;
  error: RunError | null;
}

/**
 * One that all went well with and that has reports goes on with those. One that ended otherwise meanwhile, or was resumed in
 * another dispatch, is left alone. Returns those that ended now, with the seconds since they started.
 */
export async function endEmittingRuns(
  db: Queryable,
  dispatchId: string,
  runs: EmittedRun[],
): Promise<Map<string, number>> {
  if (runs.length === 0) return new Map();
  const sorted = [...runs].sort((a, b) => (a.run_id < b.run_id ? -1 : 1));
  const { rows } = await db.query(
    `UPDATE activity_runs AS r
        SET status = CASE WHEN n.error IS NOT NULL THEN 'failed' WHEN r.reports = '[]' THEN 'completed' ELSE 'running' END,
            error = n.error,
            finished_at = CASE WHEN n.error IS NOT NULL OR r.reports = '[]' THEN clock_timestamp() END,
            reporting_since = CASE WHEN n.error IS NULL AND r.reports <> '[]' THEN clock_timestamp() END
       FROM jsonb_to_recordset($1) AS n (run_id uuid, error jsonb)
      WHERE r.run_id = n.run_id AND r.dispatch_id = $2 AND r.status = 'running' AND r.reporting_since IS NULL
      RETURNING r.run_id, r.status, extract(epoch FROM clock_timestamp() - r.started_at)::float8 AS seconds`,
    [JSON.stringify(sorted), dispatchId],
  );
  return new Map(rows.filter(({ status }) => status !== 'running').map((row) => [row.run_id, row.seconds]));
}
