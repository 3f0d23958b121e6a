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
  failed_runs_24h: number;
  held_events: number;
  quarantine_open: number;
  outbox_pending: number;
}

export interface Glance {
  /** PostgreSQL's clock. */
  as_of: string;
  last_event_at: string | null;
  counts: OperatorCounts;
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
  received_at: string;
  subject: string;
  reason: QuarantineReason;
  size: number;
  /** The first few. */
  violations: Violation[];
  violation_count: number;
}

const VIOLATIONS_SHOWN = 3;

const counted = (name: string, from: string) =>
  `(SELECT count(*) FROM (SELECT 1 FROM ${from} LIMIT ${MOST_COUNTED}) AS few) AS ${name}`;

const FAILED = TRIGGER_KINDS.map((kind) => `'${kind} failed'`).join(', ');
const newestOf = (fate: string) =>
  `(SELECT received_at FROM events WHERE fate = '${fate}' ORDER BY received_at DESC LIMIT 1)`;

const GLANCE = `SELECT clock_timestamp() AS as_of,
    greatest(${newestOf('accepted')}, ${newestOf('unmatched')}) AS last_event_at,
    ${counted('open_dispatches', 'dispatches WHERE closed_at IS NULL')},
    ${counted('running_runs', "activity_runs WHERE status = 'running'")},
    ${counted('failed_runs_24h', `activity_runs WHERE ${RUN_KIND} IN (${FAILED}) AND started_at > now() - interval '24 hours'`)},
    ${counted('held_events', "event_decisions WHERE outcome = 'held'")},
    ${counted('quarantine_open', "quarantined_events WHERE state = 'open'")},
    ${counted('outbox_pending', "task_spawn_log WHERE status = 'pending'")}`;

export async function readGlance(db: Queryable): Promise<Glance> {
  const { rows } = await db.query(GLANCE);
  const { as_of, last_event_at, ...counts } = rows[0];
  return { as_of, last_event_at, counts };
}

/** Those that have waited longest. */
export async function listWaitingTasks(db: Queryable, limit: number): Promise<WaitingTask[]> {
  const { rows } = await db.query(
    // The column as task_spawn_log_by_status has it.
    `SELECT t.idempotency_key, t.run_id, r.status AS run_status, t.definition_id, t.rule_id, t.spec->>'title' AS title,
            t.attempts, t.last_error, t.created_at
       FROM (SELECT * FROM task_spawn_log WHERE (status || '') = 'pending' ORDER BY created_at LIMIT $1) AS t
       JOIN activity_runs r USING (run_id)
      ORDER BY t.created_at, t.idempotency_key`,
    [limit],
  );
  return rows;
}

/** What is open, newest first. */
export async function listRefusals(db: Queryable, limit: number): Promise<Refusal[]> {
  const { rows } = await db.query(
    `SELECT id, received_at, subject, reason, size, jsonb_array_length(violations) AS violation_count,
            jsonb_path_query_array(violations, '$[0 to ${VIOLATIONS_SHOWN - 1}]') AS violations
       FROM quarantined_events WHERE state = 'open' ORDER BY received_at DESC LIMIT $1`,
    [limit],
  );
  return rows;
}
