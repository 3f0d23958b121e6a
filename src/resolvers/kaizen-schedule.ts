/** `.kaizen/schedule.yml` of a target repository: bytes → its entries, or why it is skipped (contract 3). */
import { z } from 'zod';
import { cronFault, timezoneFault } from '../core/cron.ts';
import { type Fault, formatPath, parseDocument, type SourceDocument } from '../core/document.ts';
import { checkShape, locateProblem, type ShapeProblem } from '../core/shape.ts';

export const SCHEDULE_FILE = '.kaizen/schedule.yml';
export const MAX_SCHEDULE_BYTES = 64 * 1024;
export const CADENCES = ['daily', 'weekly', 'monthly'] as const;
export type Cadence = (typeof CADENCES)[number];

/** A slug or an agent: both go into tasks and into their `dedupe_key`. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
export const NAME_RULE = 'letters, digits, `.`, `_` and `-`, at most 100, the first a letter or digit';

/** So that one repository cannot flood the run of all. */
const MAX_ENTRIES = 100;

export interface ScheduleEntry {
  agent: string;
  cadence: Cadence;
  cron: string | null;
  timezone: string;
}

export interface Schedule {
  engagement: string | null;
  /** Without the disabled ones. */
  entries: ScheduleEntry[];
}

/** `message` names the file, and the place in it. */
export type ScheduleReading =
  | { ok: true; schedule: Schedule }
  | { ok: false; code: 'malformed' | 'invalid_cadence'; message: string };

/** The reader remembers which crons and time zones it has checked: thousands of repositories share a few. */
export function createScheduleReader(): (bytes: Uint8Array) => ScheduleReading {
  const schema = scheduleSchema();
  return (bytes) => {
    const parsed = parseDocument(bytes, MAX_SCHEDULE_BYTES);
    if (!parsed.ok)
      return { ok: false, code: 'malformed', message: tellFaults(SCHEDULE_FILE, parsed.faults) };
    const { document } = parsed;
    const shaped = checkShape(schema, document.value);
    if (!shaped.ok) return refuse(document, shaped.problems);
    const { engagement = null, schedules } = shaped.value;
    const repeated = findRepeated(schedules);
    if (repeated.length > 0) return refuse(document, repeated);
    const entries = schedules.flatMap(({ enabled, agent, cadence, cron = null, timezone }) =>
      enabled ? [{ agent, cadence, cron, timezone }] : [],
    );
    return { ok: true, schedule: { engagement, entries } };
  };
}

/** The first fault, with its place, and how many more there are. */
export function tellFaults(file: string, faults: readonly Fault[]): string {
  const [first] = faults;
  if (!first) return file;
  const { line, column, path, message } = first;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  const field = path.length > 0 ? ` ${formatPath(path)}:` : '';
  return `${file}:${line}:${column}${field} ${message}${more}`;
}

function scheduleSchema() {
  const entry = z.strictObject({
    agent: z.string().regex(NAME, NAME_RULE),
    cadence: z.enum(CADENCES),
    cron: checkedOnce(cronFault).optional(),
    timezone: checkedOnce(timezoneFault).default('UTC'),
    enabled: z.boolean().default(true),
  });
  return z.strictObject({
    version: z.literal(1),
    engagement: z.string().min(1).max(200).optional(),
    schedules: z.array(entry).max(MAX_ENTRIES),
  });
}

function checkedOnce(fault: (text: string) => string | null) {
  const known = new Map<string, string | null>();
  return z.string().superRefine((text, context) => {
    if (!known.has(text)) known.set(text, fault(text));
    const message = known.get(text);
    if (message) context.addIssue({ code: 'custom', message });
  });
}

function refuse(document: SourceDocument, problems: readonly ShapeProblem[]): ScheduleReading {
  const onlyCadences = problems.every((problem) => isWrongCadence(document, problem));
  const code = onlyCadences ? 'invalid_cadence' : 'malformed';
  // A cadence stands behind the rest: the code and the fault that is told must agree.
  const told = onlyCadences ? problems : problems.filter((problem) => !isWrongCadence(document, problem));
  const faults = told.map((problem) => locateProblem(document, problem));
  const message = tellFaults(SCHEDULE_FILE, faults);
  if (!onlyCadences) return { ok: false, code, message };
  const isHourly = problems.some(({ path }) => valueAt(document, path) === 'hourly');
  const advice = isHourly
    ? '; to run every hour keep `cadence: daily` and put the hours into `cron`, as in `15 * * * *`'
    : '';
  return { ok: false, code, message: `${message}${advice}` };
}

function isWrongCadence(document: SourceDocument, { path }: ShapeProblem): boolean {
  const isCadence = path.length === 3 && path[0] === 'schedules' && path[2] === 'cadence';
  return isCadence && valueAt(document, path) !== undefined;
}

function valueAt(document: SourceDocument, path: readonly (string | number)[]): unknown {
  let value: unknown = document.value;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

/** An agent has one schedule of a cadence; disabled ones may stand beside it. */
function findRepeated(
  schedules: readonly { agent: string; cadence: Cadence; enabled: boolean }[],
): ShapeProblem[] {
  const seen = new Set<string>();
  return schedules.flatMap(({ agent, cadence, enabled }, index): ShapeProblem[] => {
    const key = `${cadence} ${agent}`;
    if (!enabled || !seen.has(key)) {
      if (enabled) seen.add(key);
      return [];
    }
    const message = `the agent \`${agent}\` has a second ${cadence} schedule here`;
    return [{ path: ['schedules', index, 'agent'], at: 'value', message }];
  });
}
