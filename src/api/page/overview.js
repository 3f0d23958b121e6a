/** What is seen first: is it ready, how much waits, what needs somebody. */
import { code, element, replace, say } from './element.js';
import { at, distance, many, markOf, upTo } from './words.js';

/** The readiness of the process that answers. */
export function showChecks(list, readiness) {
  const checks = Object.entries(readiness?.checks ?? {});
  const text = JSON.stringify(checks);
  if (list.dataset.shown === text) return;
  list.dataset.shown = text;
  replace(
    list,
    checks.map(([name, { ok, message }]) => {
      const kind = ok ? 'good' : 'bad';
      return element('li', { 'data-kind': kind, title: message }, `${markOf(kind)} ${name}`);
    }),
  );
}

/** Said aloud by screen readers where it changes: short, and only what matters. */
export function showState(place, { readiness, concerns, fault }) {
  const [kind, text] = stateOf(readiness, concerns, fault);
  place.dataset.kind = kind;
  const said = `${markOf(kind)} ${text}`;
  say(place, said);
  if (!document.title.startsWith(said)) document.title = `${said} · activity-core`;
}

function stateOf(readiness, concerns, fault) {
  if (fault?.code === 'unauthorized') return ['warn', 'Waits for the token'];
  if (fault) return ['bad', 'Not refreshed'];
  if (readiness?.status !== 'ready') return ['bad', 'Not ready'];
  const toActOn = concerns.filter(({ kind }) => kind === 'bad').length;
  if (toActOn > 0) return ['warn', `Ready · ${toActOn} to act on`];
  if (concerns.length > 0) return ['warn', `Ready · ${concerns.length} to look at`];
  return ['good', 'Ready · all is well'];
}

export function showGlance(list, { lag, counts, last_event_at }, now) {
  const tiles = [
    [
      'In the stream',
      lag.messages === null ? '?' : String(lag.messages),
      lag.messages === null ? 'warn' : 'quiet',
      lag.messages === null ? lag.message : 'not acknowledged',
      null,
    ],
    [
      'At work',
      upTo(counts.open_dispatches),
      'quiet',
      `${many(counts.running_runs, 'run')} running`,
      '#runs',
    ],
    [
      'Failed',
      upTo(counts.failed_runs_24h),
      counts.failed_runs_24h > 0 ? 'bad' : 'quiet',
      'runs in 24 h',
      '#failed',
    ],
    [
      'Refused',
      upTo(counts.quarantine_open),
      counts.quarantine_open > 0 ? 'warn' : 'quiet',
      'in quarantine',
      '#refused',
    ],
    [
      'To be sent',
      upTo(counts.outbox_pending),
      counts.outbox_pending > 0 ? 'warn' : 'quiet',
      'task specs',
      '#pending',
    ],
    ['Held', upTo(counts.held_events), counts.held_events > 0 ? 'warn' : 'quiet', 'while paused', '#due'],
  ];
  const last = last_event_at
    ? [at(last_event_at, now), distance(last_event_at, now)]
    : ['none', 'no event was accepted yet'];
  tiles.push(['Last event', last[0], 'quiet', last[1], null]);
  // Made once, so that a link in them keeps its focus.
  if (list.childElementCount === 0)
    list.append(
      ...tiles.map(([name, , , , href]) =>
        element('div', {}, element('dt', {}, href ? element('a', { href }, name) : name), element('dd')),
      ),
    );
  for (const [index, [, number, kind, what]] of tiles.entries()) {
    const tile = list.children[index];
    tile.dataset.kind = kind;
    replace(
      tile.lastElementChild,
      element('strong', {}, number, kind === 'quiet' ? '' : ` ${markOf(kind)}`),
      element('span', {}, what),
    );
  }
}

const DAY_MS = 86_400_000;

/** What somebody should look at, worst first: `{ key, kind, text, href?, command? }`. */
export function concernsOf({ readiness, overview, now }) {
  const concerns = [];
  const add = (kind, key, text, rest = {}) => concerns.push({ kind, key, text, ...rest });
  for (const [name, { ok, message }] of Object.entries(readiness?.checks ?? {}))
    if (!ok) add('bad', `check ${name}`, `${name} is not ready: ${message}`);
  for (const { definition_id, run_every, last_completed_at, since } of readiness?.expectations_breached ?? [])
    add(
      'bad',
      `breach ${definition_id}`,
      `${definition_id} is silent: expected every ${run_every}, late since ${since.slice(0, 16).replace('T', ' ')}, ${last_completed_at ? `last completed ${last_completed_at.slice(0, 16).replace('T', ' ')}` : 'never completed'}`,
      { command: `npx activity-core ticks --definition ${definition_id}` },
    );
  if (!overview) return concerns;
  const { counts, definitions, pending_tasks, ticks_not_run, lag, refused_and_not_kept } = overview;
  if (counts.failed_runs_24h > 0)
    add('bad', 'failed', `${many(counts.failed_runs_24h, 'run')} failed within 24 hours`, {
      href: '#failed',
    });
  const stuck = pending_tasks.filter(({ run_status }) => run_status !== 'running');
  if (stuck.length > 0)
    add('bad', 'stuck', `${many(stuck.length, 'task spec')} of runs that are over will not be sent unasked`, {
      href: '#pending',
      command: 'npx activity-core tasks resume --all',
    });
  for (const note of readiness?.notes ?? []) add('warn', `note ${note}`, note);
  if (counts.quarantine_open > 0)
    add('warn', 'refused', `${many(counts.quarantine_open, 'message')} refused and open`, {
      href: '#refused',
    });
  if (refused_and_not_kept > 0)
    add(
      'warn',
      'overflow',
      `${refused_and_not_kept} refused messages were counted and not kept: quarantine was full`,
    );
  for (const { definition_id, paused, pause_reason, enabled } of definitions)
    if (enabled && paused)
      add(
        'warn',
        `paused ${definition_id}`,
        `${definition_id} is paused: ${pause_reason ?? 'no reason was given'}`,
        { command: `npx activity-core definitions resume ${definition_id} --reason …` },
      );
  const missed = ticks_not_run.filter(({ scheduled_for }) => now - Date.parse(scheduled_for) < DAY_MS);
  if (missed.length > 0)
    add('warn', 'ticks', `${many(missed.length, 'scheduled run')} did not take place within 24 hours`, {
      href: '#ticks',
    });
  if (lag.messages === null) add('warn', 'lag', `the lag is not known: ${lag.message}`);
  return concerns;
}

export const concernLine = ({ kind, text, href, command }) => [
  element(
    'span',
    { class: 'badge', 'data-kind': kind },
    `${markOf(kind)} ${kind === 'bad' ? 'act' : 'look'}`,
  ),
  element('span', { class: 'text' }, href ? element('a', { href }, text) : text),
  command ? code(command) : null,
];
