/** Why a tick that was due has not started: the one place that tells overlapped, missed and paused apart. Pure. */
import type { ScheduleTrigger } from '../core/definition.ts';
import type { OpenTick, TickOutcome } from '../store/schedule-ticks.ts';
import type { DescribedSchedule } from './temporal-schedules.ts';

export interface Circumstances {
  /** ms since 1970. Read before Temporal was asked. */
  now: number;
  schedule: ScheduleTrigger;
  jitterMs: number;
  /** What Temporal says of the schedule now; null where it does not have it. */
  described: DescribedSchedule | null;
  /** What Temporal has is not what was applied. */
  isDrifted: boolean;
  /** Temporal may hold its start back until the run before it has ended. */
  mayBeBuffered: boolean;
}

export type Verdict = { outcome: Exclude<TickOutcome, 'fired'>; reason: string };

/** Null while it may still start. A start that comes all the same is admitted by what stands here then. */
export function outcomeOf(tick: OpenTick, circumstances: Circumstances): Verdict | null {
  const { now, schedule, described, isDrifted } = circumstances;
  const isOver = now > Date.parse(tick.deadline);
  if (!described) {
    return isOver
      ? { outcome: 'missed', reason: 'Temporal has no such schedule; apply the definitions' }
      : null;
  }
  const nominal = secondsOf(tick.scheduled_for);
  // Its workflow waits for a worker, which says what it is.
  if (described.running.some((time) => secondsOf(time) === nominal)) return null;
  if (described.started.some((time) => secondsOf(time) === nominal)) {
    return isOver ? { outcome: 'missed', reason: 'its workflow was ended before a worker took it up' } : null;
  }
  if (circumstances.mayBeBuffered) return null;
  if (!isOver && !isDealtWith(tick, circumstances, described)) return null;
  if (described.paused) {
    const reason = described.note?.replace(/^activity-core: /, '') || 'the schedule is paused in Temporal';
    return { outcome: 'paused', reason };
  }
  if (dropsOverlaps(schedule)) {
    const isOverlapped = tick.is_overlapped || described.running.some((time) => secondsOf(time) < nominal);
    if (isOverlapped || (!isOver && !isDrifted))
      return { outcome: 'overlapped', reason: 'the run before it was still going' };
  }
  if (!isOver) return null;
  const about = isDrifted ? '; the schedule in Temporal was changed by hand' : '';
  const within = `within its catch-up window of ${schedule.catchup_window}`;
  return { outcome: 'missed', reason: `Temporal did not start it ${within}${about}` };
}

/** Temporal is past it: it has been started, or it never will be. */
function isDealtWith(
  tick: OpenTick,
  { jitterMs }: Circumstances,
  { next_action_times, paused }: DescribedSchedule,
): boolean {
  const [next] = next_action_times;
  if (next === undefined) return paused;
  return Date.parse(next) > Date.parse(tick.scheduled_for) + jitterMs;
}

const dropsOverlaps = ({ overlap }: ScheduleTrigger): boolean =>
  overlap === 'skip' || overlap === 'buffer_one';

const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1000);
