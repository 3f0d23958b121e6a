/** `schedules`: what is applied to Temporal Schedules, and up to where its ticks are recorded. */
import type { ScheduleTrigger } from '../core/definition.ts';
import type { Json } from '../core/json.ts';
import type { Queryable } from './pool.ts';

export interface ScheduleRow {
  definition_id: string;
  definition_hash: string;
  schedule: ScheduleTrigger;
  enabled: boolean;
  /** As `describe` gave it right after it was applied. */
  described: Json;
  recorded_until: string;
  /** Why it is paused where somebody did that in Temporal, as seen last. */
  paused_by_hand: string | null;
  /** Since when it is enabled and has this timetable. */
  in_force_since: string;
}

/** What is written of it; the rest comes of that. */
export type AppliedSchedule = Omit<ScheduleRow, 'paused_by_hand' | 'in_force_since'>;

const APPLIED = 'definition_id, definition_hash, schedule, enabled, described, recorded_until';
const COLUMNS = `${APPLIED}, paused_by_hand, in_force_since`;
/** What of `trigger.schedule` says how late or how many, and not when. */
const POLICIES = "'{overlap,catchup_window,jitter}'::text[]";

export async function listSchedules(db: Queryable): Promise<ScheduleRow[]> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM schedules ORDER BY definition_id`);
  return rows;
}

/** Null where none is applied. */
export async function findSchedule(db: Queryable, definitionId: string): Promise<ScheduleRow | null> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM schedules WHERE definition_id = $1`, [
    definitionId,
  ]);
  return rows[0] ?? null;
}

/** Until the transaction ends: ticks and the schedule they belong to change together. Null where there is none. */
export async function lockSchedule(db: Queryable, definitionId: string): Promise<ScheduleRow | null> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM schedules WHERE definition_id = $1 FOR UPDATE`, [
    definitionId,
  ]);
  return rows[0] ?? null;
}

/** The same, but null also where somebody else has it. */
export async function tryLockSchedule(db: Queryable, definitionId: string): Promise<ScheduleRow | null> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM schedules WHERE definition_id = $1 FOR UPDATE SKIP LOCKED`,
    [definitionId],
  );
  return rows[0] ?? null;
}

export async function upsertSchedule(db: Queryable, row: AppliedSchedule): Promise<void> {
  await db.query(
    `INSERT INTO schedules AS s (${APPLIED}) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (definition_id) DO UPDATE
       SET definition_hash = $2, schedule = $3, enabled = $4, described = $5, recorded_until = $6, applied_at = now(),
           in_force_since = CASE WHEN s.enabled = $4 AND s.schedule - ${POLICIES} = EXCLUDED.schedule - ${POLICIES}
                                 THEN s.in_force_since ELSE clock_timestamp() END`,
    [
      row.definition_id,
      row.definition_hash,
      JSON.stringify(row.schedule),
      row.enabled,
      JSON.stringify(row.described),
      row.recorded_until,
    ],
  );
}

export async function deleteSchedule(db: Queryable, definitionId: string): Promise<void> {
  await db.query('DELETE FROM schedules WHERE definition_id = $1', [definitionId]);
}

/** Of those that somebody paused in Temporal: the reason, by definition. */
export async function readPausesByHand(db: Queryable): Promise<Map<string, string>> {
  const { rows } = await db.query(
    'SELECT definition_id, paused_by_hand FROM schedules WHERE paused_by_hand IS NOT NULL',
  );
  return new Map(rows.map((row) => [row.definition_id, row.paused_by_hand]));
}

export async function notePauseByHand(
  db: Queryable,
  definitionId: string,
  reason: string | null,
): Promise<void> {
  await db.query(
    `UPDATE schedules SET paused_by_hand = $2
      WHERE definition_id = $1 AND paused_by_hand IS DISTINCT FROM $2`,
    [definitionId, reason],
  );
}

export async function advanceRecordedUntil(
  db: Queryable,
  definitionId: string,
  until: string,
): Promise<void> {
  await db.query(
    'UPDATE schedules SET recorded_until = greatest(recorded_until, $2) WHERE definition_id = $1',
    [definitionId, until],
  );
}
