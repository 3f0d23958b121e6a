/** Notes tell our pauses in Temporal from those that somebody made by hand. */
import type { DescribedSchedule } from './described-schedule.ts';

const OURS = 'activity-core: ';
export const DISABLED_NOTE = `${OURS}disabled`;

export const pauseNote = (reason: string): string => `${OURS}${reason}`;

export interface PauseFacts {
  /** As it is to be. */
  enabled: boolean;
  /** As it was applied last; null where it never was. */
  wasEnabled: boolean | null;
  /** Of our API; null where it is not paused. */
  pauseReason: string | null;
}

/** The note that the pause should carry; null where it should not be paused. */
export function wantedNote({ enabled, pauseReason }: PauseFacts): string | null {
  if (!enabled) return DISABLED_NOTE;
  return pauseReason === null ? null : pauseNote(pauseReason);
}

/** A pause by hand is kept whatever is applied: only who made it, or our resume, ends it. */
export function isPausedByHand(found: DescribedSchedule, facts: PauseFacts): boolean {
  if (!found.paused) return false;
  if (!found.note?.startsWith(OURS)) return true;
  return found.note !== DISABLED_NOTE && facts.pauseReason === null && facts.wasEnabled !== false;
}
