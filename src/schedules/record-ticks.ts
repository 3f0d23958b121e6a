/**
 * The grid: every time at which a schedule was due becomes a row before its outcome is known (architecture, "Ticks").
 * Temporal keeps counters and ten recent actions; what was due while everything was down is known here alone.
 */
import { dueTick } from '../core/due-ticks.ts';
import { fireTimesBetween } from '../core/fire-times.ts';
import { readPause } from '../store/definition-pauses.ts';
import type { Queryable } from '../store/pool.ts';
import { insertTicks, type NewTick } from '../store/schedule-ticks.ts';
import { advanceRecordedUntil, type ScheduleRow } from '../store/schedules.ts';

const ROWS_AT_ONCE = 5_000;

/**
 * Records what was due after `recorded_until` up to and including `until` (RFC 3339). The caller holds the schedule's row.
 * Those that were due after the definition was paused have their outcome at once: returns how many.
 */
export async function recordTicks(client: Queryable, row: ScheduleRow, until: string): Promise<number> {
  const [after, end] = [Date.parse(row.recorded_until), Date.parse(until)];
  if (!(end > after)) return 0;
  let paused = 0;
  if (row.enabled) {
    const pause = await readPause(client, row.definition_id);
    let batch: NewTick[] = [];
    for (const due of fireTimesBetween(row.schedule, after, end)) {
      const tick = dueTick(row.schedule, pause, due);
      batch.push({ definition_id: row.definition_id, ...tick });
      if (tick.outcome === 'paused') paused += 1;
      if (batch.length >= ROWS_AT_ONCE) {
        await insertTicks(client, batch);
        batch = [];
      }
    }
    if (batch.length > 0) await insertTicks(client, batch);
  }
  await advanceRecordedUntil(client, row.definition_id, until);
  return paused;
}
