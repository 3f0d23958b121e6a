/** The operator's page through what a service may say, or fail to say: a real headless Chromium, answers of the test's own. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Browser, contains, findChromium, startBrowser, type Tab } from '../setup/browser.ts';
import {
  type PageAnswers,
  quietOverview,
  READY,
  refusal,
  scheduledDefinition,
  servePageAnswers,
  shortRun,
  trustOf,
  wholeRun,
} from '../setup/operator-page-answers.ts';
import { until } from '../setup/until.ts';

const NOON = '2026-11-20T12:00:00.000Z';

const chromium = findChromium('what the operator’s page makes of odd answers');

describe.skipIf(chromium === null)('in a browser', () => {
  let browser: Browser;
  let tab: Tab;
  let answers: PageAnswers;

  beforeAll(async () => {
    browser = await startBrowser(chromium ?? '');
  });
  beforeEach(async () => {
    answers = await servePageAnswers();
    tab = await browser.tab();
    await tab.emulate({ scheme: 'light', width: 1280, height: 800 });
  });
  afterEach(() => answers[Symbol.asyncDispose]());
  afterAll(() => browser?.[Symbol.asyncDispose]());

  const asked = (path: string) => tab.requests.filter(({ url }) => url === `${answers.url}${path}`).length;
  const focused = () =>
    tab.evaluate<string>('document.activeElement.id || document.activeElement.textContent');

  /** The page, which asks from now on only when it is told to. */
  async function open(path = '/'): Promise<void> {
    await tab.open(`${answers.url}${path}`);
    await tab.evaluate(`{
      const { setTimeout: set } = window;
      window.setTimeout = (act, ms) => (ms === 5000 ? 0 : set(act, ms));
      document.dispatchEvent(new Event('visibilitychange'));
    }`);
  }

  const look = () => tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  const later = (ms: number) =>
    tab.evaluate(`{ const { now } = Date; Date.now = () => now.call(Date) + ${ms}; }`);

  test('when the day is over, what was of today gets its date, and what is due next is told with its own', async () => {
    const definitions = [scheduledDefinition('daily', '2026-11-21T06:00:00.000Z')];
    const runs = [shortRun('r1', { started_at: '2026-11-20T11:59:30.000Z' })];
    answers.overview = { ...quietOverview(NOON), definitions, runs };
    await open();
    await tab.shows(contains('#runs time', '11:59:30'));
    answers.overview = { ...quietOverview('2026-11-21T00:10:00.000Z'), definitions, runs };
    await look();
    await tab.shows(contains('#runs time', '11-20 11:59'));
    expect(await tab.textOf('#attention .empty')).toBe('Nothing. Next due is daily at 06:00:00 UTC, in 6 h.');
    answers.overview = { ...quietOverview('2026-11-20T23:10:00.000Z'), definitions, runs };
    await look();
    await tab.shows(contains('#attention .empty', 'daily at 11-21 06:00 UTC, in 7 h.'));
    expect(await tab.textOf('#due .last')).toBe('last: ✓ completed');
  });

  test('a token that is typed while a refresh is under way is tried at once, and typing it is never disturbed', async () => {
    answers.token = 'right';
    answers.run = wholeRun('r1');
    await open('/#run=r1');
    await tab.shows("document.activeElement.id === 'token'");
    await tab.type('wro');
    const before = asked('/readyz');
    for (const more of [1, 2]) {
      await look();
      await until('it has asked again', async () => asked('/readyz') >= before + more);
    }
    await tab.type('ng');
    await tab.press('Enter');
    await tab.shows(contains('#token-fault', 'The service refused that token'));
    expect(await tab.evaluate("document.getElementById('token-fault').getAttribute('role')")).toBe('alert');
    expect(await focused()).toBe('token');
    expect(await tab.evaluate("document.getElementById('found').hidden")).toBe(true);
    const held = Promise.withResolvers<typeof READY>();
    answers.readiness = () => held.promise;
    const sofar = asked('/readyz');
    await look();
    await until('a refresh is under way', async () => asked('/readyz') > sofar);
    await tab.type('right');
    await tab.press('Enter');
    answers.readiness = READY;
    held.resolve(READY);
    await tab.shows("document.getElementById('token-form').hidden");
    await tab.shows(contains('#found-body', 'context.gone'));
    expect(await focused()).toBe('found');
  });

  test('trust that cannot be read is not known, what was known stays, and each is shown as it comes', async () => {
    const ids = ['daily', 'weekly'];
    const definitions = ids.map((id, day) => scheduledDefinition(id, `2026-11-2${day + 1}T06:00:00.000Z`));
    answers.overview = { ...quietOverview(NOON), definitions };
    const held = Promise.withResolvers<void>();
    const away = refusal(503, 'unavailable', 'PostgreSQL is away');
    answers.trust = { daily: trustOf('daily'), weekly: (reply) => held.promise.then(() => away(reply)) };
    await open();
    await tab.shows(contains('#trust', '✓ trusted'));
    expect(await tab.textOf('#trust')).not.toContain('weekly');
    held.resolve();
    await tab.shows(contains('#trust', '· not knownweekly'));
    expect(await tab.textOf('#trust')).not.toContain('not trusted');
    answers.trust = { daily: away, weekly: trustOf('weekly') };
    await later(61_000);
    await look();
    await tab.shows(contains('#trust', 'it could not be read at 12:0'));
    expect(await tab.textOf('#trust .row')).toContain('✓ trusteddaily3 of 3 clean');
    await tab.shows("document.querySelectorAll('#trust [data-kind=good].badge').length === 2");
    const unauthorized = refusal(401, 'unauthorized', 'a token is needed');
    answers.trust = { daily: unauthorized, weekly: unauthorized };
    await later(61_000);
    const [first, second] = [asked('/api/v1/trust/daily'), asked('/api/v1/trust/weekly')];
    await until('the first is asked again and again', async () => {
      await look();
      return asked('/api/v1/trust/daily') >= first + 2;
    });
    expect(asked('/api/v1/trust/weekly')).toBe(second);
  });

  test('a refresh that fails is told with the time of the first failure, and as what it is', async () => {
    await open();
    await tab.shows(contains('#state', 'all quiet'));
    answers.overview = refusal(500, 'internal', 'a fault of its own');
    await look();
    await tab.shows(contains('#seen', 'Refresh has failed since 12:0'));
    expect(await tab.textOf('#state')).toBe('✕ Not refreshed');
    await later(3_600_000);
    await tab.evaluate(
      '{ const { timeout } = AbortSignal; AbortSignal.timeout = () => timeout.call(AbortSignal, 200); }',
    );
    answers.overview = (reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'application/json' });
      reply.raw.write('{"as_of":');
    };
    await look();
    await tab.shows(contains('#seen', 'answer within 10 s (no_answer)'));
    expect(await tab.textOf('#seen')).toContain('Refresh has failed since 12:0');
  });

  test('what is open says as of when, keeps what is unfolded and in focus when it changes, and says when it is gone', async () => {
    const failed = (change = {}) => ({
      ...quietOverview(NOON),
      counts: { ...quietOverview(NOON).counts, failed_runs_24h: 1 },
      failed_runs: [shortRun('r1', { mended_by: null, ...change })],
    });
    answers.overview = failed();
    answers.run = wholeRun('r1');
    await open();
    await tab.shows("document.querySelector('#failed summary')");
    await tab.evaluate("document.querySelector('#failed summary').click()");
    await tab.shows(contains('#failed .as-of', 'As of 12:00:'));
    await tab.evaluate(
      "{ const part = document.querySelectorAll('#failed .folded')[1]; part.open = true; part.querySelector('summary').focus(); window.part = part; }",
    );
    answers.overview = failed({ mended_by: 'r2' });
    await look();
    await tab.shows(contains('#failed .line', '✓ mended by a retry'));
    await tab.shows('!window.part.isConnected');
    expect(await focused()).toBe('What it saw');
    expect(
      await tab.evaluate("[...document.querySelectorAll('#failed .folded')].map(({ open }) => open)"),
    ).toEqual([false, true]);
    expect(await tab.textOf('#failed .detail')).not.toContain('runs retry');
    answers.overview = quietOverview(NOON);
    await look();
    await tab.shows(contains('#failed .line', '· no longer listed'));
  });

  test('going back to an address without a name closes what was explained', async () => {
    answers.run = wholeRun('r1');
    await open();
    await tab.shows(contains('#state', 'all quiet'));
    await tab.evaluate("document.getElementById('wanted').focus(), (location.hash = '#run=r1')");
    await tab.shows(contains('#found .as-of', 'As of 12:00:'));
    await tab.evaluate('history.back()');
    await tab.shows("document.getElementById('found').hidden");
    expect(await focused()).toBe('wanted');
  });

  test('commands name this service and can be pasted, and a check that is not used is no success', async () => {
    answers.readiness = {
      ...READY,
      checks: { ...READY.checks, nats: { ok: true, message: 'not used by this role' } },
    };
    answers.overview = {
      ...quietOverview(NOON),
      counts: { ...quietOverview(NOON).counts, outbox_pending: 3, outbox_stopped: 3 },
      definitions: [{ ...scheduledDefinition('daily', NOON), paused: true, pause_reason: 'we wait' }],
    };
    await open();
    await tab.shows("document.querySelectorAll('#attention code').length === 2");
    const commands = await tab.evaluate<string[]>(
      "[...document.querySelectorAll('#attention code')].map(({ textContent }) => textContent)",
    );
    expect(commands).toEqual([
      `npx activity-core tasks resume --all --api ${answers.url}`,
      `npx activity-core definitions resume daily --api ${answers.url}`,
    ]);
    expect(await tab.textOf('#checks')).toContain('· nats (not used here)');
    expect(await tab.textOf('#state')).toBe('✕ 1 to act on · this process is ready');
  });
});
