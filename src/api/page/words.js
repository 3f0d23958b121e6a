/** How times, states and numbers are said. */
import { element, say } from './element.js';

/** Status, outcome, state → its kind, which gives the colour, and a mark, so that colour is never alone. */
const KINDS = {
  good: [
    '✓',
    [
      'completed',
      'created',
      'audited',
      'fired',
      'accepted',
      'clean',
      'ready',
      'filed',
      'answered',
      'yes',
      'trusted',
    ],
  ],
  bad: [
    '✕',
    ['failed', 'filter_error', 'quarantined', 'dirty', 'not_ready', 'invalid', 'breached', 'refused'],
  ],
  warn: ['!', ['pending', 'held', 'missed', 'overlapped', 'paused', 'not trusted', 'warning']],
  busy: ['▸', ['running']],
};

export function kindOf(word) {
  return Object.entries(KINDS).find(([, [, words]]) => words.includes(word))?.[0] ?? 'quiet';
}

export const markOf = (kind) => KINDS[kind]?.[0] ?? '·';

/** The state as a word with its mark. */
export function badge(word, kind = kindOf(word)) {
  return element(
    'span',
    { class: 'badge', 'data-kind': kind },
    `${markOf(kind)} ${word.replaceAll('_', ' ')}`,
  );
}

const DAY_MS = 86_400_000;

/** UTC; today's without the date. */
export function clock(time, now) {
  const text = new Date(time).toISOString();
  const isToday = text.slice(0, 10) === new Date(now).toISOString().slice(0, 10);
  return isToday ? text.slice(11, 19) : text.slice(5, 16).replace('T', ' ');
}

/** What is today's and how long ago it was change while they are shown: `refreshTimes` says them again. */
export function at(time, now) {
  if (!time) return null;
  const text = new Date(time).toISOString();
  return element('time', { datetime: text, title: text }, clock(time, now));
}

/** What does not refresh itself says when it was read. */
export const asOf = (now) => element('p', { class: 'quiet as-of' }, 'As of ', at(now, now), ' UTC.');

/** `in 4 min`, `12 s ago`. */
export function distance(time, now) {
  return element(
    'span',
    { class: 'distance', 'data-time': new Date(time).toISOString() },
    said(Date.parse(time) - now),
  );
}

export function refreshTimes(root, now) {
  for (const each of root.querySelectorAll('time[datetime]')) say(each, clock(each.dateTime, now));
  for (const each of root.querySelectorAll('[data-time]'))
    say(each, said(Date.parse(each.dataset.time) - now));
}

function said(milliseconds) {
  const size = span(Math.abs(milliseconds));
  return milliseconds > 0 ? `in ${size}` : `${size} ago`;
}

/** The largest unit that is not nothing. */
export function span(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (milliseconds < 2 * DAY_MS) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(milliseconds / DAY_MS)} days`;
}

/** Counts of the overview stop at a thousand. */
export const upTo = (count) => (count >= 1000 ? '1000+' : String(count));

export const many = (count, one, more = `${one}s`) => `${upTo(count)} ${count === 1 ? one : more}`;

export function bytes(count) {
  if (count < 1024) return `${count} B`;
  return count < 1024 ** 2 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1024 ** 2).toFixed(1)} MiB`;
}

/** To be pasted where the checkout is: it asks the service that this page is of. */
export const commandLine = (words) => `npx activity-core ${words} --api ${location.origin}`;

/** What started a run, in a few words. */
export function triggerOf({ trigger }) {
  const { kind, event_id, scheduled_for, requested_by } = trigger;
  if (kind === 'event') return `event ${event_id ?? ''}`;
  if (kind === 'schedule') return `due ${scheduled_for?.slice(5, 16).replace('T', ' ') ?? ''}`;
  return `${kind === 'retry' ? 'retry' : 'by hand'}${requested_by ? `, ${requested_by}` : ''}`;
}
