/** Times as people type and read them: RFC 3339 or a while ago; printed short, always in UTC. */
import { UsageError } from './usage-error.ts';

const RFC_3339 =
  /^\d{4}-\d\d-\d\d[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
const DURATION = /^(\d+[smhdw])+$/;
const MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** RFC 3339 in UTC, of `2026-11-20T08:15:00Z` or, counted back from `now`, of `2h`, `7d`, `1h30m`. */
export function parseMoment(option: string, text: string, now: Date): string {
  if (DURATION.test(text)) {
    const back = durationOf(text);
    const moment = new Date(now.getTime() - back);
    if (!Number.isNaN(moment.getTime())) return moment.toISOString();
  }
  return parseTime(option, text, 'a time like 2026-11-20T08:15:00Z, or a while ago like 30m, 2h or 7d');
}

export function parseTime(
  option: string,
  text: string,
  expected = 'a time like 2026-11-20T08:15:00Z',
): string {
  const time = RFC_3339.test(text) ? new Date(text) : null;
  if (time && !Number.isNaN(time.getTime()) && isInCalendar(text)) return time.toISOString();
  throw new UsageError(`${option} is \`${text}\`; expected ${expected}`);
}

/** `2026-11-20 08:15:00Z`; what is no time stays as it is. */
export function shortTime(time: string): string {
  const at = new Date(time);
  return Number.isNaN(at.getTime())
    ? time
    : at
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, 'Z');
}

/** `2026-11-20 09:15:00+01:00 Europe/Berlin`. What is no time, or a zone that is not known here, leaves it as it is. */
export function zonedTime(time: string, timezone: string): string {
  const at = new Date(time);
  if (Number.isNaN(at.getTime()) || !isKnownZone(timezone)) return time;
  // Swedish writes dates and times as ISO 8601 does.
  const clock = new Intl.DateTimeFormat('sv-SE', {
    timeZone: timezone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(at);
  const { value = 'GMT' } =
    new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' })
      .formatToParts(at)
      .find(({ type }) => type === 'timeZoneName') ?? {};
  return `${clock}${value === 'GMT' ? '+00:00' : value.replace('GMT', '')} ${timezone}`;
}

function isKnownZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** `40 ms`, `2.5 s`, `3 min 20 s`, `2 h 5 min`; null where both were recorded at one moment, as of a run that is one commit. */
export function timeBetween(start: string, end: string): string | null {
  const ms = Math.max(0, Date.parse(end) - Date.parse(start));
  if (ms < 1) return null;
  if (ms < 1000) return `${ms} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function durationOf(text: string): number {
  let total = 0;
  for (const [, count = '0', unit = 's'] of text.matchAll(/(\d+)([smhdw])/g))
    total += Number(count) * (MS[unit] ?? 0);
  return total;
}

/** `Date` takes the 30th of February for the 2nd of March. */
function isInCalendar(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  return month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}
