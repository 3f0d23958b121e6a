/**
 * Gives every due tick its outcome, also after days of being down: records the grid up to now, and asks Temporal about
 * those that did not start. Runs in every subscriber on a plain timer; the schedule's row is the lock.
 */

import { durationMs } from '../core/definition.ts';
import { canonicalJson } from '../core/json.ts';
import { type Pool, type Queryable, readClock, transaction } from '../store/pool.ts';
import {
  closeAbandonedTicks,
  closeTicks,
  countOpenTicks,
  hasOpenTicks,
  listOpenTicks,
  type TickOutcomeOf,
} from '../store/schedule-ticks.ts';
import { listSchedules, type ScheduleRow, tryLockSchedule } from '../store/schedules.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { recordTicks } from './record-ticks.ts';
import type { DescribedSchedule, TemporalSchedules } from './temporal-schedules.ts';
import { outcomeOf } from './tick-outcome.ts';

export interface AccountDeps {
  pool: Pool;
  temporalSchedules: TemporalSchedules;
  metrics: Metrics;
  logger: Logger;
}

/** A healthy tick has started long before; nobody is asked about it. */
const SETTLED_MS = 3_000;
/** Temporal hears a moment later that a run has ended. */
const END_TOLERANCE_MS = 2_000;
const TICKS_AT_ONCE = 5_000;

/** One pass over all schedules. One that fails does not keep the others. */
export function createAccountForTicks(deps: AccountDeps): () => Promise<void> {
  return async function accountForTicks() {
    for (const { definition_id } of await listSchedules(deps.pool)) {
      try {
        await accountForOne(deps, definition_id);
      } catch (error) {
        deps.logger.warn(
          { err: error, definition_id },
          'ticks could not be accounted for; the next pass tries again',
        );
      }
    }
    for (const definition_id of await closeAbandonedTicks(deps.pool))
      count(deps.metrics, definition_id, 'missed', 1);
  };
}

async function accountForOne(deps: AccountDeps, definitionId: string): Promise<void> {
  const recorded = await transaction(deps.pool, async (client) => {
    const row = await tryLockSchedule(client, definitionId);
    if (!row) return null;
    const now = await readClock(client);
    const paused = await recordTicks(client, row, now);
    const before = settledBefore(row, now);
    return { now, before, paused: paused.length, isOpen: await hasOpenTicks(client, definitionId, before) };
  });
  if (!recorded) return;
  count(deps.metrics, definitionId, 'paused', recorded.paused);
  if (!recorded.isOpen) return;
  // Outside any transaction: Temporal may take its time.
  const described = await deps.temporalSchedules.describe(definitionId);
  const { now, before } = recorded;
  let mayHaveMore = true;
  while (mayHaveMore) mayHaveMore = await decideSome(deps, { definitionId, now, before, described });
}

interface Asked {
  definitionId: string;
  now: string;
  before: string;
  described: DescribedSchedule | null;
}

/** True where there may be more that can be decided. */
async function decideSome(deps: AccountDeps, asked: Asked): Promise<boolean> {
  const { definitionId, now, before, described } = asked;
  const decided = await transaction(deps.pool, async (client) => {
    const row = await tryLockSchedule(client, definitionId);
    if (!row) return [];
    const jitterMs = durationMs(row.schedule.jitter);
    const open = await listOpenTicks(client, {
      definitionId,
      before,
      jitterMs,
      toleranceMs: END_TOLERANCE_MS,
      limit: TICKS_AT_ONCE,
    });
    const circumstances = {
      now: Date.parse(now),
      schedule: row.schedule,
      jitterMs,
      described,
      isDrifted: described !== null && canonicalJson(described.applied) !== canonicalJson(row.described),
    };
    const mayBeBuffered = await whichMayBeBuffered(client, row, described);
    const outcomes = open.flatMap((tick, position): TickOutcomeOf[] => {
      const verdict = outcomeOf(tick, { ...circumstances, mayBeBuffered: mayBeBuffered(position) });
      const { definition_id, scheduled_for } = tick;
      return verdict ? [{ definition_id, scheduled_for, ...verdict }] : [];
    });
    if (outcomes.length > 0) await closeTicks(client, outcomes);
    return outcomes;
  });
  for (const { outcome } of decided) count(deps.metrics, definitionId, outcome, 1);
  return decided.length === TICKS_AT_ONCE;
}

/**
 * Of the open ticks, by their position: the buffer holds the newest that Temporal has dealt with. A buffer of one keeps
 * the first, and those after it are dropped.
 */
async function whichMayBeBuffered(
  client: Queryable,
  { definition_id, schedule }: ScheduleRow,
  described: DescribedSchedule | null,
): Promise<(position: number) => boolean> {
  if (!described || described.buffered === 0) return () => false;
  if (schedule.overlap === 'buffer_one') return (position) => position === 0;
  const dealtWith = await countOpenTicks(client, definition_id, described.next_action_times[0] ?? 'infinity');
  return (position) => position >= dealtWith - described.buffered;
}

function settledBefore({ schedule }: ScheduleRow, now: string): string {
  return new Date(Date.parse(now) - durationMs(schedule.jitter) - SETTLED_MS).toISOString();
}

function count(metrics: Metrics, definition_id: string, outcome: string, times: number): void {
  if (times > 0) metrics.ticks.inc({ definition_id, outcome }, times);
}
