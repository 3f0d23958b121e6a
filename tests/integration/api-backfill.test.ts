/** Backfills: the runs that a schedule missed, started by hand. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { runId } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { insertTicks, type NewTick } from '../../src/store/schedule-ticks.ts';
import { upsertSchedule } from '../../src/store/schedules.ts';
import { createTestApi, itemsOf, manualDefinition, type TestApi } from '../setup/api.ts';

const URL = '/api/v1/definitions/hourly/backfill';
/** Five times: 04:15 to 08:15. */
const RANGE = { from: '2024-10-20T04:15:00Z', to: '2024-10-20T08:15:00Z' };
const SCHEDULE = {
  cron: '15 * * * *',
  timezone: 'UTC',
  overlap: 'skip',
  catchup_window: '1h',
  jitter: '0s',
} as const;

const hourly = (change: object = {}) =>
  manualDefinition({ id: 'hourly', trigger: { schedule: { cron: SCHEDULE.cron } }, ...change });

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.clear();
  await api.declare([hourly(), manualDefinition()]);
});

const timeOf = (hour: number) => `2024-10-20T0${hour}:15:00Z`;

function tick(hour: number, outcome: NewTick['outcome']): NewTick {
  const scheduled_for = timeOf(hour);
  return { definition_id: 'hourly', scheduled_for, deadline: scheduled_for, outcome, reason: null };
}

async function runsOfHourly(): Promise<JsonObject[]> {
  return itemsOf(await api.get('/api/v1/runs?definition_id=hourly&limit=500')).reverse();
}

const actionsOf = ({ items }: JsonObject) => (items as JsonObject[]).map(({ action }) => action);

test('a dry run tells what would start, and writes and starts nothing', async () => {
  const before = await api.countRows();
  const { status, body } = await api.post(URL, { ...RANGE, dry_run: true });
  expect(status).toBe(200);
  expect(body).toEqual({
    definition_id: 'hourly',
    ...RANGE,
    ticks: 5,
    have_runs: 0,
    pending: 0,
    would_start: 5,
    remaining: 0,
    items: [4, 5, 6, 7, 8].map((hour) => ({ scheduled_for: timeOf(hour), run_id: null, action: 'start' })),
  });
  expect(await api.countRows()).toEqual(before);
  expect(api.started).toEqual([]);
});

test('the missing runs are started by hand, oldest first, each for its time, in one dispatch', async () => {
  const { status, body } = await api.post(
    URL,
    { ...RANGE, reason: 'after the outage' },
    { 'x-requested-by': 'ana' },
  );
  expect(status).toBe(202);
  expect(body).toMatchObject({ ticks: 5, have_runs: 0, pending: 0, started: 5, remaining: 0 });
  expect(await runsOfHourly()).toMatchObject(
    [4, 5, 6, 7, 8].map((hour) => ({
      run_id: runId('hourly', `manual:backfill:${timeOf(hour)}`),
      status: 'running',
      trigger: {
        kind: 'manual',
        scheduled_for: timeOf(hour),
        requested_by: 'ana',
        reason: 'after the outage',
      },
      temporal: { workflow_id: api.started[0] },
    })),
  );
  expect(api.started).toHaveLength(1);
  await api.runAll();
  const runs = await runsOfHourly();
  expect(runs.map(({ status: each }) => each)).toEqual(Array(5).fill('completed'));
  expect((await api.get(`/api/v1/runs/${runs[0]?.run_id}`)).body).toMatchObject({
    tasks: [{ spec: { title: 'Do it on 2024-10-20' } }],
  });
  expect(itemsOf(await api.get('/api/v1/ticks'))).toEqual([]);
});

test('repeated, also by ten at once, nothing starts twice', async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => api.post(URL, RANGE)));
  const started = answers.map(({ body }) => Number(body.started));
  expect(started.reduce((sum, n) => sum + n, 0)).toBe(5);
  expect(await api.countRows()).toMatchObject({ activity_runs: 5, dispatches: 1 });
  await api.runAll();
  expect((await api.post(URL, RANGE)).body).toMatchObject({ have_runs: 5, started: 0 });
});

test('no more than max are started, and the same again goes on', async () => {
  expect((await api.post(URL, { ...RANGE, max: 2, dry_run: true })).body).toMatchObject({
    would_start: 2,
    remaining: 3,
  });
  const first = await api.post(URL, { ...RANGE, max: 2 });
  expect(first.body).toMatchObject({ started: 2, remaining: 3 });
  expect(actionsOf(first.body)).toEqual(['start', 'start', 'later', 'later', 'later']);
  expect((await api.post(URL, { ...RANGE, max: 2 })).body).toMatchObject({ have_runs: 2, started: 2 });
  expect((await api.post(URL, { ...RANGE, max: 2 })).body).toMatchObject({ have_runs: 4, started: 1 });
});

test('a time that has a run of any kind, also a failed one, is left alone; a missed one is not', async () => {
  await api.post(URL, { from: timeOf(4), to: timeOf(5) });
  await api.pool.query("UPDATE activity_runs SET status = 'failed' WHERE scheduled_for = $1", [timeOf(4)]);
  await api.pool.query(
    `UPDATE activity_runs SET status = 'missed', trigger_kind = 'schedule', trigger_key = 'schedule:' || $1::text,
            run_id = gen_random_uuid() WHERE scheduled_for = $1::timestamptz`,
    [timeOf(5)],
  );
  const { body } = await api.post(URL, { from: timeOf(4), to: timeOf(5) });
  expect(body).toMatchObject({
    have_runs: 1,
    started: 1,
    items: [
      { run_id: runId('hourly', `manual:backfill:${timeOf(4)}`), action: 'has_run' },
      { run_id: runId('hourly', `manual:backfill:${timeOf(5)}`), action: 'start' },
    ],
  });
});

test('a tick that may still start by itself is pending; what became of the others does not change', async () => {
  const ticks = [tick(4, 'missed'), tick(5, 'overlapped'), tick(6, 'paused'), tick(7, null)];
  await insertTicks(api.pool, ticks);
  const { body } = await api.post(URL, RANGE);
  expect(body).toMatchObject({ ticks: 5, pending: 1, started: 4 });
  expect(actionsOf(body)).toEqual(['start', 'start', 'start', 'pending', 'start']);
  const listed = itemsOf(await api.get('/api/v1/ticks')).map(({ outcome, run_id }) => [outcome, run_id]);
  expect(listed).toEqual([
    ['paused', null],
    ['overlapped', null],
    ['missed', null],
  ]);
});

test('what was due just now counts as pending before anybody has recorded it', async () => {
  const often = hourly({ trigger: { schedule: { every: '1s' } } });
  await api.declare([often]);
  const { rows } = await api.pool.query(
    `SELECT second - interval '20.5 s' AS start, second - interval '10.5 s' AS middle
       FROM date_trunc('second', now()) AS second`,
  );
  await upsertSchedule(api.pool, {
    definition_id: 'hourly',
    definition_hash: 'x',
    schedule: { every: '1s', timezone: 'UTC', overlap: 'skip', catchup_window: '1h', jitter: '0s' },
    enabled: true,
    described: {},
    recorded_until: rows[0].middle,
  });
  const { status, body } = await api.post(URL, { from: rows[0].start });
  expect(status).toBe(202);
  expect(body.started).toBe(10);
  expect(Number(body.pending)).toBeGreaterThanOrEqual(10);
});

test('ticks that were due while paused are recorded and counted on the way, and a pause does not stop it', async () => {
  await upsertSchedule(api.pool, {
    definition_id: 'hourly',
    definition_hash: 'x',
    schedule: SCHEDULE,
    enabled: true,
    described: {},
    recorded_until: RANGE.from,
  });
  await api.pool.query("INSERT INTO definition_pauses VALUES ('hourly', 'for now', '2024-10-20T06:00:00Z')");
  await api.pool.query('UPDATE registry_version SET version = version + 1');
  const { status, body } = await api.post(URL, RANGE);
  expect(status).toBe(202);
  expect(actionsOf(body)).toEqual(['start', 'pending', 'start', 'start', 'start']);
  const paused = (await api.get('/api/v1/ticks?outcome=paused&limit=1')).body;
  expect(paused).toMatchObject({ items: [{ reason: 'for now', run_id: null }] });
  expect((await api.get('/metrics')).text).toMatch(
    /activity_core_ticks_total\{definition_id="hourly",outcome="paused"\} \d+/,
  );
});

test('definitions that do not decide at once get a workflow for each run, the first ones at once', async () => {
  const resolvers = new Map(
    [...createResolvers()].map(([type, resolver]) => [type, { ...resolver, io: 'remote' as const }]),
  );
  await using other = await createTestApi(inject('servers').database_url, { resolvers });
  await other.declare([hourly()]);
  const range = { from: '2024-10-20T00:00:00Z', to: '2024-10-22T12:00:00Z' };
  expect((await other.post(URL, range)).body).toMatchObject({ started: 60 });
  expect(new Set(other.started).size).toBe(50);
  const due = await other.pool.query("SELECT run_ids FROM dispatches WHERE checked_at = 'epoch'");
  expect(due.rows.map(({ run_ids }) => run_ids.length)).toEqual(Array(10).fill(1));
});

test('where Temporal is away the runs are recorded and accepted', async () => {
  let asked = 0;
  const startDispatch = async () => {
    asked += 1;
    throw new Error('no Temporal');
  };
  await using away = await createTestApi(inject('servers').database_url, { startDispatch });
  await away.declare([hourly({ context_sources: [], rules: [] })]);
  expect(await away.post(URL, RANGE)).toMatchObject({ status: 202, body: { started: 5 } });
  expect(asked).toBe(1);
  expect(await away.countRows()).toMatchObject({ activity_runs: 5, dispatches: 1 });
});

test('more than 500 runs are several dispatches, listed in the order of their times', async () => {
  await api.declare([hourly({ trigger: { schedule: { cron: '* * * * *' } } })]);
  const range = { from: '2024-10-20T00:00:00Z', to: '2024-10-20T10:00:00Z' };
  expect((await api.post(URL, { ...range, max: 10_000 })).body).toMatchObject({ ticks: 601, started: 601 });
  expect(api.started).toHaveLength(2);
  const { rows } = await api.pool.query(
    'SELECT scheduled_for FROM activity_runs ORDER BY started_at, scheduled_for DESC',
  );
  const times = rows.map(({ scheduled_for }) => scheduled_for);
  expect(times).toEqual(times.toSorted());
});

test('a disabled definition can only be previewed', async () => {
  await api.declare([hourly({ enabled: false })]);
  expect((await api.post(URL, { ...RANGE, dry_run: true })).body).toMatchObject({ would_start: 5 });
  expect(await api.post(URL, RANGE)).toMatchObject({ status: 409, body: { code: 'definition_disabled' } });
});

test('a definition without a schedule has nothing to backfill, and an unknown one is 404', async () => {
  expect(await api.post('/api/v1/definitions/by-hand/backfill', RANGE)).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', detail: 'by-hand has no schedule to backfill' },
  });
  expect((await api.post('/api/v1/definitions/nobody/backfill', RANGE)).status).toBe(404);
});

test.each([
  [{}, '/from'],
  [{ from: 'yesterday' }, '/from'],
  [{ ...RANGE, to: '2099-01-01T00:00:00Z' }, '/to'],
  [{ from: RANGE.to, to: RANGE.from }, '/from'],
  [{ from: '2001-01-01T00:00:00Z', to: RANGE.to }, '/from'],
  [{ from: '2022-10-20T00:00:00Z', to: RANGE.to }, '/from'],
  [{ ...RANGE, max: 0 }, '/max'],
  [{ ...RANGE, max: 10_001 }, '/max'],
  [{ ...RANGE, until: RANGE.to }, '/until'],
])('%j is refused at %s, and nothing is written', async (body, pointer) => {
  for (const dry_run of [true, false]) {
    expect(await api.post(URL, { ...body, dry_run })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', violations: [{ pointer }] },
    });
  }
  expect((await api.countRows()).activity_runs).toBe(0);
});
