/** The operator's page as an operator sees it: the real service, a real event, a real headless Chromium. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Browser, contains, findChromium, startBrowser, type Tab } from '../setup/browser.ts';
import { createEventPath, definitionsFolder, type EventPath, metricsEvent } from '../setup/event-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const TOKEN = 'a-token-that-is-kept-nowhere-91c2';
const TEMPORAL_UI = 'https://temporal.example';
const HOSTILE = '<img src=x onerror="window.hacked=1">';

const READS_A_MISSING_FIELD = `
id: reads-a-missing-field
title: Reads a field that an event may leave out
owner: tests
trigger: { event: { type: kaizen.metrics.recorded, filter: 'event.source == "missing"' } }
context_sources: [{ type: event-payload, bind_to: context.metrics }]
rules:
  - id: quality
    condition: context.metrics.summary.avg_quality < 0.5
    task: { title: never }
`;

const chromium = findChromium('the operator’s page');

describe.skipIf(chromium === null)('in a browser', () => {
  let path: EventPath;
  let service: ServiceProcess;
  let definitions: Awaited<ReturnType<typeof definitionsFolder>>;
  let browser: Browser;
  let tab: Tab;

  beforeAll(async () => {
    definitions = await definitionsFolder({ 'reads-a-missing-field.yaml': READS_A_MISSING_FIELD });
    path = await createEventPath(inject('servers'), { definitions: definitions.path });
    service = await spawnService({
      environment: { ...path.environment, ADMIN_TOKEN: TOKEN, TEMPORAL_UI_URL: `${TEMPORAL_UI}/` },
    });
    await service.ready();
    browser = await startBrowser(chromium ?? '');
    tab = await browser.tab();
    await tab.emulate({ scheme: 'light', width: 1280, height: 800 });
    await tab.open(`${service.url}/`);
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await service?.[Symbol.asyncDispose]();
    await path?.[Symbol.asyncDispose]();
    await definitions?.[Symbol.asyncDispose]();
  });

  const focused = () => tab.evaluate<string>('document.activeElement.id || document.activeElement.className');

  async function give(token: string): Promise<void> {
    await tab.shows("document.activeElement.id === 'token'");
    await tab.type(token);
    await tab.press('Enter');
  }

  async function runOf(eventId: string): Promise<void> {
    await path.drained();
    await until('the run is over', async () => {
      const over = await path.count('activity_runs', `event_id = '${eventId}' AND status <> 'running'`);
      return over > 0;
    });
  }

  async function explain(id: string): Promise<void> {
    await tab.evaluate("document.getElementById('wanted').value = ''");
    await tab.evaluate('document.activeElement.blur()');
    await tab.press('/');
    await tab.type(id);
    await tab.press('Enter');
  }

  test('it asks for the token, says when that is refused, shows everything with the right one, and keeps it nowhere', async () => {
    await tab.shows("!document.getElementById('token-form').hidden");
    await tab.shows(contains('#checks', 'postgres'));
    expect(await tab.textOf('#glance')).toBe('');
    await give('a-wrong-one');
    await tab.shows(contains('#token-fault', 'refused'));
    await give(TOKEN);
    await tab.shows("document.getElementById('token-form').hidden");
    await tab.shows(contains('#glance', 'In the stream'));
    expect(await tab.textOf('#state')).toBe('✓ This process is ready · all quiet');
    const kept = `JSON.stringify([localStorage.length, sessionStorage.length, document.cookie, location.href])`;
    expect(JSON.parse(await tab.evaluate(kept))).toEqual([0, 0, '', `${service.url}/`]);
    expect(await tab.evaluate('document.documentElement.outerHTML')).not.toContain(TOKEN);
    expect(await tab.evaluate("document.getElementById('token').value")).toBe('');
    await tab.evaluate('window.before = true, location.reload()');
    await tab.shows('window.before === undefined');
    await give(TOKEN);
    await tab.shows(contains('#glance', 'In the stream'));
  });

  test('a run that fails appears without a reload, and opens to the rule, the values that it read and Temporal', async () => {
    await tab.evaluate('window.sameDocument = true');
    await path.publish(metricsEvent('broken', 0.5, { source: 'missing' }));
    await tab.shows(contains('#failed', 'reads-a-missing-field'));
    expect(await tab.evaluate('window.sameDocument')).toBe(true);
    expect(await tab.textOf('#failed')).toContain('rule_error');
    expect(await tab.textOf('#state')).toBe('✕ 1 to act on · this process is ready');
    expect(await tab.textOf('#attention')).toContain('1 run failed within 24 hours');
    await tab.evaluate("document.querySelector('#failed summary').click()");
    await tab.shows(contains('#failed .detail', 'context.metrics.summary.avg_quality < 0.5'));
    expect(await tab.textOf('#failed .detail')).toMatch(/npx activity-core runs retry \S+ --api http/);
    const { rows } = await path.pool.query(
      "SELECT workflow_id, workflow_run_id FROM activity_runs WHERE status = 'failed'",
    );
    const [{ workflow_id, workflow_run_id }] = rows;
    expect(await tab.evaluate(`document.querySelector('#failed a[href^="http"]').href`)).toBe(
      `${TEMPORAL_UI}/namespaces/default/workflows/${workflow_id}/${workflow_run_id}/history`,
    );
  });

  test('an event is explained by its id, with each decision, and leads to the run', async () => {
    await path.publish(metricsEvent('low-1', 0.62));
    await runOf('low-1');
    await explain('low-1');
    await tab.shows(contains('#found-body', 'low-success-rate-review'));
    const text = await tab.textOf('#found-body');
    expect(text).toContain('✓ accepted');
    expect(text).toContain('event.attributes.project');
    await tab.evaluate(`document.querySelector('#found-body a[href^="#run="]').click()`);
    await tab.shows(contains('#found-body', 'context.metrics.summary.success_rate'));
    await tab.evaluate('document.activeElement.blur()');
    await tab.press('Escape');
    await tab.shows("document.getElementById('found').hidden && location.hash === ''");
  });

  test('a decision whose run failed says so beside it, and what was not there is told as missing', async () => {
    await explain('broken');
    await tab.shows(contains('#found-body', '· fired ✕ run failed'));
    await tab.evaluate(`[...document.querySelectorAll('#found-body li')]
      .find((item) => item.textContent.includes('run failed')).querySelector('a[href^="#run="]').click()`);
    await tab.shows(contains('#found-body dd em', 'missing'));
  });

  test('an id that two sources have leads to both, and one that nobody has says where it may be', async () => {
    await path.publish(metricsEvent('twice', 0.9, { source: 'one' }));
    await path.publish(metricsEvent('twice', 0.9, { source: 'two' }));
    await path.drained();
    await until('both are there', async () => (await path.count('events', "id = 'twice'")) === 2);
    await explain('twice');
    await tab.shows(`document.querySelectorAll('#found-body a[href^="#event="]').length === 2`);
    await tab.evaluate(`document.querySelector('#found-body a[href^="#event="]').click()`);
    await tab.shows(contains('#found-body', '✓ accepted'));
    await explain('nobody/has%this');
    await tab.shows(contains('#found-body', 'not_found'));
    expect(await tab.textOf('#found-body')).toContain('Refused');
  });

  test('what was refused is shown with its reason and the pointer, and opens to the message', async () => {
    await path.publish({ ...metricsEvent('bad'), attributes: { agent: HOSTILE, project: 'x' } });
    await tab.shows(contains('#refused', 'invalid attributes'));
    expect(await tab.textOf('#refused')).toContain('/attributes/summary');
    await tab.evaluate("document.querySelector('#refused summary').click()");
    await tab.shows(contains('#refused pre', 'onerror'));
    await explain('bad');
    await tab.shows(contains('#found-body', '/attributes/summary'));
    expect(await tab.textOf('#found-body')).toContain('quarantine redrive');
  });

  test('foreign titles stay text: no element comes of them and nothing runs', async () => {
    const { attributes, ...event } = metricsEvent('hostile', 0.5);
    await path.publish({ ...event, attributes: { ...attributes, agent: HOSTILE, project: HOSTILE } });
    await runOf('hostile');
    await explain('hostile');
    await tab.shows(`document.querySelector('#found-body a[href^="#run="]')`);
    await tab.evaluate(`document.querySelector('#found-body a[href^="#run="]').click()`);
    await tab.shows(contains('#found-body', `Review ${HOSTILE}`));
    await tab.shows(
      `[...document.querySelectorAll('#runs .line')].some((line) => line.textContent.includes('hostile'))`,
    );
    expect(await tab.evaluate("document.querySelectorAll('img, iframe, [onerror]').length")).toBe(0);
    expect(await tab.evaluate('String(window.hacked)')).toBe('undefined');
    await tab.evaluate('document.activeElement.blur()');
    await tab.press('Escape');
  });

  test('everything is done with the keyboard', async () => {
    await tab.evaluate('document.activeElement.blur(), window.scrollTo(0, 0)');
    await tab.press('?');
    await tab.shows("document.getElementById('help').open");
    await tab.press('Escape');
    await tab.shows("!document.getElementById('help').open");
    await tab.press('/');
    expect(await focused()).toBe('wanted');
    // In a field they are letters.
    await tab.press('j');
    expect(await tab.evaluate("document.getElementById('wanted').value")).toBe('j');
    await tab.evaluate("document.getElementById('wanted').value = '', document.activeElement.blur()");
    await tab.press('j');
    await tab.press('j');
    await tab.press('ArrowUp');
    const place = `[...document.querySelectorAll('.rows summary.line')].indexOf(document.activeElement)`;
    expect(await tab.evaluate(place)).toBe(0);
    await tab.press('ArrowDown');
    expect(await tab.evaluate(place)).toBe(1);
    await tab.evaluate("document.querySelector('#runs summary').focus()");
    await tab.press('Enter');
    await tab.shows(contains('#runs .detail', 'revision'));
    expect(await tab.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    expect(await reachedByTab()).toEqual([]);
  });

  /** The visible links, buttons, fields and rows that a whole round of Tab does not come to. */
  async function reachedByTab(): Promise<string[]> {
    await tab.evaluate(
      `window.toReach = new Set([...document.querySelectorAll('a[href], button, input, summary')].filter((each) => each.checkVisibility()))`,
    );
    const count = await tab.evaluate<number>('window.toReach.size');
    expect(count).toBeGreaterThan(10);
    await tab.evaluate('document.activeElement.blur(), window.scrollTo(0, 0)');
    await tab.evaluate("document.querySelector('.skip').focus()");
    for (let presses = 0; presses < 3 * count; presses++) {
      const left = await tab.evaluate<number>(
        'window.toReach.delete(document.activeElement), window.toReach.size',
      );
      if (left === 0) break;
      await tab.press('Tab');
    }
    return tab.evaluate(
      '[...window.toReach].filter((each) => each.isConnected).map((each) => each.outerHTML.slice(0, 80))',
    );
  }

  test.each(['light', 'dark'] as const)(
    'in %s all text stands out from what is behind it',
    async (scheme) => {
      await tab.emulate({ scheme, width: 1280, height: 800 });
      const back = await tab.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
      const [red = 0] = back.match(/\d+/g)?.map(Number) ?? [];
      expect(red > 128).toBe(scheme === 'light');
      expect(await tab.evaluate(FAINT_TEXT)).toEqual([]);
    },
  );

  test('on a phone nothing is wider than the screen', async () => {
    await tab.emulate({ scheme: 'dark', width: 390, height: 844 });
    expect(await tab.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await tab.emulate({ scheme: 'light', width: 1280, height: 800 });
  });

  test('while nobody sees it, it asks for nothing, and at once when it is seen again', async () => {
    await tab.evaluate(`{
      window.waiting = new Set();
      const { setTimeout: set, clearTimeout: clear } = window;
      window.setTimeout = (act, ms) => {
        const id = set(() => { window.waiting.delete(id); act(); }, ms);
        window.waiting.add(id);
        return id;
      };
      window.clearTimeout = (id) => { window.waiting.delete(id); clear(id); };
    }`);
    const hide = (hidden: boolean) =>
      `Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true }), document.dispatchEvent(new Event('visibilitychange'))`;
    const asked = () => tab.requests.filter(({ url }) => url.endsWith('/overview')).length;
    await tab.shows('window.waiting.size === 1');
    expect(await tab.evaluate(`${hide(true)}, window.waiting.size`)).toBe(0);
    const before = asked();
    await tab.evaluate(hide(false));
    await until('it asks again', async () => asked() > before);
  });

  test('every request was a GET of its own origin, and the console heard of no fault but the refused tokens', async () => {
    expect(tab.requests.length).toBeGreaterThan(20);
    expect(
      tab.requests.filter(({ method, url }) => method !== 'GET' || !url.startsWith(`${service.url}/`)),
    ).toEqual([]);
    expect(tab.requests.filter(({ url }) => url.includes(TOKEN))).toEqual([]);
    // Chromium itself tells of answers that are no success; those that were asked for are no faults.
    const told = tab.errors.filter((text) => !/status of (401|404|409)/.test(text));
    expect(told).toEqual([]);
  });

  test('when the service is gone it says so, since when, and keeps what it saw', async () => {
    await service.kill();
    await tab.shows(contains('#seen', 'Refresh has failed since'));
    expect(await tab.textOf('#seen')).toContain('the service cannot be reached (no_answer)');
    expect(await tab.textOf('#seen')).toMatch(/^As of \d\d:\d\d:\d\d UTC/);
    expect(await tab.textOf('#state')).toBe('✕ Not refreshed');
    expect(await tab.textOf('#runs')).toContain('low-success-rate-review');
  });
});

/** Texts whose contrast with what is behind them is below 4.5 (WCAG AA). */
const FAINT_TEXT = `(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = channels(color).slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (each) => {
    for (let at = each; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if ((channels(color)[3] ?? 1) > 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [...document.querySelectorAll('body *')].filter((each) => each.checkVisibility() && [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''));
  return texts.flatMap((each) => {
    const [one, other] = [light(getComputedStyle(each).color), light(behind(each))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    return contrast < 4.5 ? [each.textContent.trim().slice(0, 40) + ' ' + contrast.toFixed(2)] : [];
  });
})()`;
