/** What a workflow that a schedule started is: its tick, a tick that is too late, or a run that somebody wanted by hand. */
import type { ScheduleTrigger } from '../core/definition.ts';
import { durationMs } from '../core/duration.ts';
import type { Tick } from '../store/schedule-ticks.ts';

/**
 * `fired`: the tick runs. `missed`: it is the tick, too late to do any work. `paused`: it slipped through while the
 * definition was being paused. `by_hand`: a trigger or a backfill in Temporal, which carry the same attributes as a tick.
 */
export type Admission = 'fired' | 'missed' | 'paused' | 'by_hand';

/** Temporal starts what is due within its window; the start itself may take a moment more. */
const START_TOLERANCE_MS = 10_000;
const PAUSE_RACE_MS = 5_000;

export interface Start {
  /** The recorded tick at the nominal time; null where none is on the grid. */
  tick: Tick | null;
  /** Null where the schedule is gone. */
  schedule: ScheduleTrigger | null;
  /** All in ms since 1970. */
  workflowStartedAt: number;
  now: number;
}

export function admissionOf({ tick, schedule, workflowStartedAt, now }: Start): Admission {
  if (!tick || tick.run_id !== null) return 'by_hand';
  const deadline = Date.parse(tick.deadline);
  const isLateStart = workflowStartedAt > deadline + START_TOLERANCE_MS;
  switch (tick.outcome) {
    case null:
      // Only a buffer holds a tick back for longer than its window. Everything else that late is a backfill.
      if (isLateStart) return buffers(schedule) ? 'missed' : 'by_hand';
      return now > deadline ? 'missed' : 'fired';
    case 'missed':
      return isLateStart ? 'by_hand' : 'missed';
    case 'paused': {
      const jitter = schedule ? durationMs(schedule.jitter) : 0;
      const prompt = Date.parse(tick.scheduled_for) + jitter + PAUSE_RACE_MS;
      return workflowStartedAt <= prompt ? 'paused' : 'by_hand';
    }
    default:
      return 'by_hand';
  }
}

const buffers = (schedule: ScheduleTrigger | null): boolean =>
  schedule !== null && (schedule.overlap === 'buffer_one' || schedule.overlap === 'buffer_all');
