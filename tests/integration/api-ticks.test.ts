/** Ticks as they are listed, and the next run of a schedule. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { insertTicks, type NewTick } from '../../src/store/schedule-ticks.ts';
import { createTestApi, itemsOf, manualDefinition, pagesOf, type TestApi } from '../setup/api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(() => api.clear());

const DEADLINE = '2026-11-21T00:00:00Z';

function tick(definition_id: string, time: string, outcome: NewTick['outcome']): NewTick {
  const scheduled_for = `2026-11-20T${time}:00Z`;
  const reason = outcome === 'paused' ? 'too many tasks' : null;
  return { definition_id, scheduled_for, deadline: DEADLINE, outcome, reason };
}

const TICKS = [
  tick('a', '06:15', 'fired'),
  tick('a', '07:15', 'overlapped'),
  tick('b-1', '07:15', 'paused'),
  tick('b-2', '07:15', 'fired'),
  tick('a', '08:15', 'missed'),
  tick('a', '09:15', null),
];

const shown = ({ definition_id, scheduled_for, outcome, reason }: NewTick) => ({
  definition_id,
  scheduled_for,
  outcome,
  reason,
  run_id: null,
});

test('ticks are listed newest first, each with its outcome, and one that may still start is not', async () => {
  await insertTicks(api.pool, TICKS);
  const { body } = await api.get('/api/v1/ticks');
  const expected = [4, 3, 2, 1, 0].map((at) => shown(TICKS[at]!));
  expect(body).toEqual({ items: expected, next_cursor: null });
});

test('ticks come in pages, also where several definitions are due at one time', async () => {
  await insertTicks(api.pool, TICKS);
  const pages = await pagesOf(api, '/api/v1/ticks?limit=2');
  expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
  expect(pages.flat()).toEqual(itemsOf(await api.get('/api/v1/ticks')));
});

test('ticks are filtered by definition, outcome and time', async () => {
  await insertTicks(api.pool, TICKS);
  const found = async (query: string) =>
    itemsOf(await api.get(`/api/v1/ticks?${query}`)).map(
      ({ definition_id, scheduled_for }) => `${definition_id} ${String(scheduled_for).slice(11, 16)}`,
    );
  expect(await found('definition_id=a')).toEqual(['a 08:15', 'a 07:15', 'a 06:15']);
  expect(await found('outcome=fired')).toEqual(['b-2 07:15', 'a 06:15']);
  expect(await found('outcome=missed&definition_id=b-1')).toEqual([]);
  expect(await found('since=2026-11-20T07:15:00Z&until=2026-11-20T09:15:00%2B01:00')).toEqual([
    'b-2 07:15',
    'b-1 07:15',
    'a 07:15',
  ]);
});

test('an outcome that does not exist and a made-up cursor are refused', async () => {
  expect(await api.get('/api/v1/ticks?outcome=late')).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', violations: [{ pointer: '/outcome' }] },
  });
  for (const key of ['', 'UPPER', 'a b', "a'", 7]) {
    const cursor = Buffer.from(JSON.stringify(['2026-11-20T07:15:00Z', key])).toString('base64url');
    expect(await api.get(`/api/v1/ticks?cursor=${cursor}`), String(key)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', violations: [{ pointer: '/cursor' }] },
    });
  }
});

const NIGHTLY = { cron: '30 2 * * *', timezone: 'Europe/Berlin' };

const nightly = (change: object = {}) =>
  manualDefinition({ id: 'nightly', trigger: { schedule: NIGHTLY }, ...change });

test('a definition with a schedule shows its effective policy and its next run in UTC', async () => {
  await api.declare([nightly(), manualDefinition()]);
  const before = Date.now();
  const { body } = await api.get('/api/v1/definitions/nightly');
  expect(body.schedule).toEqual({
    ...NIGHTLY,
    every: null,
    overlap: 'skip',
    catchup_window: '1h',
    jitter: '0s',
  });
  const next = Date.parse(String(body.next_run));
  expect(body.next_run).toMatch(/^\d{4}-\d\d-\d\dT0[01]:30:00Z$/);
  expect(next).toBeGreaterThan(before);
  expect(next).toBeLessThan(before + 26 * 3_600_000);
  expect((await api.get('/api/v1/definitions/by-hand')).body).toMatchObject({
    schedule: null,
    next_run: null,
  });
});

test('a disabled or paused schedule has no next run, and every interval its next multiple', async () => {
  const every = nightly({ id: 'often', trigger: { schedule: { every: '7s' } } });
  await api.declare([nightly({ enabled: false }), nightly({ id: 'paused' }), every]);
  await api.pool.query("INSERT INTO definition_pauses VALUES ('paused', 'for now')");
  await api.pool.query('UPDATE registry_version SET version = version + 1');
  const items = itemsOf(await api.get('/api/v1/definitions'));
  const next = Object.fromEntries(items.map(({ definition_id, next_run }) => [definition_id, next_run]));
  expect(next).toEqual({ nightly: null, often: expect.any(String), paused: null });
  expect(Date.parse(String(next.often)) % 7000).toBe(0);
});
