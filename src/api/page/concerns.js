/** What somebody should look at, and how severe it is, made of what the service says of itself. Nothing here touches the page. */
import { clock, many, span } from './words.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** As readiness says it of what the roles of a process have nothing to do with. */
export const isUnused = ({ ok, message }) => ok && message === 'not used by this role';

/** The sign beside the name, as severe as the worst of the concerns. */
export function stateOf({ readiness, concerns, fault }) {
  if (fault?.code === 'unauthorized') return ['warn', 'Waits for the token'];
  if (fault) return ['bad', 'Not refreshed'];
  if (readiness?.status !== 'ready') return ['bad', 'Not ready'];
  const toActOn = concerns.filter(({ kind }) => kind === 'bad').length;
  if (toActOn > 0) return ['bad', `${toActOn} to act on · this process is ready`];
  if (concerns.length > 0) return ['warn', `${concerns.length} to look at · this process is ready`];
  return ['good', 'This process is ready · all quiet'];
}

/** From here on it is alerted on where it rises, too. */
const LARGE_LAG = 1_000;

export function lagOf({ messages, message, is_pulled }) {
  if (messages === null) return { kind: 'warn', short: message, text: `the lag is not known: ${message}` };
  const waiting = `${messages} ${messages === 1 ? 'message waits' : 'messages wait'} in the stream`;
  if (messages > 0 && is_pulled === false)
    return {
      kind: 'bad',
      short: 'nobody pulls',
      text: `${waiting} and nobody pulls: does a subscriber run?`,
    };
  if (messages > LARGE_LAG) return { kind: 'warn', short: 'not acknowledged', text: waiting };
  return { kind: 'quiet', short: 'not acknowledged', text: null };
}

/** A run that asks a model may take minutes; nothing that goes well takes an hour. */
export function workOf({ oldest_dispatch_at }, now) {
  const age = ageOf(oldest_dispatch_at, now);
  if (age <= 5 * MINUTE_MS) return { kind: 'quiet', text: null };
  return {
    kind: age > HOUR_MS ? 'bad' : 'warn',
    text: `what is at work for longest was handed over ${span(age)} ago: does a worker run, and what does it wait for?`,
  };
}

export function outboxOf({ counts, oldest_unsent_at }, now) {
  const age = ageOf(oldest_unsent_at, now);
  const late =
    age > HOUR_MS ? `a task spec has waited for ${span(age)} to be sent: does issue-core answer?` : null;
  const stopped =
    counts.outbox_stopped > 0
      ? `${many(counts.outbox_stopped, 'task spec')} of runs that are over will not be sent unasked`
      : null;
  return { kind: late || stopped ? 'bad' : 'quiet', late, stopped };
}

const ageOf = (time, now) => (time === null ? 0 : now - Date.parse(time));

/**
 * Worst first: `{ key, kind, text, href?, command? }`. `bad`: something is broken, or nothing will happen by itself; `warn`:
 * somebody should know. `command` is without the program's name.
 */
export function concernsOf({ readiness, overview, now }) {
  const concerns = [...processConcerns(readiness, now), ...(overview ? recordConcerns(overview, now) : [])];
  return [...concerns.filter(({ kind }) => kind === 'bad'), ...concerns.filter(({ kind }) => kind !== 'bad')];
}

function processConcerns(readiness, now) {
  const { checks = {}, expectations_breached: breached = [], notes = [] } = readiness ?? {};
  return [
    ...Object.entries(checks)
      .filter(([, { ok }]) => !ok)
      .map(([name, { message }]) => ({
        kind: 'bad',
        key: `check ${name}`,
        text: `${name} is not ready: ${message}`,
      })),
    ...breached.map(({ definition_id, run_every, last_completed_at, since }) => ({
      kind: 'bad',
      key: `breach ${definition_id}`,
      text: `${definition_id} is silent: expected every ${run_every}, late since ${clock(since, now)}, ${last_completed_at ? `last completed ${clock(last_completed_at, now)}` : 'never completed'}`,
      command: `ticks --definition ${definition_id}`,
    })),
    ...notes.map((note) => ({ kind: 'warn', key: `note ${note}`, text: note })),
  ];
}

function recordConcerns(overview, now) {
  const { counts, definitions, refused_and_not_kept } = overview;
  const [lag, work, outbox] = [lagOf(overview.lag), workOf(overview, now), outboxOf(overview, now)];
  const found = [];
  const add = (kind, key, text, rest = {}) => found.push({ kind, key, text, ...rest });
  if (lag.text) add(lag.kind, 'lag', lag.text);
  if (work.text) add(work.kind, 'work', work.text, { href: '#runs', command: 'runs list --status running' });
  if (counts.failed_runs_24h > 0)
    add('bad', 'failed', `${many(counts.failed_runs_24h, 'run')} failed within 24 hours`, {
      href: '#failed',
    });
  if (outbox.stopped)
    add('bad', 'stopped', outbox.stopped, { href: '#pending', command: 'tasks resume --all' });
  if (outbox.late) add('bad', 'late', outbox.late, { href: '#pending' });
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
        { command: `definitions resume ${definition_id}` },
      );
  if (counts.ticks_not_run_24h > 0)
    add(
      'warn',
      'ticks',
      `${many(counts.ticks_not_run_24h, 'scheduled run')} did not take place within 24 hours`,
      { href: '#ticks' },
    );
  return found;
}
