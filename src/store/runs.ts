/** `activity_runs`: one row for each (definition, trigger key), whatever workflow ran it. */
import type { RuleTrace, RunError } from '../core/decision.ts';
import type { Envelope } from '../core/envelope.ts';
import type { InstructionRecord } from '../core/instruction-record.ts';
import type { JsonObject } from '../core/json.ts';
import type { ReportRecord } from '../core/report.ts';
import { eventTriggerKey, type RunTriggerKind } from '../core/trigger.ts';
import type { DispatchMember } from './dispatches.ts';
import type { RecordedEvent } from './events.ts';
import type { Queryable } from './pool.ts';

export const RUN_STATUSES = ['running', 'completed', 'failed', 'missed'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** How a run starts: what is fixed about it before anything was decided. */
export interface NewRun {
  run_id: string;
  definition_id: string;
  definition_hash: string;
  trigger_key: string;
  origin_trigger_key: string;
  trigger_kind: RunTriggerKind;
  event_id: string | null;
  event_uid: string | null;
  /** W3C, of the event; null where there is none. */
  traceparent: string | null;
  requested_by: string | null;
  trigger_reason: string | null;
  event: Envelope | null;
  request_hash: string | null;
  retry_of: string | null;
  dispatch_id: string | null;
  sink_mode: 'audit' | 'live';
  sink_reason: string | null;
}

/** What no start knows unless it says so. The sink is decided when the run is. */
export const UNSAID = {
  event_id: null,
  event_uid: null,
  traceparent: null,
  requested_by: null,
  trigger_reason: null,
  event: null,
  request_hash: null,
  retry_of: null,
  sink_mode: 'audit',
  sink_reason: null,
} as const;

/** The run that an event triggers, before its sink is known. `event`: null where it is no longer stored. */
export function newEventRun(
  member: DispatchMember,
  event: RecordedEvent | null,
  dispatchId: string | null,
): NewRun {
  const triggerKey = eventTriggerKey(member.event_uid ?? '');
  return {
    ...UNSAID,
    run_id: member.run_id,
    definition_id: member.definition_id,
    definition_hash: member.definition_hash,
    trigger_key: triggerKey,
    origin_trigger_key: triggerKey,
    trigger_kind: 'event',
    event_id: event?.envelope.id ?? null,
    event_uid: member.event_uid,
    traceparent: event?.traceparent ?? null,
    dispatch_id: dispatchId,
  };
}

/** What `prepare` found. */
export interface RunResult {
  status: RunStatus;
  task_count: number;
  error: RunError | null;
  context: JsonObject | null;
  rules: RuleTrace[];
  review_required: boolean;
  instructions: InstructionRecord[];
  reports: ReportRecord[];
  /** Nothing is left to be done but its reports. */
  reporting: boolean;
  workflow_id: string | null;
  workflow_run_id: string | null;
}

/** What a run has that ended before it decided anything. */
export const NOTHING_DECIDED = {
  task_count: 0,
  context: null,
  rules: [],
  review_required: false,
  instructions: [],
  reports: [],
  reporting: false,
} satisfies Partial<RunResult>;

export type DecidedRun = NewRun & RunResult;

const NEW_COLUMNS = `run_id, definition_id, definition_hash, trigger_key, origin_trigger_key, trigger_kind, event_id, event_uid,
  traceparent, requested_by, trigger_reason, event, request_hash, retry_of, dispatch_id, sink_mode, sink_reason`;
const NEW_TYPES = `run_id uuid, definition_id text, definition_hash text, trigger_key text, origin_trigger_key text,
  trigger_kind text, event_id text, event_uid uuid, traceparent text, requested_by text, trigger_reason text, event jsonb,
  request_hash bytea, retry_of uuid, dispatch_id uuid, sink_mode text, sink_reason text`;
const RESULT_COLUMNS = `status, task_count, error, context, rules, review_required, instructions, reports, workflow_id,
  workflow_run_id`;
const RESULT_TYPES = `status text, task_count integer, error jsonb, context jsonb, rules jsonb, review_required boolean,
  instructions jsonb, reports jsonb, reporting boolean, workflow_id text, workflow_run_id text`;

export type NewRunningRun = NewRun & {
  scheduled_for?: string | null;
  workflow_id?: string;
  workflow_run_id?: string;
};

/** A run that waits for its workflow. Returns false where (definition, trigger key) has a run already. */
export async function insertRunningRun(db: Queryable, run: NewRunningRun): Promise<boolean> {
  return (await insertRunningRuns(db, [run])).size === 1;
}

/** The same for several, listed in this order afterwards. Returns the ids of those that had no run yet. */
export async function insertRunningRuns(db: Queryable, runs: NewRunningRun[]): Promise<Set<string>> {
  const { rows } = await db.query(
    `INSERT INTO activity_runs (${NEW_COLUMNS}, scheduled_for, status, workflow_id, workflow_run_id, started_at)
     SELECT ${NEW_COLUMNS}, scheduled_for, 'running', coalesce(workflow_id, dispatch_id::text), workflow_run_id,
            now() + position * interval '1 microsecond'
       FROM jsonb_to_recordset($1)
         AS t (${NEW_TYPES}, scheduled_for timestamptz, workflow_id text, workflow_run_id text, position integer)
     ON CONFLICT DO NOTHING RETURNING run_id`,
    [JSON.stringify(runs.map((run, position) => ({ ...run, position })))],
  );
  return new Set(rows.map((row) => row.run_id));
}

/** Commits decided runs and returns the ids of those that were not there before. Sorted, so that two attempts cannot deadlock. */
export async function insertDecidedRuns(db: Queryable, runs: DecidedRun[]): Promise<Set<string>> {
  // A microsecond apart, so that lists show them in the order of their events.
  const sorted = runs
    .map((run, position) => ({ ...run, position }))
    .sort((a, b) => (a.run_id < b.run_id ? -1 : 1));
  const { rows } = await db.query(
    `INSERT INTO activity_runs (${NEW_COLUMNS}, ${RESULT_COLUMNS}, started_at, finished_at, reporting_since)
     SELECT ${NEW_COLUMNS}, ${RESULT_COLUMNS}, at, CASE WHEN status <> 'running' THEN at END, CASE WHEN reporting THEN at END
       FROM jsonb_to_recordset($1) AS t (${NEW_TYPES}, ${RESULT_TYPES}, position integer),
            LATERAL (SELECT now() + position * interval '1 microsecond' AS at) AS clock
     ON CONFLICT DO NOTHING RETURNING run_id`,
    [JSON.stringify(sorted)],
  );
  return new Set(rows.map((row) => row.run_id));
}

/** Writes what was decided of a run whose row stood as `running`, which it stays while it emits; one that ended otherwise meanwhile is left alone. Returns the seconds since it started, null where it was left alone. */
export async function finishRun(db: Queryable, result: DecidedRun): Promise<number | null> {
  const { rows } = await db.query(
    `UPDATE activity_runs
        SET status = $2, task_count = $3, error = $4, context = $5, rules = $6, workflow_id = $7, workflow_run_id = $8,
            sink_mode = $9, sink_reason = $10, finished_at = CASE WHEN $2 <> 'running' THEN now() END,
            review_required = $11, instructions = $12, reports = $13, reporting_since = CASE WHEN $14 THEN now() END
      WHERE run_id = $1 AND status = 'running'
      RETURNING extract(epoch FROM now() - started_at)::float8 AS seconds`,
    [
      result.run_id,
      result.status,
      result.task_count,
      result.error && JSON.stringify(result.error),
      result.context && JSON.stringify(result.context),
      JSON.stringify(result.rules),
      result.workflow_id,
      result.workflow_run_id,
      result.sink_mode,
      result.sink_reason,
      result.review_required,
      JSON.stringify(result.instructions),
      JSON.stringify(result.reports),
      result.reporting,
    ],
  );
  return rows[0]?.seconds ?? null;
}

export type RunOfDefinition = Pick<NewRun, 'run_id' | 'definition_id' | 'event_uid'>;

/** Fails what a closed workflow left `running`, and unpins its contexts. Returns them. */
export async function failRunningRuns(
  db: Queryable,
  dispatchId: string,
  error: RunError,
): Promise<RunOfDefinition[]> {
  const { rows } = await db.query(
    `WITH failed AS (
       UPDATE activity_runs SET status = 'failed', error = $2, finished_at = now()
        WHERE dispatch_id = $1 AND status = 'running' RETURNING run_id, definition_id, event_uid),
     unpinned AS (DELETE FROM pinned_contexts USING failed WHERE pinned_contexts.run_id = failed.run_id)
     SELECT run_id, definition_id, event_uid FROM failed`,
    [dispatchId, JSON.stringify(error)],
  );
  return rows;
}

export type StandingRun = NewRun & { status: RunStatus; scheduled_for: string | null; started_at: string };

/** The rows of a dispatch that exist: `prepare` runs again only what is missing or still `running`. */
export async function readRunsForPrepare(db: Queryable, runIds: string[]): Promise<Map<string, StandingRun>> {
  if (runIds.length === 0) return new Map();
  const { rows } = await db.query(
    `SELECT ${NEW_COLUMNS}, status, scheduled_for, started_at FROM activity_runs WHERE run_id = ANY ($1)`,
    [runIds],
  );
  return new Map(rows.map((row) => [row.run_id, row]));
}

export async function findRunByTriggerKey(
  db: Queryable,
  definitionId: string,
  triggerKey: string,
): Promise<{ run_id: string; workflow_id: string | null; request_hash: Buffer | null } | null> {
  const { rows } = await db.query(
    'SELECT run_id, workflow_id, request_hash FROM activity_runs WHERE definition_id = $1 AND trigger_key = $2',
    [definitionId, triggerKey],
  );
  return rows[0] ?? null;
}

/** The number of a run's newest retry, 0 without one; not their count, which retention lowers. */
export async function lastRetryNumber(db: Queryable, runId: string): Promise<number> {
  const { rows } = await db.query(
    "SELECT coalesce(max(split_part(trigger_key, '#', 2)::integer), 0) AS n FROM activity_runs WHERE retry_of = $1",
    [runId],
  );
  return rows[0].n;
}

/** One retry of a chain at a time, until the transaction ends. */
export async function lockChain(
  db: Queryable,
  definitionId: string,
  originTriggerKey: string,
): Promise<void> {
  await db.query(
    // Not the first run's row: retention may have removed it.
    'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))',
    [`retry ${definitionId} ${originTriggerKey}`],
  );
}

/** Keeps the run, and with it its chain, from being deleted for its age until the transaction ends. False where it is gone. */
export async function holdRun(db: Queryable, runId: string): Promise<boolean> {
  const { rows } = await db.query('SELECT 1 FROM activity_runs WHERE run_id = $1 FOR KEY SHARE', [runId]);
  return rows.length > 0;
}

/** The run of a chain of retries that is not over yet, or that has succeeded: then there is nothing left to retry. */
export async function findUnfailedOfChain(
  db: Queryable,
  definitionId: string,
  originTriggerKey: string,
): Promise<{ run_id: string; status: RunStatus } | null> {
  const { rows } = await db.query(
    `SELECT run_id, status FROM activity_runs
      WHERE retry_of IS NOT NULL AND status <> 'failed' AND definition_id = $1 AND origin_trigger_key = $2 LIMIT 1`,
    [definitionId, originTriggerKey],
  );
  return rows[0] ?? null;
}

/** A run of the chain that is at work, the first one included. */
export async function findRunningOfChain(
  db: Queryable,
  definitionId: string,
  originTriggerKey: string,
): Promise<string | null> {
  const { rows } = await db.query(
    `SELECT run_id FROM activity_runs
      WHERE definition_id = $1 AND status = 'running'
        AND (trigger_key = $2 OR (retry_of IS NOT NULL AND origin_trigger_key = $2)) LIMIT 1`,
    [definitionId, originTriggerKey],
  );
  return rows[0]?.run_id ?? null;
}

/** Why a report is not filed any more. */
const DROPPED = { status: 'dropped', error: 'a retry of this run has reported' };

/**
 * Runs that are over, and whose pending specs are to be sent after all; where a retry of the chain has done the rest, their
 * pending reports are dropped. Whoever calls this holds the locks of their chains.
 */
export async function reopenRuns(
  db: Queryable,
  runIds: readonly string[],
  dispatchId: string,
): Promise<void> {
  await db.query(
    `UPDATE activity_runs AS r
        SET status = 'running', sink_mode = 'live', sink_reason = NULL, error = NULL, finished_at = NULL, dispatch_id = $2,
            reporting_since = NULL,
            reports = CASE WHEN EXISTS (SELECT 1 FROM activity_runs o
                                         WHERE o.definition_id = r.definition_id AND o.retry_of IS NOT NULL
                                           AND o.origin_trigger_key = r.origin_trigger_key AND o.status = 'completed')
                           THEN (SELECT coalesce(jsonb_agg(CASE WHEN one->>'status' = 'pending' THEN one || $3 ELSE one END
                                                           ORDER BY position), '[]')
                                   FROM jsonb_array_elements(r.reports) WITH ORDINALITY AS t (one, position))
                           ELSE r.reports END
      WHERE run_id = ANY ($1) AND status <> 'running'`,
    [runIds, dispatchId, JSON.stringify(DROPPED)],
  );
}
