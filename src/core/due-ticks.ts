/** Times at which a schedule was due, as rows that nobody knows the outcome of yet. */
import type { ScheduleTrigger } from './definition.ts';
import { durationMs } from './duration.ts';
import { newestFireTimes } from './fire-times.ts';

export interface DueTick {
  scheduled_for: string;
  /** The latest start that still counts. */
  deadline: string;
  /** Known at once where it was due after the definition was paused. */
  outcome: 'paused' | null;
  reason: string | null;
}

/** `paused_at` in RFC 3339. */
export type PausedSince = { paused_at: string; reason: string } | null;

/** `due` in ms since 1970. */
export function dueTick(schedule: ScheduleTrigger, pause: PausedSince, due: number): DueTick {
  const isPaused = pause !== null && due > Date.parse(pause.paused_at);
  return {
    scheduled_for: new Date(due).toISOString(),
    deadline: new Date(due + latenessAllowedMs(schedule)).toISOString(),
    outcome: isPaused ? 'paused' : null,
    reason: isPaused ? pause.reason : null,
  };
}

/**
 * What was due after `after` up to and including `until` (ms since 1970), newest first: at most `count` of those that may
 * still start, and at most as many of those whose deadline has passed.
 */
export function newestDueTicks(
  schedule: ScheduleTrigger,
  pause: PausedSince,
  { after, until, count }: { after: number; until: number; count: number },
): DueTick[] {
  const newest = newestFireTimes(schedule, { after, until, count });
  const over = newestFireTimes(schedule, { after, until: until - latenessAllowedMs(schedule) - 1, count });
  const times = [...new Set([...over, ...newest])].sort((a, b) => b - a);
  return times.map((due) => dueTick(schedule, pause, due));
}

/** `scheduled_for` + this is the latest start that still counts: a jittered tick may come that much later by itself. */
function latenessAllowedMs({ jitter, catchup_window }: ScheduleTrigger): number {
  return durationMs(jitter) + durationMs(catchup_window);
}
