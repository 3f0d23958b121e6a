/** Notes tell our pauses in Temporal from those that somebody made by hand. */
import type { DescribedSchedule } from './described-schedule.ts';

const PAUSED = 'activity-core: paused: ';
const DISABLED_NOTE = 'activity-core: disabled';

export const pauseNote = (reason: string): string => `${PAUSED}${reason}`;
export const resumeNote = (reason: string): string => `activity-core: resumed: ${reason}`;

/** Of a pause that we made. Resuming has another note: a pause by hand that leaves it there is not taken for ours. */
const isNoteOfOurs = (note: string | null): boolean =>
  note !== null && (note === DISABLED_NOTE || note.startsWith(PAUSED));

export interface PauseFacts {
  /** As it is to be. */
  enabled: boolean;
  /** Of our API; null where it is not paused. */
  pauseReason: string | null;
}

/** The note that the pause should carry; null where it should not be paused. */
export function wantedNote({ enabled, pauseReason }: PauseFacts): string | null {
  if (!enabled) return DISABLED_NOTE;
  return pauseReason === null ? null : pauseNote(pauseReason);
}

/**
 * A pause by hand is kept whatever is applied: only who made it, or our resume, ends it. One with our note and no reason on
 * record is what a pause left behind whose transaction did not commit: an apply ends it.
 */
export const isPausedByHand = ({ paused, note }: DescribedSchedule): boolean => paused && !isNoteOfOurs(note);

/** The reason of a pause by hand; null where there is none. */
export const pauseByHandOf = (found: DescribedSchedule): string | null =>
  isPausedByHand(found) ? (found.note ?? 'the schedule is paused in Temporal') : null;
