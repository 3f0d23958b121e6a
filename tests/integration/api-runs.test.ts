/** Runs and their tasks as they are listed and shown. */
import { afterAll, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import {
  createTestApi,
  failedByHand,
  itemsOf,
  manualDefinition,
  pagesOf,
  reviewDefinition,
  runOfEvent,
  type TestApi,
} from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';

const MANUAL = '/api/v1/definitions/by-hand/runs';
const UUID = /^[0-9a-f-]{36}$/;
const HASH = /^[0-9a-f]{64}$/;
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

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

test('a run of an event is shown whole, with context, rules and tasks', async () => {
  const run_id = await runOfEvent(api, 'e1');
  const { status, body } = await api.get(`/api/v1/runs/${run_id}`);
  expect(status).toBe(200);
  const spec = {
    title: 'Review coach in kaizen-agentic',
    description: '',
    labels: [],
    priority: 'medium',
    target_repo: null,
    dedupe_key: 'low-success-rate:kaizen-agentic',
  };
  const task = {
    idempotency_key: expect.stringMatching(HASH),
    run_id,
    definition_id: 'low-success-rate-review',
    rule_id: 'low-success-rate',
    spec,
    dedupe_key: 'low-success-rate:kaizen-agentic',
    status: 'audited',
    task_ref: null,
    attempts: 0,
    last_error: null,
    review_required: false,
    created_at: expect.stringMatching(TIME),
    emitted_at: null,
  };
  const run = {
    run_id,
    definition_id: 'low-success-rate-review',
    definition_hash: expect.stringMatching(HASH),
    trigger: { kind: 'event', event_id: 'e1', event_uid: expect.stringMatching(UUID) },
    status: 'completed',
    task_count: 1,
    sink_mode: 'audit',
    sink_reason: 'the definition says emit: audit',
    review_required: false,
    retry_of: null,
    traceparent: null,
    temporal: { workflow_id: expect.any(String), run_id: expect.any(String) },
    started_at: expect.stringMatching(TIME),
    finished_at: expect.stringMatching(TIME),
    error: null,
  };
  expect(body).toEqual({
    ...run,
    context: { metrics: metricsEvent('e1').attributes },
    rules: [
      {
        rule_id: 'low-success-rate',
        expression: 'context.metrics.summary.success_rate < 0.8',
        values: { 'context.metrics.summary.success_rate': 0.5 },
        result: true,
      },
    ],
    instructions: [],
    reports: [],
    tasks: [task],
    reviews: [],
    feedback: [],
    retried_as: null,
  });
  expect(await api.get('/api/v1/runs')).toMatchObject({
    status: 200,
    body: { items: [run], next_cursor: null },
  });
  expect((await api.get('/api/v1/runs')).body).toEqual({ items: [run], next_cursor: null });
  expect((await api.get('/api/v1/tasks')).body).toEqual({ items: [task], next_cursor: null });
});

test('a failed run tells its error, and an upper-case id is the same id', async () => {
  const run_id = await failedByHand(api);
  expect(await shownRun(run_id.toUpperCase())).toMatchObject({
    run_id,
    status: 'failed',
    error: { code: 'rule_error', message: expect.any(String), details: { rule_id: 'bad' } },
    rules: [{ rule_id: 'bad', result: null }],
  });
});

test('a run that is not there, or cannot be, is 404', async () => {
  for (const id of ['8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11', 'nonsense']) {
    for (const answer of [await api.get(`/api/v1/runs/${id}`), await api.post(`/api/v1/runs/${id}/retry`)]) {
      expect(answer, id).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  }
});

test('runs come in pages, newest first, each exactly once, also where many started at one moment', async () => {
  for (let n = 0; n < 25; n++) await api.post(MANUAL);
  await api.pool.query("UPDATE activity_runs SET started_at = '2026-11-20T08:15:00.123456Z'");
  await api.post(MANUAL);
  const pages = await pagesOf(api, '/api/v1/runs?definition_id=by-hand&limit=7');
  expect(pages.map((page) => page.length)).toEqual([7, 7, 7, 5]);
  const ids = pages.flat().map(({ run_id }) => String(run_id));
  expect(new Set(ids).size).toBe(26);
  expect(ids.slice(1)).toEqual(ids.slice(1).toSorted().toReversed());
  expect((await pagesOf(api, '/api/v1/runs?limit=26')).length).toBe(1);
});

test('runs are found by each of their filters', async () => {
  const [good, fine] = [await runOfEvent(api, 'low', 0.5), await runOfEvent(api, 'high', 0.9)];
  const failed = await failedByHand(api);
  await api.pool.query("UPDATE activity_runs SET started_at = '2026-01-01T12:00:00Z' WHERE run_id = $1", [
    good,
  ]);
  const found = async (query: string) =>
    itemsOf(await api.get(`/api/v1/runs?${query}`)).map(({ run_id }) => run_id);
  expect(await found('definition_id=by-hand')).toEqual([failed]);
  expect(await found('status=failed')).toEqual([failed]);
  expect(await found('status=missed')).toEqual([]);
  expect(await found('trigger=event')).toEqual([fine, good]);
  expect(await found('trigger=manual&status=completed')).toEqual([]);
  expect(await found('event_id=high')).toEqual([fine]);
  expect(await found('since=2026-01-01T12:00:00Z&until=2026-01-01T12:00:01Z')).toEqual([good]);
  expect(await found('until=2026-01-01T12:00:00Z')).toEqual([]);
  expect(await found('until=2026-01-02T11:00:01%2B23:00')).toEqual([good]);
  for (const query of [
    'status=done',
    'trigger=cron',
    'since=today',
    'until=0000-01-01T00:00:00Z',
    'definition_id=',
  ]) {
    expect(await api.get(`/api/v1/runs?${query}`), query).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', violations: [{ pointer: `/${query.split('=')[0]}` }] },
    });
  }
});

test('tasks are found by each of their filters, and come in pages', async () => {
  const run_id = await runOfEvent(api, 'low');
  const each = [{ id: 'each', for_each: 'context.facts', condition: 'item > 0.0', task: { title: 'n' } }];
  const facts = Array.from({ length: 9 }, (_, n) => n + 1);
  const sources = [{ type: 'static', bind_to: 'context.facts', params: { value: facts } }];
  await api.declare([manualDefinition({ rules: each, context_sources: sources })]);
  await api.post(MANUAL);
  await api.runAll();
  const found = async (query: string) => itemsOf(await api.get(`/api/v1/tasks?${query}`)).length;
  expect(await found('')).toBe(10);
  expect(await found(`run_id=${run_id.toUpperCase()}`)).toBe(1);
  expect(await found('definition_id=by-hand')).toBe(9);
  expect(await found('status=audited')).toBe(10);
  expect(await found('status=pending')).toBe(0);
  expect(await found('dedupe_key=low-success-rate:kaizen-agentic')).toBe(1);
  const pages = await pagesOf(api, '/api/v1/tasks?limit=4');
  expect(pages.map((page) => page.length)).toEqual([4, 4, 2]);
  expect(new Set(pages.flat().map(({ idempotency_key }) => idempotency_key)).size).toBe(10);
  expect(await api.get('/api/v1/tasks?run_id=nonsense')).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', violations: [{ pointer: '/run_id' }] },
  });
});

test('a run that ends while it is read is never shown as over without its tasks', async () => {
  const run_id = await runOfEvent(api, 'e1');
  await api.pool.query("UPDATE activity_runs SET status = 'running' WHERE run_id = $1", [run_id]);
  await api.pool.query('CREATE TABLE kept_task AS TABLE task_spawn_log');
  await api.pool.query('DELETE FROM task_spawn_log');
  const query = api.servicePool.query.bind(api.servicePool);
  const endsMeanwhile = async (...args: Parameters<typeof query>) => {
    if (String(args[0]).includes('FROM activity_runs')) {
      await api.pool.query('INSERT INTO task_spawn_log SELECT * FROM kept_task ON CONFLICT DO NOTHING');
      await api.pool.query("UPDATE activity_runs SET status = 'completed' WHERE run_id = $1", [run_id]);
    }
    return query(...args);
  };
  const spy = vi.spyOn(api.servicePool, 'query').mockImplementation(endsMeanwhile);
  try {
    const run = await shownRun(run_id);
    expect(run).toMatchObject({ status: 'completed', tasks: [{ rule_id: 'low-success-rate' }] });
  } finally {
    spy.mockRestore();
    await api.pool.query('DROP TABLE kept_task');
  }
});
