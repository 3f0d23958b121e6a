/**
 * A definition's pause and its end, inside the caller's transaction, which holds the registry's lock. Temporal comes last:
 * where it does not answer, the transaction is to be undone and nothing has changed. A disabled definition's schedule is
 * paused anyway, and stays so.
 */
import { deletePause, upsertPause } from '../store/definition-pauses.ts';
import { advanceRegistryVersion } from '../store/definitions.ts';
import { type Queryable, readClock } from '../store/pool.ts';
import type { NewTick } from '../store/schedule-ticks.ts';
import { lockSchedule } from '../store/schedules.ts';
import { pauseNote } from './pause-note.ts';
import { recordTicks } from './record-ticks.ts';
import type { TemporalSchedules } from './temporal-schedules.ts';

type PausingSchedules = Pick<TemporalSchedules, 'pause' | 'unpause'>;

/** Paused again, it has the newer reason. Returns the ticks that turned out to be `paused`. @throws TemporalUnavailableError */
export async function beginPause(
  client: Queryable,
  temporal: PausingSchedules,
  definitionId: string,
  reason: string,
): Promise<NewTick[]> {
  const schedule = await lockSchedule(client, definitionId);
  // Of the moment: the locks may have been waited for, and ticks went on meanwhile.
  const paused_at = await readClock(client);
  // What was due before has the reason of before.
  const ticks = schedule ? await recordTicks(client, schedule, paused_at) : [];
  await upsertPause(client, definitionId, { reason, paused_at });
  await advanceRegistryVersion(client);
  if (schedule?.enabled) await temporal.pause(definitionId, pauseNote(reason));
  return ticks;
}

/**
 * Also ends a pause that somebody made by hand in Temporal, of which there is no row.
 * Returns the ticks that turned out to be `paused`. @throws TemporalUnavailableError
 */
export async function endPause(
  client: Queryable,
  temporal: PausingSchedules,
  definitionId: string,
  reason: string,
): Promise<NewTick[]> {
  const schedule = await lockSchedule(client, definitionId);
  const ticks = schedule ? await recordTicks(client, schedule, await readClock(client)) : [];
  if (await deletePause(client, definitionId)) await advanceRegistryVersion(client);
  if (schedule?.enabled) await temporal.unpause(definitionId, pauseNote(reason));
  return ticks;
}
