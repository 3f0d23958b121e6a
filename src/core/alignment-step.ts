/** Whether a definition's schedule fires whenever a repository's cron does. */
import { fireTimesBetween, nextFireTimes, type Timetable } from './fire-times.ts';

export type Step =
  | { in_step: true }
  /** `first_missed`: ms since 1970. */
  | { in_step: false; relation: 'never' | 'partly'; first_missed: number };

export type StepCheck = (entry: Timetable, definition: Timetable) => Step;

const LOOKED_AT_MS = 366 * 86_400_000;
const MOST_TIMES = 10_000;
const STEPS_WORTH_A_BEGINNING = 8;

/** Thousands of entries share a few crons: each pair is compared once. */
export function createStepCheck(now: number): StepCheck {
  const known = new Map<string, Step>();
  return (entry, definition) => {
    const key = JSON.stringify([entry, definition]);
    const step = known.get(key) ?? compare(entry, definition, now);
    known.set(key, step);
    return step;
  };
}

function compare(entry: Timetable, definition: Timetable, now: number): Step {
  const alsoFires = createFollower(definition);
  let common = false;
  let firstMissed: number | null = null;
  for (const at of timesOf(entry, now)) {
    if (alsoFires(at)) common = true;
    else firstMissed ??= at;
    if (common && firstMissed !== null) break;
  }
  if (firstMissed === null) return { in_step: true };
  return { in_step: false, relation: common ? 'partly' : 'never', first_missed: firstMissed };
}

/** Whether it fires at a time, for times that ascend. Each new beginning costs as much as about eight steps. */
function createFollower(timetable: Timetable): (at: number) => boolean {
  let times: Iterator<number> | null = null;
  let current = Number.NEGATIVE_INFINITY;
  let gap = 0;
  return (at) => {
    if (!times || (gap > 0 && (at - current) / gap > STEPS_WORTH_A_BEGINNING)) {
      times = fireTimesBetween(timetable, at - 1, Number.POSITIVE_INFINITY);
      current = times.next().value ?? Number.POSITIVE_INFINITY;
      gap = 0;
    }
    while (current < at) {
      const next: number = times.next().value ?? Number.POSITIVE_INFINITY;
      gap = next - current;
      current = next;
    }
    return current === at;
  };
}

/** Of the year to come; where it has none (29 February), the next one at all. */
function* timesOf(entry: Timetable, now: number): Generator<number> {
  let count = 0;
  for (const at of fireTimesBetween(entry, now, now + LOOKED_AT_MS)) {
    yield at;
    count++;
    if (count >= MOST_TIMES) return;
  }
  if (count === 0) yield* nextFireTimes(entry, now, 1);
}
