/** What to write into the repository, or into the definition, so that the two are in step; and what that changes. */
import type { StepCheck } from './alignment-step.ts';
import { parseCron } from './cron.ts';
import { firesAt, fireTimesBetween, nextFireTimes, type Timetable } from './fire-times.ts';
import { createZone } from './zone.ts';

export interface CronInZone {
  cron: string;
  timezone: string;
}

/** `cron` null: leave it out, then the entry is due whenever the definition runs. */
export interface MendedCron {
  cron: string | null;
  timezone: string;
  /** What the repository gets that it did not ask for. Null where only the minute is another. */
  changes: string | null;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 366 * DAY;
const TIMES_COUNTED = 1000;
const TIMES_TRIED_FIRST = 3;

/**
 * The hours that the repository wants stay where they can: six in the morning becomes neither every hour nor six of
 * another zone. Then the nearest time that the definition has, then the definition's own cron.
 */
export function mendedCron(
  entry: CronInZone,
  definition: Timetable,
  stepOf: StepCheck,
  now: number,
): MendedCron {
  for (const candidate of candidatesFor(entry, definition, now)) {
    if (!stepOf(candidate, definition).in_step) continue;
    return { ...candidate, changes: changesOf(entry, candidate, now) };
  }
  return { cron: null, timezone: entry.timezone, changes: changesOf(entry, definition, now) };
}

function* candidatesFor(entry: CronInZone, definition: Timetable, now: number): Generator<CronInZone> {
  const [due = now] = nextFireTimes(entry, now, 1);
  const near = [...fireTimesBetween(definition, due - DAY, due + DAY)];
  const times = near.length > 0 ? near : nextFireTimes(definition, now, 1);
  const zones = new Set([entry.timezone, definition.timezone]);
  yield withMinutesOf(times, entry, entry.timezone);
  if (timeOfDay(entry) !== null) {
    for (const zone of zones) yield* atNearest(times, due, entry, zone);
  }
  yield withMinutesOf(times, entry, definition.timezone);
  const { cron, timezone } = definition;
  if (cron !== undefined) yield { cron, timezone };
}

/** As many minutes as the entry has, each the nearest that is free. */
function withMinutesOf(times: readonly number[], entry: CronInZone, timezone: string): CronInZone {
  const zone = createZone(timezone);
  const free = new Set(times.map((at) => minuteOf(at + zone.offsetAt(at))));
  const minutes = setOf(parseCron(entry.cron).minutes).flatMap((wanted) => {
    const [nearest] = [...free].sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted));
    if (nearest === undefined) return [];
    free.delete(nearest);
    return nearest;
  });
  const minute = minutes.sort((a, b) => a - b).join(',') || fieldsOf(entry.cron)[0];
  return { cron: [minute, ...fieldsOf(entry.cron).slice(1)].join(' '), timezone };
}

function* atNearest(
  times: readonly number[],
  due: number,
  entry: CronInZone,
  timezone: string,
): Generator<CronInZone> {
  const [nearest] = times.toSorted((a, b) => Math.abs(a - due) - Math.abs(b - due));
  if (nearest === undefined) return;
  const wall = new Date(nearest + createZone(timezone).offsetAt(nearest));
  const time = [wall.getUTCMinutes(), wall.getUTCHours()];
  yield { cron: [...time, ...fieldsOf(entry.cron).slice(2)].join(' '), timezone };
}

/** As in `this changes 06:30 Asia/Kolkata to 06:30 UTC, half as often`. */
function changesOf(before: CronInZone, after: Timetable, now: number): string | null {
  const kept = keptHours(before, after);
  const often = frequencyText(kept ?? ratePerDay(after, now) / ratePerDay(before, now));
  if (kept !== null || isNear(before, after, now)) return often && `this makes it due ${often}`;
  const times = timesText(before, after) ?? 'this changes the times at which it is due';
  return often === null ? times : `${times}, ${often}`;
}

/** Where only the minute is another, how often it is due beside before; else null. Spares walking through a year. */
function keptHours(before: CronInZone, after: Timetable): number | null {
  if (after.cron === undefined || after.timezone !== before.timezone) return null;
  const [old, mended] = [before.cron, after.cron].map((cron) => fieldsOf(cron).slice(1).join(' '));
  if (old !== mended) return null;
  return setOf(parseCron(after.cron).minutes).length / setOf(parseCron(before.cron).minutes).length;
}

function timesText(before: CronInZone, after: Timetable): string | null {
  const old = timeOfDay(before);
  const mended = timeOfDay(after);
  if (old === null || mended === null) return null;
  if (before.timezone === after.timezone && old.slice(0, 2) === mended.slice(0, 2)) return null;
  return `this changes ${old} ${before.timezone} to ${mended} ${after.timezone}`;
}

/** `06:30` where it fires at one time of the day. */
function timeOfDay({ cron }: Timetable): string | null {
  if (cron === undefined) return null;
  const { hours, minutes } = parseCron(cron);
  const [hour, ...otherHours] = setOf(hours);
  const [minute, ...otherMinutes] = setOf(minutes);
  if (otherHours.length > 0 || otherMinutes.length > 0) return null;
  return [hour, minute].map((part) => String(part).padStart(2, '0')).join(':');
}

function frequencyText(ratio: number): string | null {
  if (!Number.isFinite(ratio) || ratio === 0 || Math.abs(ratio - 1) < 0.05) return null;
  const times = Math.round(ratio > 1 ? ratio : 1 / ratio);
  if (times === 1) return ratio > 1 ? 'more often' : 'less often';
  if (times === 2) return ratio > 1 ? 'twice as often' : 'half as often';
  return ratio > 1 ? `${times} times as often` : `only one time in ${times}`;
}

function ratePerDay(timetable: Timetable, now: number): number {
  let count = 0;
  for (const at of fireTimesBetween(timetable, now, now + YEAR)) {
    count++;
    if (count === TIMES_COUNTED) return (count / (at - now)) * DAY;
  }
  return (count / YEAR) * DAY;
}

/** Whether less than an hour lies between each of its times and one of the other's. */
function isNear(before: CronInZone, after: Timetable, now: number): boolean {
  let count = 0;
  for (const at of fireTimesBetween(before, now, now + YEAR)) {
    if (fireTimesBetween(after, at - HOUR, at + HOUR - 1).next().done) return false;
    count++;
    if (count === TIMES_COUNTED) break;
  }
  return true;
}

/** Which of the repositories' own crons would put all of them in step, were it the definition's. Null where none does. */
export function cronForAll(
  wanted: readonly CronInZone[],
  timezone: string,
  stepOf: StepCheck,
  now: number,
): CronInZone | null {
  const first = wanted.flatMap((entry) => nextFireTimes(entry, now, TIMES_TRIED_FIRST));
  for (const { cron, timezone: own } of wanted) {
    for (const zone of new Set([timezone, own, 'UTC'])) {
      const candidate = { cron, timezone: zone };
      if (!first.every((at) => firesAt(candidate, at))) continue;
      if (wanted.every((entry) => stepOf(entry, candidate).in_step)) return candidate;
    }
  }
  return null;
}

const minuteOf = (wall: number): number => Math.floor((wall % HOUR) / MINUTE);
const setOf = (flags: readonly boolean[]): number[] => flags.flatMap((set, index) => (set ? index : []));
const fieldsOf = (cron: string): string[] => cron.trim().split(/\s+/);
