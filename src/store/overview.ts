/** What an operator looks at first: counts that stop at a bound, and the few rows that wait or were refused, without their bytes. */
import type { QuarantineReason, Violation } from '../core/envelope.ts';
import type { JsonObject } from '../core/json.ts';
import type { Queryable } from './pool.ts';
import { RUN_KIND, TRIGGER_KINDS } from './run-views.ts';
import type { RunStatus } from './runs.ts';

/** No count reads more rows than this, however many there are. */
export const MOST_COUNTED = 1_000;

/** Each at most MOST_COUNTED, which then says as many or more. */
export interface OperatorCounts {
  open_dispatches: number;
  running_runs: number;
  /** Ended so, whenever they began; without those of which a retry completed since. */
  failed_runs_24h: number;
  held_events: number;
  quarantine_open: number;
  outbox_pending: number;
  /** Of the pending specs that have waited longest, those whose run is over: nobody sends them unasked. */
  outbox_stopped: number;
  /** Missed or overlapped. */
  ticks_not_run_24h: number;
}

export interface Glance {
  /** PostgreSQL's clock. */
  as_of: string;
  last_event_at: string | null;
  counts: OperatorCounts;
  /** When the dispatch was made that is open for longest, of those that are counted. */
  oldest_dispatch_at: string | null;
  /** When the spec was made that a running run has been trying to send for longest. */
  oldest_unsent_at: string | null;
  /** The newest of those that `failed_runs_24h` counts, by their end. */
  failed_run_ids: string[];
}

/** A spec that waits to be sent, with the state of its run: once that is over, nobody sends it unasked. */
export interface WaitingTask {
  idempotency_key: string;
  run_id: string;
  run_status: RunStatus;
  definition_id: string;
  rule_id: string;
  title: string;
  attempts: number;
  last_error: JsonObject | null;
  created_at: string;
}

export interface Refusal {
  id: string;
  event_id: string | null;
  received_at: string;
  subject: string;
  reason: QuarantineReason;
  size: number;
  /** The first few. */
  violations: Violation[];
  violation_count: number;
}

const VIOLATIONS_SHOWN = 3;
const FAILED_NAMED = 10;

const counted = (name: string, from: string) =>
  `(SELECT count(*) FROM (SELECT 1 FROM ${from} LIMIT ${MOST_COUNTED}) AS few) AS ${name}`;

const newestOf = (fate: string) =>
  `(SELECT received_at FROM events WHERE fate = '${fate}' ORDER BY received_at DESC LIMIT 1)`;

/** Which run mended this one. A subquery for each row: as a join it could read the whole table. */
const mendedBy = (run: string) => `(SELECT n.run_id FROM activity_runs n
  WHERE n.definition_id = ${run}.definition_id AND n.origin_trigger_key = ${run}.origin_trigger_key
    AND n.retry_of IS NOT NULL AND n.status = 'completed' AND n.finished_at > ${run}.finished_at LIMIT 1)`;

const FAILED_KINDS = TRIGGER_KINDS.map((kind) => `'${kind} failed'`).join(', ');

/**
 * Read by their beginning, which has an index: the newest of a week. One that ended later than that after it began gave up
 * sending: its specs are counted as stopped.
 */
const FAILED = `SELECT r.run_id, r.finished_at
  FROM unnest(ARRAY[${FAILED_KINDS}]) AS k (kind),
       LATERAL (SELECT run_id, definition_id, origin_trigger_key, finished_at FROM activity_runs
                 WHERE ${RUN_KIND} = k.kind AND started_at > now() - interval '7 days'
                 ORDER BY started_at DESC LIMIT ${MOST_COUNTED}) AS r
 WHERE r.finished_at > now() - interval '24 hours' AND ${mendedBy('r')} IS NULL
 LIMIT ${MOST_COUNTED}`;

/** The column as task_spawn_log_by_status has it. */
const longestWaiting = (columns: string, limit: number | string) =>
  `SELECT ${columns} FROM task_spawn_log WHERE (status || '') = 'pending' ORDER BY created_at LIMIT ${limit}`;

const ticksOf = (outcome: string) =>
  `(SELECT 1 FROM schedule_ticks
     WHERE outcome = '${outcome}' AND scheduled_for > now() - interval '24 hours' LIMIT ${MOST_COUNTED})`;

const GLANCE = `WITH failed AS MATERIALIZED (${FAILED}),
  outbox AS MATERIALIZED (
    SELECT created_at, (SELECT r.status FROM activity_runs r WHERE r.run_id = t.run_id) AS run_status
      FROM (${longestWaiting('run_id, created_at', MOST_COUNTED)}) AS t),
  open AS MATERIALIZED (SELECT created_at FROM dispatches WHERE closed_at IS NULL LIMIT ${MOST_COUNTED})
  SELECT clock_timestamp() AS as_of,
    greatest(${newestOf('accepted')}, ${newestOf('unmatched')}) AS last_event_at,
    (SELECT min(created_at) FROM open) AS oldest_dispatch_at,
    (SELECT min(created_at) FROM outbox WHERE run_status = 'running') AS oldest_unsent_at,
    ARRAY(SELECT run_id FROM failed ORDER BY finished_at DESC LIMIT ${FAILED_NAMED}) AS failed_run_ids,
    (SELECT count(*) FROM open) AS open_dispatches,
    ${counted('running_runs', "activity_runs WHERE status = 'running'")},
    (SELECT count(*) FROM failed) AS failed_runs_24h,
    ${counted('held_events', "event_decisions WHERE outcome = 'held'")},
    ${counted('quarantine_open', "quarantined_events WHERE state = 'open'")},
    (SELECT count(*) FROM outbox) AS outbox_pending,
    (SELECT count(*) FROM outbox WHERE run_status <> 'running') AS outbox_stopped,
    ${counted('ticks_not_run_24h', `(${ticksOf('missed')} UNION ALL ${ticksOf('overlapped')}) AS not_run`)}`;

export async function readGlance(db: Queryable): Promise<Glance> {
  const { rows } = await db.query(GLANCE);
  const { as_of, last_event_at, oldest_dispatch_at, oldest_unsent_at, failed_run_ids, ...counts } = rows[0];
  return { as_of, last_event_at, oldest_dispatch_at, oldest_unsent_at, failed_run_ids, counts };
}

/** Which completed retry mended each of these runs; the others are not in it. */
export async function readMended(db: Queryable, runIds: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await db.query(
    `SELECT run_id, mended_by
       FROM (SELECT r.run_id, ${mendedBy('r')} AS mended_by FROM activity_runs r WHERE r.run_id = ANY ($1)) AS runs
      WHERE mended_by IS NOT NULL`,
    [runIds],
  );
  return new Map(rows.map(({ run_id, mended_by }) => [run_id, mended_by]));
}

/** Those that have waited longest. */
export async function listWaitingTasks(db: Queryable, limit: number): Promise<WaitingTask[]> {
  const { rows } = await db.query(
    `SELECT t.idempotency_key, t.run_id, r.status AS run_status, t.definition_id, t.rule_id, t.spec->>'title' AS title,
            t.attempts, t.last_error, t.created_at
       FROM (${longestWaiting('*', '$1')}) AS t
       JOIN activity_runs r USING (run_id)
      ORDER BY t.created_at, t.idempotency_key`,
    [limit],
  );
  return rows;
}

/** What is open, newest first. */
export async function listRefusals(db: Queryable, limit: number): Promise<Refusal[]> {
  const { rows } = await db.query(
    `SELECT id, event_id, received_at, subject, reason, size, jsonb_array_length(violations) AS violation_count,
            jsonb_path_query_array(violations, '$[0 to ${VIOLATIONS_SHOWN - 1}]') AS violations
       FROM quarantined_events WHERE state = 'open' ORDER BY received_at DESC LIMIT $1`,
    [limit],
  );
  return rows;
}
