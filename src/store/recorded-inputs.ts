/**
 * What a backtest reads: the events and ticks of a definition in the order in which they came, with what was recorded of
 * each. Oldest first, by keyset, in answers of bounded size. Only reads.
 */
import type { RunError, TaskSpec } from '../core/decision.ts';
import type { Envelope } from '../core/envelope.ts';
import type { InstructionRecord } from '../core/instruction-record.ts';
import type { JsonObject } from '../core/json.ts';
import { eventTriggerKey } from '../core/trigger.ts';
import type { DecisionOutcome } from './event-decisions.ts';
import { FATES } from './events.ts';
import { inOrder, isEach } from './in-order.ts';
import { decodeCursor, encodeCursor, type Page, type PageRequest } from './page.ts';
import { type Pool, type Queryable, transaction } from './pool.ts';
import type { RunStatus } from './runs.ts';
import type { TickOutcome } from './schedule-ticks.ts';

/** A run of a chain of retries, with the specs that are its own by now. */
export interface RecordedRun {
  run_id: string;
  definition_hash: string;
  status: RunStatus;
  started_at: string;
  error: RunError | null;
  /** False where it ended before its sources had answered. */
  has_context: boolean;
  /** Null also where it was not asked for. */
  context: JsonObject | null;
  instructions: InstructionRecord[];
  tasks: RecordedTask[];
}

export interface RecordedTask {
  idempotency_key: string;
  rule_id: string;
  spec: TaskSpec;
  /** An earlier run of the chain made it, and this retry took it over: what had been sent has kept its text. */
  moved: boolean;
}

export interface RecordedEvent {
  event_uid: string;
  received_at: string;
  envelope: Envelope;
  /** Null where the definition did not decide about it. */
  decision: { definition_hash: string; outcome: DecisionOutcome; reason: string | null } | null;
  /** A run and its retries, oldest first. */
  runs: RecordedRun[];
}

export interface RecordedTick {
  scheduled_for: string;
  outcome: TickOutcome;
  reason: string | null;
  /** A run and its retries, oldest first. */
  runs: RecordedRun[];
}

export interface InputFilter {
  definition_id: string;
  /** Of receipt, or of the scheduled time; `until` is exclusive. */
  since: string;
  until: string;
  /** Also what the runs' sources bound and what their models answered, which may be large. */
  context: boolean;
}

/** Of an answer, before it is written as JSON; a single input may be larger. */
const PAGE_BYTES = 8 * 1024 * 1024;
/** What a statement may take: it gives way to the load, and never the other way round. */
const STATEMENT_TIMEOUT = '10s';
const BEFORE_ALL = ['-infinity', '00000000-0000-0000-0000-000000000000'];
const TICK_KEY = /^[a-z0-9][a-z0-9-]{0,99}$/;

/** One snapshot, so that no run lacks its specs; and nothing can be written. */
export function readOnly<T>(pool: Pool, work: (client: Queryable) => Promise<T>): Promise<T> {
  return transaction(pool, async (client) => {
    await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await client.query(`SET LOCAL statement_timeout = '${STATEMENT_TIMEOUT}'`);
    return work(client);
  });
}

/** Of the statement: fewer inputs may fit. */
export function isCancelledByTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '57014';
}

/** @throws InvalidCursorError */
export async function readRecordedEvents(
  db: Queryable,
  filter: InputFilter & { type: string },
  request: PageRequest,
): Promise<Page<RecordedEvent>> {
  const { definition_id, type, since, until } = filter;
  const after = request.cursor ? decodeCursor(request.cursor) : BEFORE_ALL;
  const { rows: listed } = await db.query(EVENTS, [type, since, until, ...after, request.limit + 1]);
  const keyed = listed.map((row) => ({ ...row, key: eventTriggerKey(row.event_uid) }));
  const { page, more } = await fitting(db, filter, keyed, request.limit);
  const uids = page.map(({ event_uid }) => event_uid);
  const [envelopes, decisions, runs] = [
    await readEnvelopes(db, uids),
    await readDecisions(db, definition_id, uids),
    await readRuns(
      db,
      filter,
      page.map(({ key }) => key),
    ),
  ];
  const last = page.at(-1);
  return {
    items: page.map(({ event_uid, received_at, key }) => ({
      event_uid,
      received_at,
      envelope: envelopes.get(event_uid) as Envelope,
      decision: decisions.get(event_uid) ?? null,
      runs: runs.get(key) ?? [],
    })),
    next_cursor: more && last ? encodeCursor(last.received_at, last.event_uid) : null,
  };
}

/** Those that have an outcome. @throws InvalidCursorError */
export async function readRecordedTicks(
  db: Queryable,
  filter: InputFilter,
  request: PageRequest,
): Promise<Page<RecordedTick>> {
  const { definition_id, since, until } = filter;
  const [after] = request.cursor ? decodeCursor(request.cursor, TICK_KEY) : BEFORE_ALL;
  const { rows: listed } = await db.query(
    `SELECT t.scheduled_for, t.outcome, t.reason, r.origin_trigger_key AS key, 0 AS bytes
       FROM schedule_ticks t LEFT JOIN activity_runs r ON r.run_id = t.run_id
      WHERE t.definition_id = $1 AND t.outcome IS NOT NULL AND t.scheduled_for >= $2 AND t.scheduled_for < $3
        AND t.scheduled_for > $4
      ORDER BY t.scheduled_for LIMIT $5`,
    [definition_id, since, until, after, request.limit + 1],
  );
  const { page, more } = await fitting(db, filter, listed, request.limit);
  const keys = page.flatMap(({ key }) => key ?? []);
  const runs = await readRuns(db, filter, keys);
  const last = page.at(-1);
  return {
    items: page.map(({ scheduled_for, outcome, reason, key }) => ({
      scheduled_for,
      outcome,
      reason,
      runs: runs.get(key) ?? [],
    })),
    next_cursor: more && last ? encodeCursor(last.scheduled_for, definition_id) : null,
  };
}

/** Since when what came in is on record whole; null where nothing was ever deleted. */
export async function readForgottenBefore(db: Queryable): Promise<string | null> {
  const { rows } = await db.query('SELECT forgotten_before FROM retention');
  return rows[0]?.forgotten_before ?? null;
}

const EVENTS = inOrder({
  select: 'SELECT event_uid, received_at, octet_length(envelope::text) AS bytes FROM events',
  where: [
    'type = $1',
    'received_at >= $2',
    'received_at < $3',
    '(received_at, event_uid) > ($4::timestamptz, $5::uuid)',
  ],
  each: [isEach('fate', FATES)],
  ...{ time: 'received_at', key: 'event_uid', direction: 'ASC', limit: '$6' },
});

/** As many as fit into an answer; one at least. */
async function fitting<Row extends { key: string | null; bytes: number }>(
  db: Queryable,
  filter: InputFilter,
  listed: Row[],
  limit: number,
): Promise<{ page: Row[]; more: boolean }> {
  const sizes = await readSizes(
    db,
    filter,
    listed.flatMap(({ key }) => key ?? []),
  );
  let bytes = 0;
  let fit = 0;
  for (const row of listed.slice(0, limit)) {
    bytes += row.bytes + (sizes.get(row.key ?? '') ?? 0);
    if (fit > 0 && bytes > PAGE_BYTES) break;
    fit += 1;
  }
  return { page: listed.slice(0, fit), more: listed.length > fit };
}

async function readEnvelopes(db: Queryable, uids: string[]): Promise<Map<string, Envelope>> {
  const { rows } = await db.query(
    'SELECT event_uid, envelope FROM events WHERE event_uid = ANY ($1::uuid[])',
    [uids],
  );
  return new Map(rows.map(({ event_uid, envelope }) => [event_uid, envelope]));
}

async function readDecisions(
  db: Queryable,
  definitionId: string,
  uids: string[],
): Promise<Map<string, NonNullable<RecordedEvent['decision']>>> {
  const { rows } = await db.query(
    `SELECT event_uid, definition_hash, outcome, reason FROM event_decisions
      WHERE definition_id = $1 AND event_uid = ANY ($2::uuid[])`,
    [definitionId, uids],
  );
  return new Map(rows.map(({ event_uid, ...decision }) => [event_uid, decision]));
}

/** A run and its retries, by the key that they share: one index for the first, one for the others. */
const chain = (columns: string) =>
  `SELECT ${columns} FROM activity_runs r WHERE definition_id = $1 AND trigger_key = ANY ($2)
   UNION ALL
   SELECT ${columns} FROM activity_runs r
    WHERE definition_id = $1 AND origin_trigger_key = ANY ($2) AND retry_of IS NOT NULL`;

async function readSizes(
  db: Queryable,
  { definition_id, context }: InputFilter,
  keys: string[],
): Promise<Map<string, number>> {
  const ofRun = context ? 'coalesce(octet_length(context::text), 0) + octet_length(instructions::text)' : '0';
  const ofSpecs = `(SELECT coalesce(sum(octet_length(spec::text)), 0)::integer FROM task_spawn_log t WHERE t.run_id = r.run_id)`;
  const { rows } = await db.query(
    `SELECT key, sum(bytes)::float8 AS bytes
       FROM (${chain(`origin_trigger_key AS key, ${ofRun} + ${ofSpecs} AS bytes`)}) AS runs GROUP BY key`,
    [definition_id, keys],
  );
  return new Map(rows.map(({ key, bytes }) => [key, bytes]));
}

async function readRuns(
  db: Queryable,
  { definition_id, context }: InputFilter,
  keys: string[],
): Promise<Map<string, RecordedRun[]>> {
  const wide = context ? 'context, instructions' : "NULL::jsonb AS context, '[]'::jsonb AS instructions";
  const { rows } = await db.query(
    `SELECT * FROM (${chain(`origin_trigger_key AS key, run_id, definition_hash, status, started_at, error,
                             context IS NOT NULL AS has_context, ${wide}`)}) AS runs ORDER BY started_at, run_id`,
    [definition_id, keys],
  );
  const tasks = await readTasks(
    db,
    rows.map(({ run_id }) => run_id),
  );
  const chains = new Map<string, RecordedRun[]>();
  for (const { key, ...run } of rows) {
    const earlier = chains.get(key) ?? [];
    chains.set(key, [...earlier, { ...run, tasks: tasks.get(run.run_id) ?? [] }]);
  }
  return chains;
}

async function readTasks(db: Queryable, runIds: string[]): Promise<Map<string, RecordedTask[]>> {
  const { rows } = await db.query(
    `SELECT t.run_id, t.idempotency_key, t.rule_id, t.spec, r.retry_of IS NOT NULL AND t.created_at < r.started_at AS moved
       FROM task_spawn_log t JOIN activity_runs r ON r.run_id = t.run_id WHERE t.run_id = ANY ($1::uuid[])
      ORDER BY t.created_at, t.rule_id, t.idempotency_key`,
    [runIds],
  );
  const tasks = new Map<string, RecordedTask[]>();
  for (const { run_id, ...task } of rows) {
    const ofRun = tasks.get(run_id);
    if (ofRun) ofRun.push(task);
    else tasks.set(run_id, [task]);
  }
  return tasks;
}
