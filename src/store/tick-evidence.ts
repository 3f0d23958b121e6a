/** `tick_evidence`: what was found out about a tick's run after it had ended. What was stored first stays. */
import type { RunError } from '../core/decision.ts';
import { contentSha256 } from '../core/document.ts';
import type { JsonObject } from '../core/json.ts';
import type { ReportRecord } from '../core/report.ts';
import type { Queryable } from './pool.ts';
import type { RunStatus } from './runs.ts';

export type EvidenceName = 'temporal_history' | 'activity_run' | 'state_hub_progress' | 'working_memory_note';

export interface EvidenceItem {
  ok: boolean;
  /** For people: what is there, or what is missing or disagrees. */
  detail: string;
  /** What was found, with hashes: Temporal's history is gone after its retention. */
  facts: JsonObject;
  /** Why it could not be looked at again when somebody asked; what is stored has none. */
  unchecked?: string;
}

export type Evidence = Record<EvidenceName, EvidenceItem>;

export interface TickEvidence {
  definition_id: string;
  scheduled_for: string;
  run_id: string;
  evidence: Evidence;
  evidence_hash: string;
}

/** SHA-256 of what was found and of which tick's run: a row that is copied to another tick is found out. */
export function evidenceHash({
  definition_id,
  scheduled_for,
  run_id,
  evidence,
}: Omit<TickEvidence, 'evidence_hash'>): string {
  const time = new Date(scheduled_for).toISOString();
  return contentSha256({ definition_id, scheduled_for: time, run_id, evidence });
}

/** False where some is stored already. */
export async function insertTickEvidence(db: Queryable, row: TickEvidence): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO tick_evidence (definition_id, scheduled_for, run_id, evidence, evidence_hash)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
    [row.definition_id, row.scheduled_for, row.run_id, JSON.stringify(row.evidence), row.evidence_hash],
  );
  return rowCount === 1;
}

/** A tick that fired, with the row of its run and the workflow that its schedule started. */
export interface TickRun {
  definition_id: string;
  scheduled_for: string;
  dispatch_id: string;
  /** How long ago its dispatch was made, and its run ended; null while it runs. By PostgreSQL's clock. */
  age_ms: number;
  ended_ms: number | null;
  /** Null where no schedule started its workflow. */
  scheduled_workflow_id: string | null;
  first_workflow_run_id: string | null;
  /** Evidence is stored. */
  is_collected: boolean;
  run: TickRunRow;
}

export interface TickRunRow {
  run_id: string;
  definition_id: string;
  definition_hash: string;
  trigger_key: string;
  scheduled_for: string | null;
  status: RunStatus;
  task_count: number;
  workflow_id: string | null;
  started_at: string;
  finished_at: string | null;
  error: RunError | null;
  reports: ReportRecord[];
}

/** Of the dispatch that a tick made; null where it is no tick's: by hand, by an event, or too late to do any work. */
export async function findTickRun(db: Queryable, dispatchId: string): Promise<TickRun | null> {
  const { rows } = await db.query(
    `SELECT t.definition_id, t.scheduled_for, d.dispatch_id,
            d.workflow_id AS scheduled_workflow_id, d.first_workflow_run_id,
            extract(epoch FROM clock_timestamp() - d.created_at)::float8 * 1000 AS age_ms,
            extract(epoch FROM clock_timestamp() - r.finished_at)::float8 * 1000 AS ended_ms,
            e.run_id IS NOT NULL AS is_collected,
            r.run_id, r.definition_hash, r.trigger_key, r.scheduled_for AS run_scheduled_for, r.status, r.task_count,
            r.workflow_id, r.started_at, r.finished_at, r.error, r.reports
       FROM dispatches d
       JOIN activity_runs r ON r.run_id = d.run_ids[1] AND r.trigger_kind = 'schedule'
       JOIN schedule_ticks t ON t.definition_id = r.definition_id AND t.scheduled_for = r.scheduled_for
                            AND t.run_id = r.run_id AND t.outcome = 'fired'
       LEFT JOIN tick_evidence e ON e.definition_id = t.definition_id AND e.scheduled_for = t.scheduled_for
      WHERE d.dispatch_id = $1`,
    [dispatchId],
  );
  const row = rows[0];
  if (!row) return null;
  const { definition_id, scheduled_for, dispatch_id, age_ms, ended_ms, is_collected } = row;
  const { scheduled_workflow_id, first_workflow_run_id } = row;
  const { run_id, definition_hash, trigger_key, status, task_count, workflow_id } = row;
  const { started_at, finished_at, error, reports, run_scheduled_for } = row;
  return {
    ...{ definition_id, scheduled_for, dispatch_id, age_ms, ended_ms, is_collected },
    ...{ scheduled_workflow_id, first_workflow_run_id },
    run: {
      ...{ run_id, definition_id, definition_hash, trigger_key, scheduled_for: run_scheduled_for },
      ...{ status, task_count, workflow_id, started_at, finished_at, error, reports },
    },
  };
}
