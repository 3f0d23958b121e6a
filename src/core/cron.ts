/** What a cron and a time zone may be: the part that Temporal and croner both understand in the same way. */
import { Cron } from 'croner';
import { quote, suggestion } from './wording.ts';

const FIELD = /^[\d*,/a-z-]+$/i;
/** A fixed time, since whether a cron ever fires must not depend on today. */
const ANY_DAY = new Date('2024-01-01T00:00:00Z');

/** What is wrong with a cron of five fields, or null. */
export function cronFault(text: string): string | null {
  const found = `found ${quote(text)}`;
  const fields = text.trim().split(/\s+/);
  if (text.trim().startsWith('@')) return `expected five cron fields, not a nickname; ${found}`;
  if (fields.length === 6) return `expected five cron fields, without seconds; found six in \`${text}\``;
  if (fields.length !== 5) {
    return `expected five cron fields (minute hour day month weekday), as in \`15 * * * *\`; ${found}`;
  }
  const foreign = fields.find((field) => !FIELD.test(field));
  if (foreign !== undefined)
    return `expected digits, names, \`*\`, \`,\`, \`-\` and \`/\` in a cron; found \`${foreign}\``;
  try {
    const next = new Cron(text, { mode: '5-part', timezone: 'UTC', paused: true }).nextRun(ANY_DAY);
    return next === null ? `expected a cron that fires one day; \`${text}\` never does` : null;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `expected a valid cron, ${found}: ${error.message.replace(/^CronPattern: /, '')}`;
  }
}

/** What is wrong with an IANA time zone, or null. Case counts, as it does where Temporal looks zones up. */
export function timezoneFault(name: string): string | null {
  const message = `unknown time zone ${quote(name)}; expected an IANA name, as in \`Europe/Berlin\``;
  if (!/^[A-Za-z]/.test(name)) return message;
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    const sameButForCase = timeZone !== name && timeZone.toLowerCase() === name.toLowerCase();
    return sameButForCase ? `${message}; did you mean \`${timeZone}\`?` : null;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `${message}${suggestion(name, ['UTC', ...Intl.supportedValuesOf('timeZone')])}`;
  }
}
