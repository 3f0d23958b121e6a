/** One schedule as it is to be, as it was applied and as Temporal has it: whether that agrees. */
import type { ScheduleTrigger } from '../core/definition.ts';
import { canonicalJson } from '../core/json.ts';
import type { DefinitionRow } from '../store/definitions.ts';
import type { ScheduleRow } from '../store/schedules.ts';
import type { DescribedSchedule } from './described-schedule.ts';
import { isPausedByHand, wantedNote } from './pause-note.ts';
import type { PauseWish } from './temporal-schedules.ts';

export interface WantedSchedule {
  definition_hash: string;
  schedule: ScheduleTrigger;
  enabled: boolean;
}

export interface WantedState {
  wanted: WantedSchedule;
  row: ScheduleRow | null;
  found: DescribedSchedule | null;
  pauseReason: string | null;
}

export function wantedSchedule(
  row: Pick<DefinitionRow, 'definition_hash' | 'document'> | null | undefined,
): WantedSchedule | null {
  const schedule = row?.document.trigger.schedule;
  if (!row || !schedule) return null;
  return { definition_hash: row.definition_hash, schedule, enabled: row.document.enabled };
}

/** Crons are never compared with what Temporal says: it normalises them. Only what it said before and says now. */
export function isEditedByHand(row: ScheduleRow, found: DescribedSchedule): boolean {
  return canonicalJson(found.applied) !== canonicalJson(row.described);
}

export function isBehind(wanted: WantedSchedule, row: ScheduleRow): boolean {
  const applied = { definition_hash: row.definition_hash, schedule: row.schedule, enabled: row.enabled };
  return canonicalJson(applied) !== canonicalJson(wanted);
}

/** Nothing is to be done; a pause by hand does not count. */
export function isInStep({ wanted, row, found, pauseReason }: WantedState): boolean {
  if (!row || !found?.is_ours || isBehind(wanted, row) || isEditedByHand(row, found)) return false;
  const facts = { enabled: wanted.enabled, pauseReason };
  return isPausedByHand(found) || found.paused === (wantedNote(facts) !== null);
}

export function pauseWish({ found, wanted, pauseReason }: WantedState): PauseWish {
  const facts = { enabled: wanted.enabled, pauseReason };
  const note = wantedNote(facts);
  if (found && isPausedByHand(found)) return 'keep';
  if (note !== null) return found?.paused && found.note === note ? 'keep' : { note };
  return found?.paused ? 'unpause' : 'keep';
}
