/** A failed run again. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { runId } from '../../src/core/ids.ts';
import {
  createTestApi,
  failedByHand,
  manualDefinition,
  reviewDefinition,
  runOfEvent,
  type TestApi,
} from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';

const UUID = /^[0-9a-f-]{36}$/;
const FAILING_REVIEW = reviewDefinition({
  rules: [{ id: 'bad', condition: '1 / 0 > 1', task: { title: 'never' } }],
});

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.clear();
  await api.declare([reviewDefinition(), manualDefinition()]);
});

async function shownRun(id: unknown) {
  return (await api.get(`/api/v1/runs/${id}`)).body;
}

test('a failed run is run again on the current revision, as a run of its own that names the first', async () => {
  const first = await failedByHand(api);
  await api.declare([reviewDefinition(), manualDefinition()]);
  const { definition_hash } = (await api.get('/api/v1/definitions/by-hand')).body;
  const retried = await api.post(`/api/v1/runs/${first}/retry`, undefined, { 'x-requested-by': 'ana' });
  const run_id = runId('by-hand', `retry:${first}#1`);
  expect(retried).toMatchObject({ status: 202, body: { run_id, workflow_id: run_id } });
  expect(api.started.at(-1)).toBe(run_id);
  await api.runAll([run_id]);
  expect(await shownRun(run_id)).toMatchObject({
    status: 'completed',
    retry_of: first,
    definition_hash,
    trigger: { kind: 'retry', requested_by: 'ana' },
    task_count: 1,
  });
  expect(await shownRun(first)).toMatchObject({
    status: 'failed',
    retry_of: null,
    retried_as: { run_id, status: 'completed' },
  });
  expect(await shownRun(run_id)).toMatchObject({ retried_as: null });
});

test('a retry of a retry has the keys of the first run, and the event of the first run', async () => {
  await api.declare([FAILING_REVIEW]);
  const first = await runOfEvent(api, 'e1');
  expect(await shownRun(first)).toMatchObject({ status: 'failed' });
  const second = (await api.post(`/api/v1/runs/${first}/retry`)).body.run_id;
  await api.runAll([String(second)]);
  expect(await shownRun(second)).toMatchObject({ status: 'failed', retry_of: first });
  await api.declare([reviewDefinition()]);
  const third = (await api.post(`/api/v1/runs/${second}/retry`)).body.run_id;
  await api.runAll([String(third)]);
  expect(await shownRun(third)).toMatchObject({
    status: 'completed',
    retry_of: second,
    trigger: { kind: 'retry', event_id: 'e1', event_uid: expect.stringMatching(UUID) },
    tasks: [{ run_id: third }],
  });
  for (const id of [first, second])
    expect(await shownRun(id)).toMatchObject({ retried_as: { run_id: third, status: 'completed' } });
  const { rows } = await api.pool.query('SELECT DISTINCT origin_trigger_key FROM activity_runs');
  expect(rows).toHaveLength(1);
});

test('a retry keeps the time that the first run was scheduled for', async () => {
  const first = await failedByHand(api);
  await api.pool.query("UPDATE activity_runs SET scheduled_for = '2026-11-20T06:00:00Z'");
  const rehearsed = await api.post(`/api/v1/runs/${first}/retry`, { dry_run: true });
  expect(rehearsed.status).toBe(200);
  const { body } = await api.post(`/api/v1/runs/${first}/retry`);
  expect(await shownRun(body.run_id)).toMatchObject({ trigger: { scheduled_for: '2026-11-20T06:00:00Z' } });
});

test('only a failed run can be retried, and only one of a chain at a time', async () => {
  const first = await failedByHand(api);
  const running = (await api.post(`/api/v1/runs/${first}/retry`)).body.run_id;
  for (const id of [first, running]) {
    expect(await api.post(`/api/v1/runs/${id}/retry`), String(id)).toMatchObject({
      status: 409,
      body: { code: 'wrong_state', detail: expect.stringContaining('running') },
    });
  }
  await api.runAll([String(running)]);
  const again = await api.post(`/api/v1/runs/${first}/retry`);
  expect(again).toMatchObject({ status: 202, body: { run_id: runId('by-hand', `retry:${first}#2`) } });
  const good = await runOfEvent(api, 'fine');
  expect(await api.post(`/api/v1/runs/${good}/retry`, { dry_run: true })).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', detail: expect.stringContaining('completed') },
  });
});

test('of ten retries at once one starts, and nine are told so', async () => {
  const first = await failedByHand(api);
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => api.post(`/api/v1/runs/${first}/retry`)),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array(9).fill(409)]);
  expect((await api.countRows()).activity_runs).toBe(2);
});

test('a retry of a disabled, a paused or a removed definition is refused; all but the last can be rehearsed', async () => {
  const first = await failedByHand(api);
  const retry = (body?: object) => api.post(`/api/v1/runs/${first}/retry`, body);
  await api.declare([manualDefinition({ enabled: false })]);
  expect(await retry()).toMatchObject({ status: 409, body: { code: 'definition_disabled' } });
  expect((await retry({ dry_run: true })).status).toBe(200);
  await api.pool.query("INSERT INTO definition_pauses VALUES ('by-hand', 'for now')");
  await api.declare([manualDefinition()]);
  expect(await retry()).toMatchObject({
    status: 409,
    body: { code: 'definition_paused', detail: expect.stringContaining('for now') },
  });
  expect((await retry({ dry_run: true })).status).toBe(200);
  await api.declare([reviewDefinition()]);
  expect(await retry()).toMatchObject({ status: 409, body: { code: 'definition_disabled' } });
  expect((await retry({ dry_run: true })).status).toBe(409);
  expect((await api.countRows()).activity_runs).toBe(1);
});

test('a dry retry decides on the current revision with the old event, and writes nothing', async () => {
  await api.declare([FAILING_REVIEW]);
  const first = await runOfEvent(api, 'e1');
  await api.declare([reviewDefinition()]);
  const before = await api.countRows();
  const { status, body } = await api.post(`/api/v1/runs/${first}/retry`, { dry_run: true });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    context: { metrics: metricsEvent('e1').attributes },
    tasks: [{ rule_id: 'low-success-rate' }],
    errors: [],
  });
  expect(await api.countRows()).toEqual(before);
  expect(api.started).toEqual([]);
});

test('a dry retry of a run whose event is gone says so', async () => {
  await api.declare([FAILING_REVIEW]);
  const first = await runOfEvent(api, 'e1');
  await api.pool.query('TRUNCATE events');
  expect(await api.post(`/api/v1/runs/${first}/retry`, { dry_run: true })).toMatchObject({
    status: 200,
    body: { context: null, tasks: [], errors: [{ code: 'event_missing' }] },
  });
});

test('fields of a retry that are not known are refused', async () => {
  const first = await failedByHand(api);
  expect(await api.post(`/api/v1/runs/${first}/retry`, { dryRun: true })).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', violations: [{ pointer: '/dryRun' }] },
  });
});
