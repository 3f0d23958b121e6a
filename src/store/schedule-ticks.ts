/** `schedule_ticks`: every time at which a schedule was due, and what became of it. */
import { type Page, type PageRequest, readPage } from './page.ts';
import type { Queryable } from './pool.ts';
import type { RunStatus } from './runs.ts';
import type { Evidence } from './tick-evidence.ts';

export const TICK_OUTCOMES = ['fired', 'overlapped', 'missed', 'paused'] as const;
export type TickOutcome = (typeof TICK_OUTCOMES)[number];

export interface NewTick {
  definition_id: string;
  scheduled_for: string;
  deadline: string;
  /** Null while it may still start. */
  outcome: TickOutcome | null;
  reason: string | null;
}

export interface Tick extends NewTick {
  run_id: string | null;
}

export interface TickView {
  definition_id: string;
  scheduled_for: string;
  outcome: TickOutcome;
  reason: string | null;
  run_id: string | null;
}

/** Those that stand already stay as they are. */
export async function insertTicks(db: Queryable, ticks: NewTick[]): Promise<void> {
  await db.query(
    `INSERT INTO schedule_ticks (definition_id, scheduled_for, deadline, outcome, reason)
     SELECT definition_id, scheduled_for, deadline, outcome, reason
       FROM jsonb_to_recordset($1)
         AS t (definition_id text, scheduled_for timestamptz, deadline timestamptz, outcome text, reason text)
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(ticks)],
  );
}

export async function lockTick(
  db: Queryable,
  definitionId: string,
  scheduledFor: string,
): Promise<Tick | null> {
  const { rows } = await db.query(
    `SELECT definition_id, scheduled_for, deadline, outcome, reason, run_id FROM schedule_ticks
      WHERE definition_id = $1 AND scheduled_for = $2 FOR UPDATE`,
    [definitionId, scheduledFor],
  );
  return rows[0] ?? null;
}

export async function closeTick(
  db: Queryable,
  tick: { definition_id: string; scheduled_for: string },
  end: {
    outcome: TickOutcome;
    reason: string | null;
    run_id: string | null;
    workflow_started_at: string | null;
  },
): Promise<void> {
  await db.query(
    `UPDATE schedule_ticks SET outcome = $3, reason = $4, run_id = $5, workflow_started_at = $6
      WHERE definition_id = $1 AND scheduled_for = $2`,
    [tick.definition_id, tick.scheduled_for, end.outcome, end.reason, end.run_id, end.workflow_started_at],
  );
}

export interface TickFilter {
  definition_id?: string | undefined;
  outcome?: string | undefined;
  /** Of `scheduled_for`; `until` is exclusive. */
  since?: string | undefined;
  until?: string | undefined;
}

/** Only those with an outcome; the time that others still have stands in the definition. */
export function listTicks(db: Queryable, filter: TickFilter, request: PageRequest): Promise<Page<TickView>> {
  return readPage<TickView>(
    db,
    {
      select: 'SELECT definition_id, scheduled_for, outcome, reason, run_id FROM schedule_ticks',
      time: 'scheduled_for',
      key: 'definition_id',
      keyPattern: /^[a-z0-9][a-z0-9-]{0,99}$/,
      where: [
        { sql: 'definition_id = ?', value: filter.definition_id },
        { sql: 'outcome = ?', value: filter.outcome, each: TICK_OUTCOMES },
        { sql: 'scheduled_for >= ?', value: filter.since },
        { sql: 'scheduled_for < ?', value: filter.until },
      ],
    },
    request,
  );
}

/** Also one that may still start; with its run, and what was found out about that. */
export interface TickFacts {
  definition_id: string;
  scheduled_for: string;
  deadline: string;
  outcome: TickOutcome | null;
  reason: string | null;
  run_id: string | null;
  /** Null where nothing ran. */
  run: { status: RunStatus; finished_at: string | null } | null;
  /** Null where it was not collected. */
  evidence: { items: Evidence; evidence_hash: string; collected_at: string } | null;
}

/** However many may still start. */
const MAX_TICKS_READ = 5_000;

/** Newest first, down to and including the `closed` newest that cannot start any more, or have. `now` in RFC 3339. */
export async function listNewestTicks(
  db: Queryable,
  definitionId: string,
  { now, closed }: { now: string; closed: number },
): Promise<TickFacts[]> {
  const { rows } = await db.query(
    // Each LIMIT 1 keeps the planner from reading all runs for the few that are asked for.
    `WITH newest AS MATERIALIZED (
       SELECT definition_id, scheduled_for, deadline, outcome, reason, run_id FROM schedule_ticks
        WHERE definition_id = $1
          AND scheduled_for >= coalesce(
            (SELECT min(scheduled_for) FROM (
               SELECT scheduled_for FROM schedule_ticks
                WHERE definition_id = $1 AND (outcome IS NOT NULL OR deadline < $2)
                ORDER BY scheduled_for DESC LIMIT $3) AS closed), '-infinity')
        ORDER BY scheduled_for DESC LIMIT ${MAX_TICKS_READ})
     SELECT t.*, r.status, r.finished_at, e.evidence, e.evidence_hash, e.collected_at
       FROM newest t
       LEFT JOIN LATERAL (SELECT status, finished_at FROM activity_runs WHERE run_id = t.run_id LIMIT 1) AS r ON true
       LEFT JOIN LATERAL (SELECT evidence, evidence_hash, collected_at FROM tick_evidence
                           WHERE definition_id = t.definition_id AND scheduled_for = t.scheduled_for AND run_id = t.run_id
                           LIMIT 1) AS e ON true
      ORDER BY t.scheduled_for DESC`,
    [definitionId, now, closed],
  );
  return rows.map(({ status, finished_at, evidence, evidence_hash, collected_at, ...tick }) => ({
    ...tick,
    run: status === null ? null : { status, finished_at },
    evidence: evidence === null ? null : { items: evidence, evidence_hash, collected_at },
  }));
}

/** The times, both ends included, that may still start by themselves. */
export async function listOpenTickTimes(
  db: Queryable,
  definitionId: string,
  from: string,
  to: string,
): Promise<string[]> {
  const { rows } = await db.query(
    `SELECT scheduled_for FROM schedule_ticks
      WHERE definition_id = $1 AND scheduled_for BETWEEN $2 AND $3 AND outcome IS NULL`,
    [definitionId, from, to],
  );
  return rows.map((row) => row.scheduled_for);
}

/** A tick that may still start, with what is known about the run before it. */
export interface OpenTick {
  definition_id: string;
  scheduled_for: string;
  deadline: string;
  /** The tick before it that ran was still going when this was due, or had not begun yet: then Temporal came to both at once. */
  is_overlapped: boolean;
  /** The tick before it that ran. */
  admitted_before: string | null;
}

/**
 * The oldest ticks of a definition without an outcome, due before `before`. `toleranceMs`: a run ends a moment before
 * Temporal hears of it.
 */
export async function listOpenTicks(
  db: Queryable,
  query: { definitionId: string; before: string; toleranceMs: number; limit: number },
): Promise<OpenTick[]> {
  const { rows } = await db.query(
    `SELECT t.definition_id, t.scheduled_for, t.deadline,
            coalesce(r.started_at IS NOT NULL
                     AND coalesce(r.finished_at, 'infinity') >= t.scheduled_for - make_interval(secs => $3), false)
              AS is_overlapped, before.scheduled_for AS admitted_before
       FROM schedule_ticks t
       LEFT JOIN LATERAL (
         SELECT run_id, scheduled_for FROM schedule_ticks
          WHERE definition_id = t.definition_id AND workflow_started_at IS NOT NULL
            AND scheduled_for < t.scheduled_for
          ORDER BY scheduled_for DESC LIMIT 1) AS before ON true
       LEFT JOIN activity_runs r ON r.run_id = before.run_id
      WHERE t.definition_id = $1 AND t.outcome IS NULL AND t.scheduled_for < $2
      ORDER BY t.scheduled_for LIMIT $4`,
    [query.definitionId, query.before, query.toleranceMs / 1000, query.limit],
  );
  return rows;
}

export async function hasOpenTicks(db: Queryable, definitionId: string, before: string): Promise<boolean> {
  const { rows } = await db.query(
    'SELECT 1 FROM schedule_ticks WHERE definition_id = $1 AND outcome IS NULL AND scheduled_for < $2 LIMIT 1',
    [definitionId, before],
  );
  return rows.length > 0;
}

/** The newest tick whose workflow a worker took up; null before the first. */
export async function readNewestAdmitted(db: Queryable, definitionId: string): Promise<string | null> {
  const { rows } = await db.query(
    `SELECT scheduled_for FROM schedule_ticks
      WHERE definition_id = $1 AND workflow_started_at IS NOT NULL ORDER BY scheduled_for DESC LIMIT 1`,
    [definitionId],
  );
  return rows[0]?.scheduled_for ?? null;
}

/** Of a grid that is no more. */
export async function deleteOpenTicks(db: Queryable, definitionId: string, after: string): Promise<void> {
  await db.query(
    'DELETE FROM schedule_ticks WHERE definition_id = $1 AND outcome IS NULL AND scheduled_for > $2',
    [definitionId, after],
  );
}

export interface TickOutcomeOf {
  definition_id: string;
  scheduled_for: string;
  outcome: TickOutcome;
  reason: string;
}

/** Returns the outcomes of those that were open until now. */
export async function closeTicks(db: Queryable, ticks: TickOutcomeOf[]): Promise<TickOutcome[]> {
  const { rows } = await db.query(
    `UPDATE schedule_ticks AS t SET outcome = o.outcome, reason = o.reason
       FROM jsonb_to_recordset($1) AS o (definition_id text, scheduled_for timestamptz, outcome text, reason text)
      WHERE t.definition_id = o.definition_id AND t.scheduled_for = o.scheduled_for AND t.outcome IS NULL
     RETURNING t.outcome`,
    [JSON.stringify(ticks)],
  );
  return rows.map((row) => row.outcome);
}

/** Of definitions that have no schedule any more: what has not started by its deadline never will. Returns their definitions. */
export async function closeAbandonedTicks(db: Queryable): Promise<string[]> {
  const { rows } = await db.query(
    `UPDATE schedule_ticks AS t SET outcome = 'missed', reason = 'its schedule was removed before it started'
      WHERE outcome IS NULL AND deadline < now()
        AND NOT EXISTS (SELECT 1 FROM schedules s WHERE s.definition_id = t.definition_id)
     RETURNING definition_id`,
  );
  return rows.map((row) => row.definition_id);
}
