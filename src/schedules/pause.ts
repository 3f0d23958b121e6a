/**
 * A definition's pause and its end, inside the caller's transaction, which holds the registry's lock. Temporal comes last:
 * where it does not answer, the transaction is to be undone and nothing has changed. A disabled definition's schedule is
 * paused anyway, and stays so.
 */
import { durationMs } from '../core/duration.ts';
import { deletePause, readPause, upsertPause } from '../store/definition-pauses.ts';
import { advanceRegistryVersion } from '../store/definitions.ts';
import { type Queryable, readClock } from '../store/pool.ts';
import { closeTicks, listOpenTicks, type TickOutcomeOf } from '../store/schedule-ticks.ts';
import { lockSchedule, notePauseByHand, type ScheduleRow } from '../store/schedules.ts';
import { pauseNote, resumeNote } from './pause-note.ts';
import { recordTicks } from './record-ticks.ts';
import type { TemporalSchedules } from './temporal-schedules.ts';
import { reasonOfPause, wasStarted } from './tick-outcome.ts';

type PausingSchedules = Pick<TemporalSchedules, 'describe' | 'pause' | 'unpause'>;

const OPEN_TICKS = { toleranceMs: 0, limit: 10_000 };

/** Paused again, it has the newer reason. Returns how many ticks turned out to be `paused`. @throws TemporalUnavailableError */
export async function beginPause(
  client: Queryable,
  temporal: PausingSchedules,
  definitionId: string,
  reason: string,
): Promise<number> {
  const schedule = await lockSchedule(client, definitionId);
  // Of the moment: the locks may have been waited for, and ticks went on meanwhile.
  const paused_at = await readClock(client);
  // What was due before has the reason of before.
  const ticks = schedule ? await recordTicks(client, schedule, paused_at) : 0;
  await upsertPause(client, definitionId, { reason, paused_at });
  await advanceRegistryVersion(client);
  if (schedule?.enabled) await temporal.pause(definitionId, pauseNote(reason));
  return ticks;
}

/** `ticks`: how many turned out to be `paused`. */
export interface EndedPause {
  wasPaused: boolean;
  ticks: number;
}

/** Also ends a pause that somebody made by hand in Temporal, of which there is no row. @throws TemporalUnavailableError */
export async function endPause(
  client: Queryable,
  temporal: PausingSchedules,
  definitionId: string,
  reason: string,
): Promise<EndedPause> {
  const schedule = await lockSchedule(client, definitionId);
  const ofSchedule = schedule ? await endTicks(client, temporal, schedule) : { wasPaused: false, ticks: 0 };
  const hadRow = await deletePause(client, definitionId);
  if (hadRow) await advanceRegistryVersion(client);
  await notePauseByHand(client, definitionId, null);
  if (schedule?.enabled) await temporal.unpause(definitionId, resumeNote(reason));
  return { wasPaused: hadRow || ofSchedule.wasPaused, ticks: ofSchedule.ticks };
}

/** After the resume nothing tells any more that these never started because of the pause. */
async function endTicks(
  client: Queryable,
  temporal: PausingSchedules,
  schedule: ScheduleRow,
): Promise<EndedPause> {
  const { definition_id, enabled } = schedule;
  const now = await readClock(client);
  const recorded = await recordTicks(client, schedule, now);
  const found = enabled ? await temporal.describe(definition_id) : null;
  if (!found) return { wasPaused: false, ticks: recorded };
  const circumstances = {
    pause: await readPause(client, definition_id),
    jitterMs: durationMs(schedule.schedule.jitter),
  };
  const open = await listOpenTicks(client, { definitionId: definition_id, before: now, ...OPEN_TICKS });
  const ended = open.flatMap((tick): TickOutcomeOf[] => {
    const { scheduled_for } = tick;
    const reason = wasStarted(tick, found) ? null : reasonOfPause(tick, circumstances, found);
    return reason === null ? [] : [{ definition_id, scheduled_for, outcome: 'paused', reason }];
  });
  const closed = ended.length > 0 ? (await closeTicks(client, ended)).length : 0;
  return { wasPaused: found.paused, ticks: recorded + closed };
}
