/** Runs as contract 5 shows them. */
import type { RuleTrace, RunError } from '../core/decision.ts';
import type { InstructionRecord } from '../core/instruction-record.ts';
import type { JsonObject } from '../core/json.ts';
import type { ReportRecord } from '../core/report.ts';
import { type Condition, type Page, type PageRequest, readPage } from './page.ts';
import type { Queryable } from './pool.ts';
import { RUN_STATUSES, type RunStatus } from './runs.ts';

export const TRIGGER_KINDS = ['event', 'schedule', 'manual', 'retry'] as const;

interface RunRow {
  run_id: string;
  definition_id: string;
  definition_hash: string;
  trigger_kind: (typeof TRIGGER_KINDS)[number];
  event_id: string | null;
  event_uid: string | null;
  traceparent: string | null;
  scheduled_for: string | null;
  requested_by: string | null;
  trigger_reason: string | null;
  status: RunStatus;
  task_count: number;
  sink_mode: 'audit' | 'live';
  sink_reason: string | null;
  review_required: boolean;
  retry_of: string | null;
  workflow_id: string | null;
  workflow_run_id: string | null;
  started_at: string;
  finished_at: string | null;
  error: RunError | null;
}

export interface RunView {
  run_id: string;
  definition_id: string;
  definition_hash: string;
  trigger: JsonObject & { kind: RunRow['trigger_kind'] };
  status: RunStatus;
  task_count: number;
  sink_mode: 'audit' | 'live';
  sink_reason: string | null;
  review_required: boolean;
  retry_of: string | null;
  /** W3C, of the event that triggered it. */
  traceparent: string | null;
  temporal: { workflow_id: string; run_id: string | null } | null;
  started_at: string;
  finished_at: string | null;
  error: RunError | null;
}

export interface RunDetail extends RunView {
  context: JsonObject | null;
  rules: RuleTrace[];
  instructions: InstructionRecord[];
  reports: ReportRecord[];
}

const COLUMNS = `run_id, definition_id, definition_hash, trigger_kind, event_id, event_uid, traceparent, scheduled_for,
  requested_by, trigger_reason, status, task_count, sink_mode, sink_reason, review_required, retry_of, workflow_id, workflow_run_id,
  started_at, finished_at, error`;

export interface RunFilter {
  definition_id?: string | undefined;
  status?: string | undefined;
  trigger?: string | undefined;
  event_id?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

export async function listRuns(
  db: Queryable,
  filter: RunFilter,
  request: PageRequest,
): Promise<Page<RunView>> {
  const page = await readPage<RunRow>(
    db,
    {
      select: `SELECT ${COLUMNS} FROM activity_runs`,
      time: 'started_at',
      key: 'run_id',
      where: [
        { sql: 'definition_id = ?', value: filter.definition_id },
        ...kindOfRun(filter),
        { sql: 'event_id = ?', value: filter.event_id },
        { sql: 'started_at >= ?', value: filter.since },
        { sql: 'started_at < ?', value: filter.until },
      ],
    },
    request,
  );
  return { items: page.items.map(toView), next_cursor: page.next_cursor };
}

/** Without those that are not there; in no order. */
export async function listRunsById(db: Queryable, runIds: readonly string[]): Promise<RunView[]> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM activity_runs WHERE run_id = ANY ($1)`, [runIds]);
  return rows.map(toView);
}

/** As the indexes have them: activity_runs_event, activity_runs_by_definition or activity_runs_by_trigger. */
function kindOfRun({ event_id, definition_id, trigger, status }: RunFilter): Condition[] {
  const few = event_id !== undefined;
  if (few || definition_id !== undefined)
    return [
      { sql: 'trigger_kind = ?', value: trigger, each: few ? undefined : TRIGGER_KINDS },
      { sql: 'status = ?', value: status, each: few ? undefined : RUN_STATUSES },
    ];
  const kinds = (trigger ? [trigger] : TRIGGER_KINDS).flatMap((kind) =>
    (status ? [status] : RUN_STATUSES).map((each) => `${kind} ${each}`),
  );
  return [{ sql: `${RUN_KIND} = ?`, value: undefined, each: kinds }];
}

/** Of activity_runs_by_trigger. */
export const RUN_KIND = "(trigger_kind || ' ' || status)";
export const RUN_KINDS = TRIGGER_KINDS.flatMap((kind) => RUN_STATUSES.map((status) => `${kind} ${status}`));

export async function findRun(db: Queryable, runId: string): Promise<RunDetail | null> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS}, context, rules, instructions, reports FROM activity_runs WHERE run_id = $1`,
    [runId],
  );
  const row = rows[0];
  if (!row) return null;
  return {
    ...toView(row),
    context: row.context,
    rules: row.rules,
    instructions: row.instructions,
    reports: row.reports,
  };
}

/** The newest run after this one in its chain of retries, which all have the same tasks; null where there is none. */
export async function findLaterRetry(
  db: Queryable,
  runId: string,
): Promise<{ run_id: string; status: RunStatus; started_at: string } | null> {
  const { rows } = await db.query(
    `SELECT later.run_id, later.status, later.started_at
       FROM activity_runs this JOIN activity_runs later USING (definition_id, origin_trigger_key)
      WHERE this.run_id = $1 AND later.retry_of IS NOT NULL AND later.started_at > this.started_at
      ORDER BY later.started_at DESC, later.run_id DESC LIMIT 1`,
    [runId],
  );
  return rows[0] ?? null;
}

/** The newest run of each of these definitions. */
export async function readLastRuns(
  db: Queryable,
  definitionIds: string[],
): Promise<Map<string, { run_id: string; status: RunStatus; started_at: string }>> {
  const { rows } = await db.query(
    // The newest of each trigger and status that a definition has, one step in the index for each.
    `WITH RECURSIVE newest AS (
       SELECT d.definition_id, r.*
         FROM unnest($1::text[]) AS d (definition_id), LATERAL (${newestOfNext('d.definition_id', '')}) AS r
       UNION ALL
       SELECT n.definition_id, r.*
         FROM newest n,
              LATERAL (${newestOfNext('n.definition_id', 'AND (trigger_kind, status) > (n.trigger_kind, n.status)')}) AS r)
     SELECT DISTINCT ON (definition_id) definition_id, run_id, status, started_at
       FROM newest ORDER BY definition_id, started_at DESC, run_id DESC`,
    [definitionIds],
  );
  return new Map(rows.map(({ definition_id, ...run }) => [definition_id, run]));
}

/** Of the first trigger and status after those before. The rows of one time are few, so their order costs nothing. */
const newestOfNext = (definitionId: string, after: string) =>
  `SELECT trigger_kind, status, started_at, run_id FROM activity_runs
    WHERE definition_id = ${definitionId} ${after}
    ORDER BY trigger_kind, status, started_at DESC FETCH FIRST 1 ROW WITH TIES`;

/** The runs for times between these, both included, whatever started them; of several for one time, the newest. */
export async function readRunsByTime(
  db: Queryable,
  definitionId: string,
  from: string,
  to: string,
): Promise<{ scheduled_for: string; run_id: string }[]> {
  const { rows } = await db.query(
    `SELECT DISTINCT ON (scheduled_for) scheduled_for, run_id FROM activity_runs
      WHERE definition_id = $1 AND scheduled_for BETWEEN $2 AND $3 AND status <> 'missed'
      ORDER BY scheduled_for, started_at DESC, run_id DESC`,
    [definitionId, from, to],
  );
  return rows;
}

function toView(row: RunRow): RunView {
  const trigger: RunView['trigger'] = { kind: row.trigger_kind };
  if (row.event_id) trigger.event_id = row.event_id;
  if (row.event_uid) trigger.event_uid = row.event_uid;
  if (row.scheduled_for) trigger.scheduled_for = row.scheduled_for;
  if (row.requested_by) trigger.requested_by = row.requested_by;
  if (row.trigger_reason) trigger.reason = row.trigger_reason;
  return {
    run_id: row.run_id,
    definition_id: row.definition_id,
    definition_hash: row.definition_hash,
    trigger,
    status: row.status,
    task_count: row.task_count,
    sink_mode: row.sink_mode,
    sink_reason: row.sink_reason,
    review_required: row.review_required,
    retry_of: row.retry_of,
    traceparent: row.traceparent,
    temporal: row.workflow_id ? { workflow_id: row.workflow_id, run_id: row.workflow_run_id } : null,
    started_at: row.started_at,
    finished_at: row.finished_at,
    error: row.error,
  };
}
