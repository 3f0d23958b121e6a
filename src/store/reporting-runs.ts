/** Runs of which nothing is left to be done but their reports: `running`, with `reporting_since`. */
import type { RunError } from '../core/decision.ts';
import type { JsonObject } from '../core/json.ts';
import type { ReportRecord } from '../core/report.ts';
import type { Queryable } from './pool.ts';

/** In JSON, PostgreSQL would write a time in UTC with `+00:00` at its end. */
const NOW = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

export interface ReportingRun {
  run_id: string;
  definition_id: string;
  definition_hash: string;
  scheduled_for: string | null;
  workflow_id: string | null;
  review_required: boolean;
  started_at: string;
  task_count: number;
  /** By instruction id. */
  outputs: JsonObject;
  reports: ReportRecord[];
  /** PostgreSQL's clock. */
  now: string;
}

export async function hasReportingRuns(db: Queryable, dispatchId: string): Promise<boolean> {
  const { rows } = await db.query(
    `SELECT 1 FROM activity_runs
      WHERE dispatch_id = $1 AND status = 'running' AND reporting_since IS NOT NULL LIMIT 1`,
    [dispatchId],
  );
  return rows.length > 0;
}

export async function listReportingRuns(db: Queryable, dispatchId: string): Promise<ReportingRun[]> {
  const { rows } = await db.query(
    `SELECT run_id, definition_id, definition_hash, scheduled_for, workflow_id, review_required, started_at, task_count,
            (SELECT coalesce(jsonb_object_agg(one->>'instruction_id', one->'output'), '{}')
               FROM jsonb_array_elements(instructions) AS one) AS outputs,
            reports, now() AS now
       FROM activity_runs
      WHERE dispatch_id = $1 AND status = 'running' AND reporting_since IS NOT NULL ORDER BY run_id`,
    [dispatchId],
  );
  return rows;
}

/** What became of one attempt to file a report. The times are PostgreSQL's. */
export type TriedReport = Omit<ReportRecord, 'filed_at' | 'failing_since'>;

/** What another attempt has written stays, but for a failure, which gives way to what was filed after all. */
export async function writeReport(
  db: Queryable,
  runId: string,
  position: number,
  record: TriedReport,
): Promise<void> {
  await db.query(
    `UPDATE activity_runs
        SET reports = jsonb_set(reports, ARRAY[$2::text], $3::jsonb || jsonb_build_object(
              'filed_at', CASE WHEN $4 THEN ${NOW} END,
              'failing_since', CASE WHEN NOT $4 THEN coalesce(reports #>> ARRAY[$2::text, 'failing_since'], ${NOW}) END))
      WHERE run_id = $1 AND status = 'running'
        AND (reports #>> ARRAY[$2::text, 'status'] = 'pending'
             OR ($4 AND reports #>> ARRAY[$2::text, 'status'] = 'failed'))`,
    [runId, position, JSON.stringify(record), record.status === 'filed'],
  );
}

/** Returns the seconds since it started, null where it ended otherwise meanwhile. */
export async function endReportingRun(
  db: Queryable,
  { runId, dispatchId, error }: { runId: string; dispatchId: string; error: RunError | null },
): Promise<number | null> {
  const { rows } = await db.query(
    `UPDATE activity_runs
        SET status = CASE WHEN $3::jsonb IS NULL THEN 'completed' ELSE 'failed' END, error = $3, finished_at = clock_timestamp()
      WHERE run_id = $1 AND dispatch_id = $2 AND status = 'running' AND reporting_since IS NOT NULL
      RETURNING extract(epoch FROM clock_timestamp() - started_at)::float8 AS seconds`,
    [runId, dispatchId, error && JSON.stringify(error)],
  );
  return rows[0]?.seconds ?? null;
}
