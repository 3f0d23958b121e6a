/** Runs started by hand. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { runId } from '../../src/core/ids.ts';
import {
  createTestApi,
  METRICS_TYPE,
  manualDefinition,
  reviewDefinition,
  type TestApi,
} from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';

const REVIEW = '/api/v1/definitions/low-success-rate-review/runs';
const MANUAL = '/api/v1/definitions/by-hand/runs';
const DISABLED = '/api/v1/definitions/off/runs';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
  const other = { ...METRICS_TYPE, type: 'other.thing.happened' };
  await api.declare(
    [reviewDefinition(), manualDefinition(), manualDefinition({ id: 'off', enabled: false })],
    [METRICS_TYPE, other],
  );
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(() => api.clear());

async function shownRun(id: unknown) {
  return (await api.get(`/api/v1/runs/${id}`)).body;
}

test('a run by hand is recorded before the answer, then runs, and tells who asked and why', async () => {
  const event = metricsEvent('e1');
  const started = await api.post(
    REVIEW,
    { event, reason: 'to see' },
    { 'x-requested-by': 'ana', 'idempotency-key': 'k1' },
  );
  const run_id = runId('low-success-rate-review', 'manual:k1');
  expect(started).toMatchObject({ status: 202, body: { run_id, workflow_id: run_id } });
  expect(Object.keys(started.body)).toEqual(['run_id', 'workflow_id']);
  expect(await shownRun(run_id)).toMatchObject({
    status: 'running',
    trigger: { kind: 'manual', event_id: 'e1', requested_by: 'ana', reason: 'to see' },
    temporal: { workflow_id: run_id, run_id: null },
    finished_at: null,
    tasks: [],
  });
  expect(api.started).toEqual([run_id]);
  await api.runAll();
  expect(await shownRun(run_id)).toMatchObject({
    status: 'completed',
    task_count: 1,
    context: { metrics: event.attributes },
    tasks: [{ status: 'audited', spec: { title: 'Review coach in kaizen-agentic' } }],
  });
  expect((await api.countRows()).events).toBe(0);
});

test('without a body, a key or a name a definition without events runs all the same', async () => {
  const first = await api.post(MANUAL);
  const second = await api.post(MANUAL, {});
  expect([first.status, second.status]).toEqual([202, 202]);
  expect(first.body.run_id).not.toBe(second.body.run_id);
  expect(await shownRun(first.body.run_id)).toMatchObject({
    trigger: { kind: 'manual', requested_by: 'api' },
  });
  const empty = await api.app.inject({
    method: 'POST',
    url: MANUAL,
    headers: { 'content-type': 'application/json' },
    payload: '',
  });
  expect(empty.statusCode).toBe(202);
});

test('a CloudEvent is an event too', async () => {
  const { id, type, source, attributes } = metricsEvent('cloud');
  const event = { specversion: '1.0', id, type, source, data: attributes };
  const { body } = await api.post(REVIEW, { event });
  await api.runAll();
  expect(await shownRun(body.run_id)).toMatchObject({ status: 'completed', task_count: 1 });
});

test('the trigger’s filter is not applied, and a pause does not stop a run by hand', async () => {
  const event = metricsEvent('e1', 0.5, {
    attributes: { agent: 'coach', project: 'sandbox', summary: { success_rate: 0.1 } },
  });
  await api.pool.query("INSERT INTO definition_pauses VALUES ('low-success-rate-review', 'for now')");
  await api.pool.query('UPDATE registry_version SET version = version + 1');
  const { status, body } = await api.post(REVIEW, { event });
  expect(status).toBe(202);
  await api.runAll();
  expect(await shownRun(body.run_id)).toMatchObject({ status: 'completed', task_count: 1 });
  await api.pool.query('UPDATE registry_version SET version = version + 1');
});

test('the same key and body is the same run, another body a conflict, another definition another run', async () => {
  const headers = { 'idempotency-key': 'once' };
  const event = metricsEvent('e1');
  const first = await api.post(REVIEW, { event, reason: 'r' }, headers);
  const again = await api.post(REVIEW, { reason: 'r', event, dry_run: false }, headers);
  expect(again).toMatchObject({ status: 202, body: first.body });
  const conflict = await api.post(REVIEW, { event, reason: 'another' }, headers);
  expect(conflict).toMatchObject({
    status: 422,
    body: { code: 'idempotency_conflict', detail: expect.stringContaining(String(first.body.run_id)) },
  });
  const elsewhere = await api.post(MANUAL, {}, headers);
  expect(elsewhere.status).toBe(202);
  expect(elsewhere.body.run_id).not.toBe(first.body.run_id);
  expect(await api.countRows()).toMatchObject({ activity_runs: 2, dispatches: 2 });
});

test('a repeated request gets its run also after the definition was disabled', async () => {
  const headers = { 'idempotency-key': 'before' };
  const first = await api.post(MANUAL, {}, headers);
  await api.declare([reviewDefinition(), manualDefinition({ enabled: false })]);
  expect(await api.post(MANUAL, {}, headers)).toMatchObject({ status: 202, body: first.body });
  expect((await api.post(MANUAL, {})).status).toBe(409);
  await api.declare([
    reviewDefinition(),
    manualDefinition(),
    manualDefinition({ id: 'off', enabled: false }),
  ]);
});

test('ten posts of one key at once are one run with one dispatch', async () => {
  const headers = { 'idempotency-key': 'race' };
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => api.post(MANUAL, { reason: 'x' }, headers)),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  expect(new Set(answers.map(({ body }) => body.run_id)).size).toBe(1);
  expect(await api.countRows()).toMatchObject({ activity_runs: 1, dispatches: 1 });
});

test('where Temporal is away the run is recorded and accepted', async () => {
  const away = await createTestApi(inject('servers').database_url, {
    startDispatch: () => Promise.reject(new Error('Temporal is not connected yet')),
  });
  try {
    await away.declare([manualDefinition()]);
    expect((await away.post(MANUAL)).status).toBe(202);
    expect(await away.countRows()).toMatchObject({ activity_runs: 1, dispatches: 1 });
  } finally {
    await away[Symbol.asyncDispose]();
  }
});

test('a definition that is not there is 404, a disabled one 409', async () => {
  expect(await api.post('/api/v1/definitions/nobody/runs')).toMatchObject({
    status: 404,
    body: { code: 'not_found' },
  });
  expect(await api.post(DISABLED)).toMatchObject({ status: 409, body: { code: 'definition_disabled' } });
  expect(await api.countRows()).toMatchObject({ activity_runs: 0, dispatches: 0 });
});

test('a definition that binds an event cannot run without one', async () => {
  for (const body of [undefined, {}, { dry_run: true }, { event: null }]) {
    expect(await api.post(REVIEW, body)).toMatchObject({ status: 400, body: { code: 'event_required' } });
  }
});

test('an event that would be refused is refused, with the reason and where', async () => {
  const deep = JSON.parse(`${'['.repeat(70)}1${']'.repeat(70)}`);
  const attributes = metricsEvent('e').attributes;
  const cases: [event: unknown, reason: string, pointer: string][] = [
    [7, 'invalid_envelope', ''],
    [{ ...metricsEvent('e'), id: undefined }, 'invalid_envelope', '/id'],
    [
      { ...metricsEvent('e'), attributes: { ...attributes, agent: 3 } },
      'invalid_attributes',
      '/attributes/agent',
    ],
    [
      { ...metricsEvent('e'), attributes: { agent: 'a', project: 'p' } },
      'invalid_attributes',
      '/attributes/summary',
    ],
    [{ ...metricsEvent('e'), time: '2001-01-01T00:00:00Z' }, 'too_old', '/time'],
    [
      { ...metricsEvent('e'), attributes: { ...attributes, agent: 'a\u0000' } },
      'unstorable',
      '/attributes/agent',
    ],
    [{ ...metricsEvent('e'), attributes: { deep } }, 'too_deep', ''],
    [{ ...metricsEvent('e'), type: 'other.thing.happened' }, 'wrong type', '/type'],
  ];
  for (const [event, reason, pointer] of cases) {
    for (const dry_run of [false, true]) {
      expect(await api.post(REVIEW, { event, dry_run }), reason).toMatchObject({
        status: 400,
        body: { code: 'invalid_event', detail: expect.stringContaining(reason), violations: [{ pointer }] },
      });
    }
  }
  const unregistered = { ...metricsEvent('e'), type: 'nobody.knows.it' };
  expect(await api.post(MANUAL, { event: unregistered })).toMatchObject({
    status: 400,
    body: { code: 'invalid_event', detail: expect.stringContaining('unregistered_type') },
  });
  const large = { ...metricsEvent('e'), attributes: { ...attributes, note: 'x'.repeat(256 * 1024) } };
  expect(await api.post(REVIEW, { event: large })).toMatchObject({
    status: 413,
    body: { code: 'too_large' },
  });
  expect((await api.countRows()).activity_runs).toBe(0);
});

test('nesting that would overflow the stack is refused like any other', async () => {
  const payload = `{"event":{"attributes":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
  const response = await api.app.inject({
    method: 'POST',
    url: REVIEW,
    payload,
    headers: { 'content-type': 'application/json' },
  });
  expect(response.json()).toMatchObject({ status: 400, code: 'invalid_event' });
});

test('fields that are not known and texts that cannot be stored are refused by name', async () => {
  const cases: [body: object, pointer: string][] = [
    [{ dryrun: true }, '/dryrun'],
    [{ dry_run: 'yes' }, '/dry_run'],
    [{ reason: '' }, '/reason'],
    [{ reason: 'a\u0000' }, '/reason'],
    [{ reason: '\ud800' }, '/reason'],
    [{ reason: 'x'.repeat(1001) }, '/reason'],
    [{ at: '2026-11-20T08:15:00Z' }, '/at'],
    [{ dry_run: true, at: 'yesterday' }, '/at'],
  ];
  for (const [body, pointer] of cases) {
    expect(await api.post(MANUAL, body), pointer).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', violations: [{ pointer }] },
    });
  }
  for (const header of ['idempotency-key', 'x-requested-by']) {
    for (const value of ['', 'x'.repeat(201)]) {
      expect(await api.post(MANUAL, {}, { [header]: value }), header).toMatchObject({
        status: 400,
        body: { code: 'invalid_request', violations: [{ pointer: `/${header}` }] },
      });
    }
  }
  expect((await api.countRows()).activity_runs).toBe(0);
});

test('a dry run tells context, rules and tasks, and writes and starts nothing', async () => {
  const before = await api.countRows();
  const event = metricsEvent('dry');
  const { status, body } = await api.post(REVIEW, { event, dry_run: true }, { 'idempotency-key': 'k' });
  expect(status).toBe(200);
  expect(body).toEqual({
    context: { metrics: event.attributes },
    rules: [
      {
        rule_id: 'low-success-rate',
        expression: 'context.metrics.summary.success_rate < 0.8',
        values: { 'context.metrics.summary.success_rate': 0.5 },
        result: true,
      },
    ],
    tasks: [
      {
        rule_id: 'low-success-rate',
        dedupe_key: 'low-success-rate:kaizen-agentic',
        spec: {
          title: 'Review coach in kaizen-agentic',
          description: '',
          labels: [],
          priority: 'medium',
          target_repo: null,
          dedupe_key: 'low-success-rate:kaizen-agentic',
        },
      },
    ],
    instructions: [],
    reports: [],
    errors: [],
    filter: {
      expression: 'event.attributes.project != "sandbox"',
      values: { 'event.attributes.project': event.attributes.project },
      result: true,
      message: null,
    },
  });
  expect(await api.countRows()).toEqual(before);
  expect(api.started).toEqual([]);
});

test('a dry run does not ask the filter, and says what it would have said', async () => {
  const event = metricsEvent('sand');
  const attributes = { ...event.attributes, project: 'sandbox' };
  const { body } = await api.post(REVIEW, { event: { ...event, attributes }, dry_run: true });
  expect(body).toMatchObject({
    tasks: [{ rule_id: 'low-success-rate' }],
    filter: { values: { 'event.attributes.project': 'sandbox' }, result: false },
  });
  const byHand = await api.post(MANUAL, { dry_run: true });
  expect(byHand.body.filter).toBeNull();
});

test('a disabled definition can be dry-run, at a time of one’s choice', async () => {
  const { status, body } = await api.post(DISABLED, {
    dry_run: true,
    at: '2026-11-20T23:15:00-02:00',
    model: true,
  });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    tasks: [{ rule_id: 'always', spec: { title: 'Do it on 2026-11-21' } }],
    errors: [],
  });
});

test('a dry run that fails tells the error as the run would, and no task', async () => {
  const rules = [{ id: 'bad', condition: 'context.facts.gone > 1.0', task: { title: 'never' } }];
  await api.declare([reviewDefinition(), manualDefinition({ rules })]);
  const { status, body } = await api.post(MANUAL, { dry_run: true });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    tasks: [],
    errors: [{ code: 'rule_error', message: expect.any(String), details: { rule_id: 'bad' } }],
  });
});
