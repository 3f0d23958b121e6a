/** What somebody changed in Temporal by hand, told in the terms of the definition where one fits. */
import { z } from 'zod';
import type { ScheduleTrigger } from '../core/definition.ts';
import { canonicalJson, type Json, type JsonObject } from '../core/json.ts';
import type { ScheduleRow } from '../store/schedules.ts';
import type { DescribedSchedule } from './described-schedule.ts';
import { diffFields, type Field } from './fields.ts';
import { isPausedByHand, wantedNote } from './pause-note.ts';
import { isEditedByHand } from './schedule-state.ts';

export interface Drift {
  /** What an apply restores. */
  restored: Field[];
  /** A pause by hand: an apply keeps it. */
  kept: Field[];
}

/** `from` is what Temporal has, `to` what is declared. */
export function driftOf(
  row: ScheduleRow,
  found: DescribedSchedule | null,
  declared: ScheduleTrigger,
  pauseReason: string | null,
): Drift {
  if (!found) return { restored: [{ path: 'trigger.schedule', from: null, to: { ...declared } }], kept: [] };
  const edited = isEditedByHand(row, found) ? editedFields(row.described, found.applied, declared) : [];
  const facts = { enabled: row.enabled, pauseReason };
  const note = wantedNote(facts);
  if (isPausedByHand(found)) {
    const paused = note === null ? [{ path: 'paused', from: true, to: false }] : [];
    const why = found.note === null ? [] : [{ path: 'temporal.note', from: found.note, to: note }];
    return { restored: edited, kept: [...paused, ...why] };
  }
  const isPauseLost = found.paused !== (note !== null);
  const paused = isPauseLost ? [{ path: 'paused', from: found.paused, to: !found.paused }] : [];
  return { restored: [...edited, ...paused], kept: [] };
}

function editedFields(described: Json, applied: JsonObject, declared: ScheduleTrigger): Field[] {
  const differences = diffFields(applied, described);
  const isTimetable = ({ path }: Field) => /^spec\.(calendars|intervals)/.test(path);
  return [
    ...(differences.some(isTimetable) ? timetableFields(applied, declared) : []),
    ...differences
      .filter((field) => !isTimetable(field))
      .map((field): Field => {
        const { path, from } = field;
        const timeOf = (value: Json) => (typeof value === 'number' ? durationText(value) : value);
        switch (path) {
          case 'spec.timezone':
            return { path: 'trigger.schedule.timezone', from, to: declared.timezone };
          case 'spec.jitter_ms':
            return { path: 'trigger.schedule.jitter', from: timeOf(from), to: declared.jitter };
          case 'policies.overlap':
            return {
              path: 'trigger.schedule.overlap',
              from: String(from).toLowerCase(),
              to: declared.overlap,
            };
          case 'policies.catchup_window_ms':
            return {
              path: 'trigger.schedule.catchup_window',
              from: timeOf(from),
              to: declared.catchup_window,
            };
          default:
            return { ...field, path: `temporal.${path}` };
        }
      }),
  ];
}

const bound = z.union([z.number(), z.string()]);
const ranges = z.array(z.object({ start: bound, end: bound, step: z.number() }));
const calendarShape = z.object({
  second: ranges,
  minute: ranges,
  hour: ranges,
  dayOfMonth: ranges,
  month: ranges,
  year: ranges,
  dayOfWeek: ranges,
});
const timetableShape = z.object({
  spec: z.object({
    calendars: z.array(calendarShape).default([]),
    intervals: z.array(z.object({ every: z.number(), offset: z.number().default(0) })).default([]),
  }),
});
type Calendar = z.output<typeof calendarShape>;
type Range = z.output<typeof ranges>[number];

function timetableFields(applied: JsonObject, declared: ScheduleTrigger): Field[] {
  const { calendars, intervals } = timetableShape.parse(applied).spec;
  const cron = listText(calendars.map(cronText));
  const every = listText(intervals.map(intervalText));
  return [
    { path: 'trigger.schedule.cron', from: cron, to: declared.cron ?? null },
    { path: 'trigger.schedule.every', from: every, to: declared.every ?? null },
  ].filter(({ from, to }) => from !== null || to !== null);
}

const listText = (texts: string[]): string | null => (texts.length === 0 ? null : texts.join(' and '));

/** A calendar as five cron fields; as JSON where it says more than those can. */
function cronText(calendar: Calendar): string {
  const textOf = (found: Range[]) => found.map(rangeText).join(',');
  if (textOf(calendar.second) !== '0' || calendar.year.length > 0) return canonicalJson(calendar);
  const fields: [found: Range[], all: string][] = [
    [calendar.minute, '0-59'],
    [calendar.hour, '0-23'],
    [calendar.dayOfMonth, '1-31'],
    [calendar.month, 'JAN-DEC'],
    [calendar.dayOfWeek, 'SUN-SAT'],
  ];
  return fields
    .map(([found, all]) => {
      const text = textOf(found);
      return text === all ? '*' : text.replace(`${all}/`, '*/');
    })
    .join(' ');
}

function rangeText({ start, end, step }: Range): string {
  const [from, to] = [start, end].map((bound) => (typeof bound === 'string' ? bound.slice(0, 3) : bound));
  if (from === to) return `${from}`;
  return step > 1 ? `${from}-${to}/${step}` : `${from}-${to}`;
}

function intervalText({ every, offset }: { every: number; offset: number }): string {
  return offset ? `${durationText(every)} from ${durationText(offset)}` : durationText(every);
}

/** `3600000` → `1h`, as authors write it. */
function durationText(ms: number): string {
  const [unit, length] =
    [
      ['d', 86_400_000] as const,
      ['h', 3_600_000] as const,
      ['m', 60_000] as const,
      ['s', 1000] as const,
    ].find(([, each]) => ms >= each && ms % each === 0) ??
    (ms === 0 ? (['s', 1] as const) : (['ms', 1] as const));
  return `${ms / length}${unit}`;
}
