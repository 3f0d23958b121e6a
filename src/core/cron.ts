/** What a cron and a time zone may be: the part that Temporal and croner both understand in the same way. */
import { Cron, CronPattern } from 'croner';
import { quote, suggestion } from './wording.ts';

const FIELD = /^[\d*,/a-z-]+$/i;
const VALUE = '(?:\\d{1,2}|[a-z]{3})';
const ITEM = new RegExp(`^(?:\\*|(${VALUE})(?:-(${VALUE}))?)(?:/(\\d{1,2}))?$`, 'i');
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
interface Field {
  name: string;
  lowest: number;
  highest: number;
  /** Once around; croner takes no larger one. */
  largestStep: number;
  names: readonly string[];
}

/** In this order; a name counts from the lowest. */
const FIELDS: readonly Field[] = [
  { name: 'a minute', lowest: 0, highest: 59, largestStep: 60, names: [] },
  { name: 'an hour', lowest: 0, highest: 23, largestStep: 24, names: [] },
  { name: 'a day', lowest: 1, highest: 31, largestStep: 31, names: [] },
  { name: 'a month', lowest: 1, highest: 12, largestStep: 12, names: MONTHS },
  { name: 'a weekday', lowest: 0, highest: 7, largestStep: 7, names: WEEKDAYS },
];
const WEEKDAY = 4;
/** Temporal refuses a range that ends with SUN, and takes `1-7` for `1-6`. */
const TO_SUNDAY = /-sun|^(0?1|mon)-0?7(\/0?1)?$/i;
/** A fixed time, since whether a cron ever fires must not depend on today. */
const ANY_DAY = new Date('2024-01-01T00:00:00Z');

/** Which values match: `minutes[0]` is minute 0, `days[0]` the first of the month, `months[0]` January, `weekdays[0]` Sunday. */
export interface CronFields {
  minutes: boolean[];
  hours: boolean[];
  days: boolean[];
  months: boolean[];
  weekdays: boolean[];
}

/** The fields of a cron in which `cronFault` finds nothing wrong. Day of month and weekday must both match. */
export function parseCron(text: string): CronFields {
  const pattern = new CronPattern(text, undefined, { mode: '5-part' });
  return {
    minutes: pattern.minute.map(Boolean),
    hours: pattern.hour.map(Boolean),
    days: pattern.day.map(Boolean),
    months: pattern.month.map(Boolean),
    weekdays: pattern.dayOfWeek.map(Boolean),
  };
}

/** What is wrong with a cron of five fields, or null. */
export function cronFault(text: string): string | null {
  const found = `found ${quote(text)}`;
  const fields = text.split(/[ \t\r\n]+/).filter((field) => field !== '');
  if (fields[0]?.startsWith('@')) return `expected five cron fields, not a nickname; ${found}`;
  if (/^(CRON_)?TZ=/.test(fields[0] ?? '')) {
    return `expected the time zone in \`timezone\`, not in the cron; ${found}`;
  }
  if (fields.length === 6) return `expected five cron fields, without seconds; found six in \`${text}\``;
  if (fields.length !== 5) {
    return `expected five cron fields (minute hour day month weekday), as in \`15 * * * *\`; ${found}`;
  }
  for (const [index, field] of fields.entries()) {
    const fault = fieldFault(field, index);
    if (fault !== null) return fault;
  }
  try {
    const options = { mode: '5-part', timezone: 'UTC', domAndDow: true, paused: true } as const;
    const next = new Cron(text, options).nextRun(ANY_DAY);
    return next === null ? `expected a cron that fires one day; \`${text}\` never does` : null;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `expected a valid cron, ${found}: ${error.message.replace(/^CronPattern: /, '')}`;
  }
}

/** What croner would take otherwise than Temporal does. */
function fieldFault(field: string, index: number): string | null {
  if (!FIELD.test(field)) {
    return `expected digits, names, \`*\`, \`,\`, \`-\` and \`/\` in a cron; found ${quote(field)}`;
  }
  for (const item of field.split(',')) {
    const parts = ITEM.exec(item);
    if (!parts) {
      return `expected a number, a name of three letters, a range or \`*\`, the last two perhaps with a step, as in \`*/15\`; found ${quote(item)} in the cron`;
    }
    if (index === WEEKDAY && TO_SUNDAY.test(item)) {
      return `expected a range of weekdays that Temporal reads with its Sunday, as in \`0-6\` or \`5-7\`; found \`${item}\``;
    }
    const fault = itemFault(item, parts, index);
    if (fault !== null) return fault;
  }
  return null;
}

/** `parts`: of the item, its beginning, end and step where it has them. */
function itemFault(
  item: string,
  [, start, end, step]: readonly (string | undefined)[],
  index: number,
): string | null {
  const { name, lowest, highest, largestStep, names } = FIELDS[index]!;
  const numbers = [start, end].filter((value) => value !== undefined).map((value) => numberOf(value, index));
  if (numbers.some((value) => value === null || value < lowest || value > highest)) {
    const named = names.length > 0 ? `, or ${names[0]!.toUpperCase()} to ${names.at(-1)!.toUpperCase()}` : '';
    return `expected ${name} from ${lowest} to ${highest}${named}; found \`${item}\``;
  }
  const [from = null, to = null] = numbers;
  if (from !== null && to !== null && from > to) {
    const last = names.at(-1)?.toUpperCase() ?? highest;
    const first = names[0]?.toUpperCase() ?? lowest;
    return `expected the smaller end of a range first, as in \`${start}-${last},${first}-${end}\`; found \`${item}\``;
  }
  if (step !== undefined && (Number(step) < 1 || Number(step) > largestStep)) {
    return `expected a step from 1 to ${largestStep}; found \`${item}\``;
  }
  return null;
}

function numberOf(text: string, index: number): number | null {
  if (/^\d/.test(text)) return Number(text);
  const { lowest, names } = FIELDS[index]!;
  const at = names.indexOf(text.toLowerCase());
  return at < 0 ? null : lowest + at;
}

/** Names that Node knows and Temporal does not; some mean what nobody expects (BST is Dhaka). */
const ICU_ONLY =
  /^(SystemV\/.*|ACT|AET|AGT|ART|AST|BET|BST|CAT|CNT|CST|CTT|EAT|ECT|IET|IST|JST|MIT|NET|NST|PLT|PNT|PRT|PST|SST|VST)$/;

/** What is wrong with an IANA time zone, or null. Case counts, as it does where Temporal looks zones up. */
export function timezoneFault(name: string): string | null {
  const message = `unknown time zone ${quote(name)}; expected an IANA name, as in \`Europe/Berlin\``;
  if (!/^[A-Za-z]/.test(name) || ICU_ONLY.test(name)) return message;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    const sameButForCase = timeZone !== name && timeZone.toLowerCase() === name.toLowerCase();
    return sameButForCase ? `${message}; did you mean \`${timeZone}\`?` : null;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `${message}${suggestion(name, ['UTC', ...Intl.supportedValuesOf('timeZone')])}`;
  }
}
