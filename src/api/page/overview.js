/** What is seen first: is it ready, how much waits, what needs somebody. */
import { isUnused, lagOf, outboxOf, stateOf, workOf } from './concerns.js';
import { code, element, replace, say } from './element.js';
import { at, commandLine, distance, many, markOf, upTo } from './words.js';

/** The readiness of the process that answers. */
export function showChecks(list, readiness) {
  const checks = Object.entries(readiness?.checks ?? {});
  const text = JSON.stringify(checks);
  if (list.dataset.shown === text) return;
  list.dataset.shown = text;
  replace(
    list,
    checks.map(([name, check]) => {
      const kind = isUnused(check) ? 'quiet' : check.ok ? 'good' : 'bad';
      return element(
        'li',
        { 'data-kind': kind, title: check.message },
        `${markOf(kind)} ${name}${kind === 'quiet' ? ' (not used here)' : ''}`,
      );
    }),
  );
}

/** Said aloud by screen readers where it changes: short, and only what matters. */
export function showState(place, { readiness, concerns, fault }) {
  const [kind, text] = stateOf({ readiness, concerns, fault });
  place.dataset.kind = kind;
  const said = `${markOf(kind)} ${text}`;
  say(place, said);
  if (!document.title.startsWith(said)) document.title = `${said} · activity-core`;
}

export function showGlance(list, overview, now) {
  const tiles = tilesOf(overview, now);
  // Made once, so that a link in them keeps its focus.
  if (list.childElementCount === 0)
    list.append(
      ...tiles.map(({ name, href }) =>
        element('div', {}, element('dt', {}, href ? element('a', { href }, name) : name), element('dd')),
      ),
    );
  for (const [index, { kind = 'quiet', number, what }] of tiles.entries()) {
    const tile = list.children[index];
    tile.dataset.kind = kind;
    replace(
      tile.lastElementChild,
      element('strong', {}, number, kind === 'quiet' ? '' : ` ${markOf(kind)}`),
      element('span', {}, what),
    );
  }
}

function tilesOf(overview, now) {
  const { counts, lag, last_event_at } = overview;
  const { kind: lagKind, short } = lagOf(lag);
  const unless0 = (count, kind) => (count > 0 ? kind : 'quiet');
  return [
    {
      name: 'In the stream',
      number: lag.messages === null ? '?' : String(lag.messages),
      kind: lagKind,
      what: short,
    },
    {
      name: 'At work',
      href: '#runs',
      number: upTo(counts.open_dispatches),
      kind: workOf(overview, now).kind,
      what: `${many(counts.running_runs, 'run')} running`,
    },
    {
      name: 'Failed',
      href: '#failed',
      number: upTo(counts.failed_runs_24h),
      kind: unless0(counts.failed_runs_24h, 'bad'),
      what: 'runs in 24 h',
    },
    {
      name: 'Refused',
      href: '#refused',
      number: upTo(counts.quarantine_open),
      kind: unless0(counts.quarantine_open, 'warn'),
      what: 'in quarantine',
    },
    {
      name: 'To be sent',
      href: '#pending',
      number: upTo(counts.outbox_pending),
      kind: outboxOf(overview, now).kind,
      what: 'task specs',
    },
    {
      name: 'Held',
      href: '#due',
      number: upTo(counts.held_events),
      kind: unless0(counts.held_events, 'warn'),
      what: 'while paused',
    },
    last_event_at
      ? { name: 'Last event', number: at(last_event_at, now), what: distance(last_event_at, now) }
      : { name: 'Last event', number: 'none', what: 'no event was accepted yet' },
  ];
}

export const concernLine = ({ kind, text, href, command }) => [
  element(
    'span',
    { class: 'badge', 'data-kind': kind },
    `${markOf(kind)} ${kind === 'bad' ? 'act' : 'look'}`,
  ),
  element('span', { class: 'text' }, href ? element('a', { href }, text) : text),
  command ? code(commandLine(command)) : null,
];
