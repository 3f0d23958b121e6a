/**
 * When a schedule fires, exactly as Temporal computes it (server 1.29.1, the scheduler's `calendar.go` and `spec.go`).
 *
 * The walk below is Temporal's own, step by step, since its grid is not what a cron library would say: all five
 * fields must match, and east of Greenwich Temporal misplaces times around the hour that the clock repeats in autumn.
 * A grid that were right there would call real ticks foreign and wait for ticks that never come.
 */
import { type CronFields, parseCron } from './cron.ts';
import { durationMs } from './duration.ts';
import { createZone, type Zone } from './zone.ts';

const SECOND = 1000;
const HOUR = 3_600_000;
/** Temporal looks no further. */
const LAST_YEAR = 2100;
const HORIZON = Date.UTC(LAST_YEAR + 1, 0, 1);

/** When a schedule fires: `cron` with its `timezone`, or `every`. Part of trigger.schedule. */
export interface Timetable {
  cron?: string | undefined;
  every?: string | undefined;
  timezone: string;
}

/** Fire times after `after` up to and including `until` (ms since 1970), ascending. Both are valid by the schema. */
export function* fireTimesBetween(timetable: Timetable, after: number, until: number): Generator<number> {
  const walk = timetable.every === undefined ? cronWalk(timetable) : intervalWalk(timetable.every);
  let at = walk.start(after);
  for (;;) {
    const next = walk.next(at);
    if (next === null || next > until || next >= HORIZON) return;
    if (next > after && next > at) yield next;
    // In a few time zones of the past Temporal's walk goes back and would not end.
    at = Math.max(next, at + SECOND);
  }
}

/** The next `count` fire times after `after`. Fewer where there are no more before the year 2101. */
export function nextFireTimes(timetable: Timetable, after: number, count: number): number[] {
  const times: number[] = [];
  if (count < 1) return times;
  for (const at of fireTimesBetween(timetable, after, HORIZON)) {
    times.push(at);
    if (times.length >= count) break;
  }
  return times;
}

/** The newest `count` fire times after `after` up to and including `until`, ascending. The time between may be years. */
export function newestFireTimes(
  timetable: Timetable,
  { after, until, count }: { after: number; until: number; count: number },
): number[] {
  for (let span = HOUR; ; span *= 8) {
    const from = Math.max(after, until - span);
    const times = [...fireTimesBetween(timetable, from, until)];
    if (from <= after || times.length >= count) return times.slice(-count);
  }
}

/** Whether it fires at exactly this time. */
export function firesAt(timetable: Timetable, at: number): boolean {
  return !fireTimesBetween(timetable, at - 1, at).next().done;
}

interface Walk {
  /** Where to begin so that everything after `after` is found. */
  start(after: number): number;
  next(after: number): number | null;
}

/** Aligned to 1970 and cut to whole seconds. */
function intervalWalk(every: string): Walk {
  const interval = Math.max(Math.trunc(durationMs(every) / SECOND), 1) * SECOND;
  return {
    start: (after) => after,
    next: (after) => (Math.floor(after / interval) + 1) * interval,
  };
}

/**
 * Around a repeated hour Temporal's next time depends on where it was before, so a walk that began there would not
 * find what a schedule does that has been running. It begins well before, as the schedule did.
 */
function cronWalk({ cron, timezone }: Timetable): Walk {
  const fields = parseCron(cron ?? '');
  const zone = zoneNamed(timezone);
  return {
    start(after) {
      const moves = zone.offsetAt(after - 4 * HOUR) !== zone.offsetAt(after + 4 * HOUR);
      return moves ? after - 12 * HOUR : after;
    },
    next: (after) => nextCronTime(fields, zone, after),
  };
}

/** Each zone once, since to make one is slow and what it answers never changes. */
const zones = new Map<string, Zone>();

function zoneNamed(timezone: string): Zone {
  const zone = zones.get(timezone) ?? createZone(timezone);
  zones.set(timezone, zone);
  return zone;
}

/** Keep this as it is in Temporal, also where it looks wrong or could be shorter: see the top of the file. */
function nextCronTime(fields: CronFields, zone: Zone, after: number): number | null {
  const start = Math.floor(after / SECOND) * SECOND;
  const clock = wallClock(zone, start);
  let year = clock.getUTCFullYear();
  let month = clock.getUTCMonth();
  let day = clock.getUTCDate();
  let hour = clock.getUTCHours();
  let minute = clock.getUTCMinutes();
  let second = clock.getUTCSeconds() + 1;
  let repeated = wallClock(zone, start - HOUR).getUTCHours() === hour ? HOUR : 0;

  search: for (;;) {
    if (second >= 60) [minute, second] = [minute + 1, 0];
    if (minute >= 60) {
      minute = 0;
      const length =
        instant(zone, Date.UTC(year, month, day, hour + 1)) - instant(zone, Date.UTC(year, month, day, hour));
      if (repeated === 0 && length > HOUR) {
        repeated = HOUR;
      } else {
        hour++;
        repeated = 0;
      }
    }
    if (hour >= 24) [day, hour] = [day + 1, 0];
    if (day > daysInMonth(year, month)) [month, day] = [month + 1, 1];
    if (month > 11) [year, month] = [year + 1, 0];
    if (year > LAST_YEAR) return null;

    while (!fields.months[month]) {
      [month, day, hour, minute, second, repeated] = [month + 1, 1, 0, 0, 0, 0];
      if (month > 11) continue search;
    }
    while (
      !fields.days[day - 1] ||
      !fields.weekdays[weekday(zone, Date.UTC(year, month, day, hour, minute, second))]
    ) {
      [day, hour, minute, second, repeated] = [day + 1, 0, 0, 0, 0];
      if (day > daysInMonth(year, month)) continue search;
    }
    while (!fields.hours[hour]) {
      [hour, minute, second, repeated] = [hour + 1, 0, 0, 0];
      if (hour >= 24) continue search;
    }
    while (!fields.minutes[minute]) {
      [minute, second] = [minute + 1, 0];
      if (minute >= 60) continue search;
    }
    if (second > 0) {
      second = 60;
      continue;
    }
    const found = instant(zone, Date.UTC(year, month, day, hour, minute));
    if (wallClock(zone, found).getUTCHours() === hour) return found + repeated;
    [hour, minute, second] = [hour + 1, 0, 0];
  }
}

/** The wall clock at `at`, in the UTC fields of the date. */
function wallClock(zone: Zone, at: number): Date {
  return new Date(at + zone.offsetAt(at));
}

/** As Go's `time.Date` picks among the instants of an ambiguous wall clock, and answers for a skipped one. */
function instant(zone: Zone, wall: number): number {
  return wall - zone.offsetAt(wall - zone.offsetAt(wall));
}

function weekday(zone: Zone, wall: number): number {
  return wallClock(zone, instant(zone, wall)).getUTCDay();
}

function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
}
