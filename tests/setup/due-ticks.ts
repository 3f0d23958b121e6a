/** Each time at which a schedule was due, and what became of it. */
import type { Pool } from '../../src/store/pool.ts';

export interface Due {
  definition_id: string;
  every_ms: number;
  /** RFC 3339: the schedule was there from `since` on, and every tick before `until` is recorded. */
  since: string;
  until: string;
}

/** What is wrong; empty where each has one outcome, and a run where it has one. */
export async function tickFaults(
  pool: Pool,
  { definition_id, every_ms, since, until }: Due,
): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT scheduled_for, outcome, run_id FROM schedule_ticks WHERE definition_id = $1`,
    [definition_id],
  );
  const faults = rows
    .filter(
      ({ outcome, run_id }) =>
        outcome === null || (outcome === 'fired') !== (run_id !== null && outcome !== 'missed'),
    )
    .map((tick) => JSON.stringify(tick));
  const known = new Set(rows.map(({ scheduled_for }) => Date.parse(scheduled_for)));
  for (let due = Math.ceil(Date.parse(since) / every_ms) * every_ms; due < Date.parse(until); due += every_ms)
    if (!known.has(due)) faults.push(`no tick at ${new Date(due).toISOString()}`);
  return faults;
}
