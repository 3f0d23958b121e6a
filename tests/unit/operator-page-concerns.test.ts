/** What the page calls fine, worth a look, and to be acted on. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { quietOverview, READY } from '../setup/operator-page-answers.ts';

type Concern = { kind: 'bad' | 'warn'; key: string; text: string };
interface Concerns {
  concernsOf(seen: { readiness: object; overview: object | null; now: number }): Concern[];
  stateOf(seen: {
    readiness: object;
    concerns: Concern[];
    fault: object | null;
  }): [kind: string, text: string];
  isUnused(check: { ok: boolean; message: string }): boolean;
}
// A module of the page: it has no types of its own.
const page = new URL('../../src/api/page/concerns.js', import.meta.url).href;
const { concernsOf, stateOf, isUnused }: Concerns = await import(page);

const NOW = '2026-11-20T12:00:00.000Z';
const quiet = quietOverview(NOW);
const now = Date.parse(NOW);
const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString();
const counts = (change: object) => ({ counts: { ...quiet.counts, ...change } });
const lag = (change: object) => ({ lag: { ...quiet.lag, ...change } });

function look(change: object, readiness: object = READY) {
  const concerns = concernsOf({ readiness, overview: { ...quiet, ...change }, now });
  return { concerns, state: stateOf({ readiness, concerns, fault: null }) };
}

test('nothing is a concern where everything is quiet', () => {
  expect(look({})).toEqual({
    concerns: [],
    state: ['good', 'This process is ready · all quiet'],
  });
});

test.each<[string, 'bad' | 'warn', object, RegExp]>([
  [
    'messages that nobody pulls',
    'bad',
    lag({ messages: 1, is_pulled: false }),
    /^1 message waits .* nobody pulls/,
  ],
  ['many messages', 'warn', lag({ messages: 1_001 }), /^1001 messages wait/],
  [
    'a lag that is not known',
    'warn',
    lag({ messages: null, is_pulled: null, message: 'NATS: gone' }),
    /NATS: gone/,
  ],
  ['work of six minutes', 'warn', { oldest_dispatch_at: ago(6) }, /handed over 6 min ago/],
  ['work of two hours', 'bad', { oldest_dispatch_at: ago(125) }, /handed over 2 h ago/],
  ['a spec unsent for two hours', 'bad', { oldest_unsent_at: ago(125) }, /waited for 2 h/],
  [
    'specs that nobody sends',
    'bad',
    counts({ outbox_stopped: 1_000 }),
    /^1000\+ task specs of runs that are over/,
  ],
  ['failed runs', 'bad', counts({ failed_runs_24h: 2 }), /^2 runs failed/],
  ['ticks that did not run', 'warn', counts({ ticks_not_run_24h: 40 }), /^40 scheduled runs did not/],
  ['refused messages', 'warn', counts({ quarantine_open: 1 }), /^1 message refused/],
])('%s: %s', (_what, kind, change, text) => {
  const { concerns, state } = look(change);
  expect(concerns).toMatchObject([{ kind, text: expect.stringMatching(text) }]);
  expect(state).toEqual([
    kind,
    kind === 'bad' ? '1 to act on · this process is ready' : '1 to look at · this process is ready',
  ]);
});

test.each<[string, object]>([
  ['messages that are pulled', lag({ messages: 900 })],
  ['nobody pulls where nothing waits', lag({ is_pulled: false })],
  ['work of four minutes', { oldest_dispatch_at: ago(4), ...counts({ open_dispatches: 3 }) }],
  ['a spec unsent for a minute', { oldest_unsent_at: ago(1), ...counts({ outbox_pending: 1 }) }],
])('%s is no concern', (_what, change) => {
  expect(look(change).concerns).toEqual([]);
});

test('what is to be acted on stands before what is to be looked at, and the sign is as severe as it', () => {
  const { concerns, state } = look({ ...lag({ messages: 5_000 }), ...counts({ failed_runs_24h: 1 }) });
  expect(concerns.map(({ key }) => key)).toEqual(['failed', 'lag']);
  expect(state).toEqual(['bad', '1 to act on · this process is ready']);
});

test('a process that is not ready says so, whatever else there is', () => {
  const nats = { ok: false, message: 'not connected' };
  const { concerns, state } = look({}, { ...READY, status: 'not_ready', checks: { nats } });
  expect(concerns).toMatchObject([{ kind: 'bad', text: 'nats is not ready: not connected' }]);
  expect(state).toEqual(['bad', 'Not ready']);
});

test('the page knows the words with which readiness says that a check is not used', () => {
  const service = readFileSync('src/service/service.ts', 'utf8');
  const [, message = ''] = /UNUSED: Check = \{ ok: true, message: '([^']+)' \}/.exec(service) ?? [];
  expect(isUnused({ ok: true, message })).toBe(true);
  expect(isUnused({ ok: true, message: 'ok' })).toBe(false);
});
