/** Why a tick that was due has not started: the one place that tells overlapped, missed and paused apart. Pure. */
import type { ScheduleTrigger } from '../core/definition.ts';
import type { Pause } from '../store/definition-pauses.ts';
import type { OpenTick, TickOutcome } from '../store/schedule-ticks.ts';
import type { DescribedSchedule } from './described-schedule.ts';
import { pauseByHandOf } from './pause-note.ts';

export interface Circumstances {
  /** ms since 1970. Read before Temporal was asked. */
  now: number;
  schedule: ScheduleTrigger;
  jitterMs: number;
  /** What Temporal says of the schedule now; null where it does not have it. */
  described: DescribedSchedule | null;
  /** What Temporal has is not what was applied. */
  isDrifted: boolean;
  /** The newest tick that a worker took up. Temporal's buffer holds later ones alone. */
  newestAdmitted: string | null;
  /** By our API; null where it is not paused. */
  pause: Pause | null;
  /** One by hand that was ended by hand: what was due until then and did not start was paused. */
  endedPause: EndedPause | null;
}

/** A tick starts within this, and a pause in between keeps it from that. */
const START_MS = 500;

export interface EndedPause {
  reason: string;
  /** RFC 3339: it was over by then. */
  ended_by: string;
}

export type Verdict = { outcome: Exclude<TickOutcome, 'fired'>; reason: string };

/**
 * Null while it may still start, and while nothing is certain: a verdict before the end of the window needs evidence, since
 * a tick that starts after it has an outcome is taken for a run by hand.
 */
export function outcomeOf(tick: OpenTick, circumstances: Circumstances): Verdict | null {
  const { now, schedule, described, isDrifted, endedPause } = circumstances;
  const isOver = now > Date.parse(tick.deadline);
  if (!described) {
    return isOver
      ? { outcome: 'missed', reason: 'Temporal has no such schedule; apply the definitions' }
      : null;
  }
  const nominal = secondsOf(tick.scheduled_for);
  // Its workflow waits for a worker, which says what it is.
  if (described.running.some((time) => secondsOf(time) === nominal)) return null;
  if (wasStarted(tick, described)) {
    return isOver ? { outcome: 'missed', reason: 'its workflow was ended before a worker took it up' } : null;
  }
  if (mayBeBuffered(tick, circumstances, described)) return null;
  if (!isOver && !isDealtWith(tick, circumstances, described)) return null;
  const isOverlapped = tick.is_overlapped || described.running.some((time) => secondsOf(time) < nominal);
  if (dropsOverlaps(schedule) && isOverlapped)
    return { outcome: 'overlapped', reason: 'the run before it was still going' };
  const pauseReason = reasonOfPause(tick, circumstances, described) ?? reasonOfEndedPause(tick, endedPause);
  if (pauseReason !== null) return { outcome: 'paused', reason: pauseReason };
  if (!isOver) return null;
  const about = isDrifted ? '; the schedule in Temporal was changed by hand' : '';
  const within = `within its catch-up window of ${schedule.catchup_window}`;
  return { outcome: 'missed', reason: `Temporal did not start it ${within}${about}` };
}

/** Starts leave the buffer in their order; what somebody triggered by hand meanwhile is no tick. */
function mayBeBuffered(
  tick: OpenTick,
  { newestAdmitted }: Circumstances,
  { buffered }: DescribedSchedule,
): boolean {
  if (buffered === 0) return false;
  return newestAdmitted === null || Date.parse(tick.scheduled_for) > Date.parse(newestAdmitted);
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

export function wasStarted({ scheduled_for }: OpenTick, { started }: DescribedSchedule): boolean {
  return started.some((time) => secondsOf(time) === secondsOf(scheduled_for));
}

/** What was due after a pause of ours was recorded as paused at once; its start may fall into the pause a moment later. */
export function reasonOfPause(
  tick: OpenTick,
  { pause, jitterMs }: Pick<Circumstances, 'pause' | 'jitterMs'>,
  described: DescribedSchedule,
): string | null {
  const latestStart = Date.parse(tick.scheduled_for) + jitterMs + START_MS;
  if (pause && Date.parse(pause.paused_at) <= latestStart) return pause.reason;
  return pauseByHandOf(described);
}

function reasonOfEndedPause({ scheduled_for }: OpenTick, ended: EndedPause | null): string | null {
  return ended && Date.parse(scheduled_for) <= Date.parse(ended.ended_by) ? ended.reason : null;
}

const dropsOverlaps = ({ overlap }: ScheduleTrigger): boolean =>
  overlap === 'skip' || overlap === 'buffer_one';

const secondsOf = (time: string): number => Math.floor(Date.parse(time) / 1000);
