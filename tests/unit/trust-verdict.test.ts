import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TickFacts } from '../../src/store/schedule-ticks.ts';
import type { Evidence, TrustFeedback } from '../../src/trust/evidence.ts';
import { newestCounted, verdictOf } from '../../src/trust/verdict.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-20T12:00:00Z');
const time = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

const good = { ok: true, detail: 'there', facts: {} };
const EVIDENCE: Evidence = {
  temporal_history: good,
  activity_run: good,
  state_hub_progress: good,
  working_memory_note: good,
};

/** A clean one, `hours` ago. */
function tick(hours: number, changes: Partial<TickFacts> = {}): TickFacts {
  const due = NOW - hours * HOUR;
  return {
    definition_id: 'triage',
    scheduled_for: time(due),
    deadline: time(due + HOUR / 2),
    outcome: 'fired',
    reason: null,
    run_id: `run-${hours}`,
    run: { status: 'completed', finished_at: time(due + 60_000) },
    evidence: { items: EVIDENCE, evidence_hash: 'hash', collected_at: time(due + 61_000) },
    ...changes,
  };
}

const nothing = { outcome: null, run_id: null, run: null, evidence: null } as const;
/** May still start. */
const open = (hours: number): TickFacts => tick(hours, { ...nothing, deadline: time(NOW + 1) });
/** Started, and not over. */
const running = (hours: number): TickFacts =>
  tick(hours, { run: { status: 'running', finished_at: null }, evidence: null, deadline: time(NOW) });
const dirty = (hours: number): TickFacts =>
  tick(hours, {
    evidence: {
      items: { ...EVIDENCE, working_memory_note: { ok: false, detail: 'the note is gone', facts: {} } },
      evidence_hash: 'hash',
      collected_at: time(NOW),
    },
  });

const said = (hours: number, verdict = 'useful', at = NOW): TrustFeedback => ({
  run_id: `run-${hours}`,
  verdict,
  at: time(at),
});

function judge(
  ticks: TickFacts[],
  rest: { feedback?: TrustFeedback[]; obstacle?: string; required?: number } = {},
) {
  const { feedback = [said(2)], obstacle = null, required = 3 } = rest;
  return verdictOf({
    definition_id: 'triage',
    required,
    now: NOW,
    ticks,
    feedback,
    obstacle,
    scheduled: true,
    counts_from: null,
  });
}

test('three clean ticks in a row and feedback for one of them are trusted', () => {
  const trust = judge([tick(1), tick(2), tick(3)]);
  expect(trust).toMatchObject({ definition_id: 'triage', required: 3, trusted: true, clean_streak: 3 });
  expect(trust.feedback).toEqual(said(2));
  expect(trust.reason).toBe(
    'the last 3 scheduled runs are clean, and run run-2 was called useful at 2026-11-20T12:00:00Z',
  );
  expect(trust.ticks.map(({ state, reason }) => [state, reason])).toEqual([
    ['clean', null],
    ['clean', null],
    ['clean', null],
  ]);
});

test('with too few clean ticks it says how many there are', () => {
  expect(judge([tick(1), tick(2)])).toMatchObject({
    trusted: false,
    clean_streak: 2,
    reason: '2 of 3 clean ticks so far',
  });
  expect(judge([])).toMatchObject({ trusted: false, clean_streak: 0, reason: 'no tick was due yet' });
});

test('a dirty tick is named with its evidence, and only what came after it counts', () => {
  expect(judge([tick(1), dirty(2), tick(3), tick(4)])).toMatchObject({
    trusted: false,
    clean_streak: 1,
    reason: '2026-11-20T10:00:00Z is dirty: working_memory_note: the note is gone; 1 of 3 clean ticks since',
  });
});

test('a dirty tick before the required ones does not stand against them', () => {
  expect(judge([tick(1), tick(2), tick(3), dirty(4)])).toMatchObject({ trusted: true, clean_streak: 3 });
});

test.each([
  ['missed', 'Temporal did not start it', 'Temporal did not start it'],
  ['overlapped', 'the run before it was still going', 'overlapped: the run before it was still going'],
  ['paused', 'maintenance', 'paused: maintenance'],
] as const)('a tick that is %s counts as missed, with the reason', (outcome, reason, shown) => {
  const trust = judge([tick(1, { ...nothing, outcome, reason }), tick(2), tick(3), tick(4)]);
  expect(trust).toMatchObject({ trusted: false, clean_streak: 0 });
  expect(trust.reason).toBe(`2026-11-20T11:00:00Z is missed: ${shown}`);
  expect(trust.ticks[0]).toMatchObject({ state: 'missed', reason: shown, run_id: null });
});

test('a tick that nobody recorded is pending until its deadline, and missed then', () => {
  const undecided = tick(1, { ...nothing, deadline: time(NOW) });
  expect(judge([undecided]).ticks[0]?.state).toBe('pending');
  const over = judge([{ ...undecided, deadline: time(NOW - 1000) }]);
  expect(over.ticks[0]?.state).toBe('missed');
  expect(over.reason).toContain('are the subscriber and Temporal running?');
});

test('what is pending at the top is not counted either way', () => {
  const trust = judge([open(0), running(0.5), tick(1), tick(2), tick(3)]);
  expect(trust).toMatchObject({ trusted: true, clean_streak: 3 });
  expect(trust.ticks.map(({ state }) => state)).toEqual(['pending', 'pending', 'clean', 'clean', 'clean']);
});

test('a tick that does not start while a later one is due is a doubt, however long it may still start', () => {
  const trust = judge([open(0), open(0.5), tick(1), tick(2), tick(3)]);
  expect(trust).toMatchObject({ trusted: false, clean_streak: 0 });
  expect(trust.reason).toContain('2026-11-20T11:30:00Z is pending: it may still start until');
  expect(trust.reason).toContain('a later one is due');
  const justNow = open(50 / 3600);
  expect(judge([open(0), justNow, tick(1), tick(2), tick(3)]).trusted).toBe(true);
  const days = Array.from({ length: 11 }, (_, day) => open(24 * (day + 1)));
  expect(judge([...days, tick(300), tick(301), tick(302)], { feedback: [said(300)] }).trusted).toBe(false);
});

test('where something could not be looked at again, trust says so', () => {
  const unseen = tick(2, {
    evidence: {
      items: { ...EVIDENCE, state_hub_progress: { ...good, unchecked: 'State Hub is away' } },
      evidence_hash: 'hash',
      collected_at: time(NOW),
    },
  });
  const trust = judge([tick(1), unseen, tick(3)]);
  expect(trust.reason).toMatch(/; not looked at again just now: State Hub is away$/);
  expect(trust.ticks[1]?.evidence.state_hub_progress).toMatchObject({
    ok: true,
    unchecked: 'State Hub is away',
  });
});

test('what is pending behind a counted tick breaks the streak', () => {
  const trust = judge([tick(1), open(2), tick(3), tick(4)], { feedback: [said(1)] });
  expect(trust).toMatchObject({ trusted: false, clean_streak: 1 });
  expect(trust.reason).toContain('2026-11-20T10:00:00Z is pending: it may still start until');
});

test('a run that is running is waited for, for an hour after its deadline', () => {
  const until = (deadline: number): TickFacts => ({ ...running(1), deadline: time(deadline) });
  expect(judge([until(NOW - HOUR)]).ticks[0]?.state).toBe('pending');
  expect(judge([until(NOW - HOUR - 1)]).ticks[0]).toMatchObject({
    state: 'dirty',
    reason: 'its run is still running',
  });
});

test('evidence is waited for, for fifteen minutes after the run', () => {
  const ended = (ms: number) =>
    tick(1, { evidence: null, run: { status: 'completed', finished_at: time(NOW - ms) } });
  expect(judge([ended(15 * 60_000)]).ticks[0]?.state).toBe('pending');
  const [late] = judge([ended(15 * 60_000 + 1000)]).ticks;
  expect(late).toMatchObject({
    state: 'dirty',
    reason: 'its evidence was never collected: is a worker running?',
    collected_at: null,
    evidence_hash: null,
  });
  expect(late?.evidence.activity_run).toEqual({
    ok: false,
    detail: 'not collected',
    needed: true,
    unchecked: null,
  });
});

test('evidence stands where the run itself is no longer on record', () => {
  expect(judge([tick(1, { run: null }), tick(2), tick(3)]).trusted).toBe(true);
});

test('without feedback for one of the required ticks it says how to give some', () => {
  const ticks = [open(0), tick(1), tick(2), tick(3), tick(4)];
  for (const feedback of [[], [said(4)], [{ ...said(2), run_id: 'by-hand' }]]) {
    expect(judge(ticks, { feedback })).toMatchObject({
      trusted: false,
      clean_streak: 4,
      feedback: null,
      reason:
        'no calibration feedback for one of the last 3 runs: `activity-core feedback run-1 --verdict useful|noisy|wrong`',
    });
  }
});

test('any verdict will do, and the newest feedback is shown', () => {
  const feedback = [
    said(3, 'useful', NOW - 2000),
    said(1, 'wrong', NOW - 1000),
    said(2, 'noisy', NOW - 3000),
  ];
  expect(judge([tick(1), tick(2), tick(3)], { feedback })).toMatchObject({
    trusted: true,
    feedback: { run_id: 'run-1', verdict: 'wrong' },
  });
});

test('an obstacle stands against it whatever its ticks are', () => {
  expect(judge([tick(1), tick(2), tick(3)], { obstacle: 'it is disabled' })).toMatchObject({
    trusted: false,
    reason: 'it is disabled',
    clean_streak: 3,
  });
});

test('the newest ticks are listed up to the number asked for, those that are pending beside', () => {
  const ticks = [open(0), tick(1), open(2), dirty(3), tick(4), tick(5)];
  const listed = newestCounted(ticks, NOW, 3).map(({ scheduled_for }) => scheduled_for);
  expect(listed).toEqual([0, 1, 2, 3, 4].map((hours) => time(NOW - hours * HOUR)));
});

test('whatever happened, trust takes the required clean ticks in a row and feedback for one of them', () => {
  const kinds = { clean: tick, dirty, pending: running };
  const kind = fc.constantFrom<keyof typeof kinds>('clean', 'clean', 'clean', 'dirty', 'pending');
  fc.assert(
    fc.property(
      fc.array(kind, { maxLength: 8 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(8),
      (states, required, of) => {
        const ticks = states.map((state, hours) => kinds[state](hours));
        const settled = states.slice(
          Math.max(
            0,
            states.findIndex((state) => state !== 'pending'),
          ),
        );
        const first = states.length - settled.length;
        const isClean =
          settled.length >= required && settled.slice(0, required).every((state) => state === 'clean');
        const isSaid = of >= first && of < first + required;
        expect(judge(ticks, { required, feedback: [said(of)] }).trusted).toBe(isClean && isSaid);
      },
    ),
  );
});
