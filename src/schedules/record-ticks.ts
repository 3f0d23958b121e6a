/**
 * The grid: every time at which a schedule was due becomes a row before its outcome is known (architecture, "Ticks").
 * Temporal keeps counters and ten recent actions; what was due while everything was down is known here alone.
 */
import { durationMs, type ScheduleTrigger } from '../core/definition.ts';
import { fireTimesBetween } from '../core/fire-times.ts';
import { readPause } from '../store/definition-pauses.ts';
import type { Queryable } from '../store/pool.ts';
import { insertTicks, type NewTick } from '../store/schedule-ticks.ts';
import { advanceRecordedUntil, type ScheduleRow } from '../store/schedules.ts';

const ROWS_AT_ONCE = 5_000;

/** `scheduled_for` + this is the latest start that still counts: a jittered tick may come that much later by itself. */
function latenessAllowedMs({ jitter, catchup_window }: ScheduleTrigger): number {
  return durationMs(jitter) + durationMs(catchup_window);
}

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
    const pausedAt = pause ? Date.parse(pause.paused_at) : Number.POSITIVE_INFINITY;
    const allowed = latenessAllowedMs(row.schedule);
    let batch: NewTick[] = [];
    for (const due of fireTimesBetween(row.schedule, after, end)) {
      const isPaused = due > pausedAt;
      const tick: NewTick = {
        definition_id: row.definition_id,
        scheduled_for: new Date(due).toISOString(),
        deadline: new Date(due + allowed).toISOString(),
        outcome: isPaused ? 'paused' : null,
        reason: isPaused ? (pause?.reason ?? null) : null,
      };
      batch.push(tick);
      if (isPaused) paused += 1;
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
