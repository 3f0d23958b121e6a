/** What `trust` asks and prints, over an API that answers what a test wants. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Trust, TrustTick } from '../../src/trust/evidence.ts';
import { type CapturedSurroundings, captureCli } from '../setup/captured-cli.ts';
import { type HttpServer, startHttpServer } from './http-server.ts';

const RUNS = [
  '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
  'f2b7c1de-93a4-5c06-8d57-3e1b0a9c6d22',
  '0b9d4e7a-6c15-5f38-9a42-7d8e2f1c5b33',
] as const;
const LONG = 'daily-triage-2026-11-19.md was edited: its SHA-256 is 5e… and was 6f… when it was filed';

const ok = { ok: true, detail: 'it is there', needed: true, unchecked: null as string | null };
const cleanTick = (day: number, run_id: string): TrustTick => ({
  scheduled_for: `2026-11-${day}T06:00:00Z`,
  state: 'clean',
  run_id,
  evidence: { temporal_history: ok, activity_run: ok, state_hub_progress: ok, working_memory_note: ok },
  collected_at: `2026-11-${day}T06:00:09.25Z`,
  evidence_hash: 'f'.repeat(64),
  reason: null,
});
const gone = (detail: string) => ({ ok: false, detail, needed: true, unchecked: null });
const nothing = gone('nothing ran');
const NOTHING = {
  temporal_history: nothing,
  activity_run: nothing,
  state_hub_progress: nothing,
  working_memory_note: nothing,
};

const CLEAN = [cleanTick(20, RUNS[0]), cleanTick(19, RUNS[1]), cleanTick(18, RUNS[2])];
const TRUSTED: Trust = {
  definition_id: 'daily-statehub-wsjf-triage',
  required: 3,
  trusted: true,
  scheduled: true,
  reason: 'its newest 3 ticks are clean',
  clean_streak: 3,
  feedback: { run_id: RUNS[1], verdict: 'useful', at: '2026-11-19T09:00:00.1Z' },
  ticks: CLEAN,
};

let answer: { status: number; body: unknown };
let server: HttpServer;
beforeEach(async () => {
  answer = { status: 200, body: TRUSTED };
  server = await startHttpServer((_asked, response) => {
    response.writeHead(answer.status).end(JSON.stringify(answer.body));
  });
});
afterEach(() => server[Symbol.asyncDispose]());

function trust(options: string[] = [], surroundings: CapturedSurroundings = {}) {
  const argv = ['trust', 'daily-statehub-wsjf-triage', ...options];
  return captureCli(argv, { apiAddress: server.url, ...surroundings });
}

function tell(change: Partial<Trust>, surroundings: CapturedSurroundings = {}) {
  answer.body = { ...TRUSTED, ...change };
  return trust([], surroundings);
}

const calls = () => server.asked.map(({ method, url }) => `${method} ${url}`);

test('a trusted definition is 0, with its ticks in a table and the feedback', async () => {
  const { exitCode, out } = await trust();
  expect([exitCode, calls()]).toEqual([0, ['GET /api/v1/trust/daily-statehub-wsjf-triage']]);
  expect(out.split('\n')).toEqual([
    'daily-statehub-wsjf-triage is trusted: its newest 3 ticks are clean',
    '',
    'TICK                  STATE  RUN                                   TEMPORAL  RUN ROW  PROGRESS  NOTE',
    `2026-11-20 06:00:00Z  clean  ${RUNS[0]}  ok        ok       ok        ok`,
    `2026-11-19 06:00:00Z  clean  ${RUNS[1]}  ok        ok       ok        ok`,
    `2026-11-18 06:00:00Z  clean  ${RUNS[2]}  ok        ok       ok        ok`,
    '',
    `Feedback: useful, on run ${RUNS[1]} at 2026-11-19 09:00:00Z`,
  ]);
});

test('what could not be looked at again, and what nobody expects, is told', async () => {
  const unseen = { ...ok, unchecked: 'State Hub answered 500' };
  const undeclared = { ...ok, detail: 'not declared by this revision', needed: false };
  const evidence = { ...CLEAN[0]?.evidence, state_hub_progress: unseen, working_memory_note: undeclared };
  answer = { status: 200, body: { ...TRUSTED, ticks: CLEAN.map((tick) => ({ ...tick, evidence })) } };
  const { out } = await trust();
  expect(out.split('State Hub answered 500')).toHaveLength(2);
  expect(out).toContain('PROGRESS was not looked at again just now: State Hub answered 500');
  expect(out).toMatch(/clean +8c1f6f0a-[-0-9a-f]{27} +ok +ok +ok +—/);
});

test('an untrusted one is 1, and everything that is wrong with a tick stands whole below the table', async () => {
  const dirty: TrustTick = {
    ...cleanTick(19, RUNS[1]),
    state: 'dirty',
    evidence: {
      temporal_history: ok,
      activity_run: ok,
      state_hub_progress: gone('it is gone'),
      working_memory_note: gone(LONG),
    },
    reason: `state_hub_progress: it is gone; working_memory_note: ${LONG}`,
  };
  const missed: TrustTick = {
    ...cleanTick(18, ''),
    state: 'missed',
    run_id: null,
    evidence: NOTHING,
    collected_at: null,
    reason: 'no worker took it',
  };
  const reason = 'the tick of 2026-11-19 is dirty';
  const { exitCode, out } = await tell({
    trusted: false,
    reason,
    clean_streak: 1,
    ticks: [cleanTick(20, RUNS[0]), dirty, missed],
  });
  expect(exitCode).toBe(1);
  expect(out.split('\n')).toEqual([
    `daily-statehub-wsjf-triage is not trusted: ${reason}`,
    '',
    'TICK                  STATE   RUN                                   TEMPORAL  RUN ROW  PROGRESS    NOTE',
    `2026-11-20 06:00:00Z  clean   ${RUNS[0]}  ok        ok       ok          ok`,
    `2026-11-19 06:00:00Z  dirty   ${RUNS[1]}  ok        ok       it is gone  daily-triage-2026-11-19…`,
    '2026-11-18 06:00:00Z  missed  —                                     —         —        —           —',
    '',
    '2026-11-19 06:00:00Z dirty',
    '  PROGRESS  it is gone',
    `  NOTE      ${LONG}`,
    `  activity-core runs show ${RUNS[1]}`,
    '',
    '2026-11-18 06:00:00Z missed: no worker took it',
    '',
    `Feedback: useful, on run ${RUNS[1]} at 2026-11-19 09:00:00Z`,
  ]);
});

test.each([
  ['pending', 'its run is running'],
  ['dirty', 'its evidence was never collected'],
] as const)('a %s tick that nobody looked at lacks nothing, and says why', async (state, reason) => {
  const tick: TrustTick = { ...cleanTick(21, RUNS[0]), state, evidence: NOTHING, collected_at: null, reason };
  const { out } = await tell({ ticks: [tick, ...CLEAN] });
  expect(out).toMatch(new RegExp(`^2026-11-21 06:00:00Z {2}${state} +${RUNS[0]} {2}— +— +— +—$`, 'm'));
  expect(out).toContain(`\n2026-11-21 06:00:00Z ${state}: ${reason}\n  activity-core runs show ${RUNS[0]}\n`);
});

test('a run that came too late is missed, with why and with what it left undone', async () => {
  const late: TrustTick = {
    ...cleanTick(20, RUNS[0]),
    state: 'missed',
    evidence: { ...NOTHING, temporal_history: ok, activity_run: gone('it ended missed') },
    reason: 'it started too late',
  };
  const { out } = await tell({ trusted: false, ticks: [late] });
  expect(out).toContain(
    '\n2026-11-20 06:00:00Z missed: it started too late\n  RUN ROW   it ended missed\n  PROGRESS  nothing ran\n',
  );
});

test('without feedback it says how to give it, on a run that is over', async () => {
  const running: TrustTick = { ...cleanTick(21, RUNS[2]), state: 'pending' };
  const dirty: TrustTick = { ...cleanTick(20, RUNS[0]), state: 'dirty' };
  const withoutFeedback = { feedback: null, trusted: false, reason: 'no feedback' };
  const command = (runId: string) => `activity-core feedback ${runId} --verdict useful (or noisy, or wrong)`;

  const best = await tell({ ...withoutFeedback, ticks: [running, dirty, cleanTick(19, RUNS[1])] });
  expect(best.exitCode).toBe(1);
  expect(best.out).toContain(command(RUNS[1]));
  const only = await tell({ ...withoutFeedback, ticks: [running, dirty] });
  expect(only.out).toContain(command(RUNS[0]));
  const none = await tell({ ...withoutFeedback, ticks: [running] });
  expect(none.out).toContain(command('<run_id>'));
});

test('a schedule without ticks is told as that, not as an empty table', async () => {
  const { exitCode, out } = await tell({
    trusted: false,
    reason: 'it had no tick yet',
    feedback: null,
    ticks: [],
  });
  expect(exitCode).toBe(1);
  expect(out).toContain('\nNo tick of its schedule is on record yet.\n');
  expect(out).not.toContain('TICK');
});

test('a definition without a schedule is told what applies to it instead, and nobody is asked for feedback', async () => {
  const reason = 'it has no schedule';
  const { exitCode, out } = await tell({
    trusted: false,
    scheduled: false,
    reason,
    feedback: null,
    ticks: [],
  });
  expect(exitCode).toBe(1);
  expect(out.split('\n')).toEqual([
    'daily-statehub-wsjf-triage is not trusted: it has no schedule',
    '',
    'It has no ticks.',
    '',
    'Trust does not apply to it. What its runs did: activity-core runs list --definition daily-statehub-wsjf-triage; what it needs before it makes real tasks: activity-core promote daily-statehub-wsjf-triage',
  ]);
});

test('what others wrote cannot give orders to the terminal', async () => {
  const dirty: TrustTick = {
    ...cleanTick(20, RUNS[0]),
    state: 'dirty',
    evidence: { ...NOTHING, working_memory_note: gone('a\u001b[31mred\nnote') },
    reason: 'the \u001b]0;title\u0007 note',
  };
  const { out } = await tell({ trusted: false, reason: 'one\ntwo\u001b[2J', ticks: [dirty] });
  expect(out).toContain('is not trusted: one two\n');
  expect(out).toContain('  NOTE      ared note\n');
  expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
});

test('on a narrow terminal the table fits, and the details below stay whole', async () => {
  const parts = { ...NOTHING, state_hub_progress: gone(LONG), working_memory_note: gone(LONG) };
  const dirty: TrustTick = {
    ...cleanTick(20, RUNS[0]),
    state: 'dirty',
    evidence: parts,
    reason: 'two are missing',
  };
  const { out } = await tell({ trusted: false, ticks: [dirty] }, { columns: 110 });
  const [, , titles = '', row = ''] = out.split('\n');
  expect([titles.length <= 110, row.length <= 110]).toEqual([true, true]);
  expect(out).toContain(`  NOTE      ${LONG}\n`);
});

test('--json is the answer of the API, and the exit code is the same', async () => {
  const trusted = await trust(['--json']);
  expect([trusted.exitCode, JSON.parse(trusted.out)]).toEqual([0, TRUSTED]);
  answer.body = { ...TRUSTED, trusted: false };
  expect((await trust(['--json'])).exitCode).toBe(1);
});

test('--required is passed on, and what is no whole number from 1 to 100 is bad use', async () => {
  for (const given of ['1', '5', '100']) expect((await trust(['--required', given])).exitCode).toBe(0);
  expect(calls()).toEqual(
    ['1', '5', '100'].map((n) => `GET /api/v1/trust/daily-statehub-wsjf-triage?required=${n}`),
  );
  for (const given of ['0', '101', '-1', '1.5', 'three', '', '1e1']) {
    const { exitCode, err } = await trust([`--required=${given}`]);
    expect([exitCode, err], given).toEqual([
      2,
      expect.stringContaining('Expected a whole number from 1 to 100.'),
    ]);
  }
  expect(server.asked).toHaveLength(3);
});

test('an unknown definition is a no, and an API that is not there is bad use', async () => {
  const detail = 'no definition has the id x';
  answer = { status: 404, body: { code: 'not_found', title: 'Not Found', detail } };
  expect(await trust()).toEqual({ exitCode: 1, out: '', err: `error: not_found: ${detail}` });
  await server[Symbol.asyncDispose]();
  const nobody = await trust();
  expect([nobody.exitCode, nobody.err]).toEqual([2, expect.stringContaining('connection refused')]);
});
