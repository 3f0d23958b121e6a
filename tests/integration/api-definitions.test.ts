import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import {
  createTestApi,
  itemsOf,
  METRICS_TYPE,
  manualDefinition,
  pagesOf,
  reviewDefinition,
  type TestApi,
} from '../setup/api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
afterAll(() => api[Symbol.asyncDispose]());

test('a definition is shown as it is applied, with its sink mode, its last run and its document', async () => {
  await api.declare([reviewDefinition(), manualDefinition({ emit: 'live', enabled: true })]);
  const started = await api.post('/api/v1/definitions/by-hand/runs');
  const { status, body } = await api.get('/api/v1/definitions/by-hand');
  expect(status).toBe(200);
  expect(body).toEqual({
    definition_id: 'by-hand',
    title: 'Started by hand',
    owner: 'kaizen',
    enabled: true,
    paused: false,
    pause_reason: null,
    definition_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    problem: null,
    trigger: { manual: {} },
    emit: 'live',
    sink_mode: 'audit',
    sink_reason: 'ISSUE_SINK_TYPE is null',
    last_run: {
      run_id: started.body.run_id,
      status: 'running',
      started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    },
    next_run: null,
    schedule: null,
    document: {
      ...manualDefinition({ emit: 'live', enabled: true }),
      instructions: [],
      reports: [],
      on_duplicate: 'skip',
      limits: { max_tasks_per_run: 50 },
      rules: [
        {
          id: 'always',
          condition: 'context.facts.count > 1.0',
          task: { title: 'Do it on {{ run.date }}', description: '', labels: [], priority: 'medium' },
        },
      ],
    },
  });
  const review = await api.get('/api/v1/definitions/low-success-rate-review');
  expect(review.body).toMatchObject({ last_run: null, trigger: reviewDefinition().trigger });
});

test('a pause is shown with its reason', async () => {
  await api.declare([manualDefinition()]);
  await api.pool.query("INSERT INTO definition_pauses VALUES ('by-hand', 'too many tasks')");
  await api.pool.query('UPDATE registry_version SET version = version + 1');
  expect((await api.get('/api/v1/definitions/by-hand')).body).toMatchObject({
    enabled: true,
    paused: true,
    pause_reason: 'too many tasks',
  });
});

test('a revision that this version cannot run is listed, with the problem', async () => {
  const broken = manualDefinition({ context_sources: [{ type: 'gone', bind_to: 'context.facts' }] });
  await api.declare([broken]);
  expect(itemsOf(await api.get('/api/v1/definitions'))).toMatchObject([
    { definition_id: 'by-hand', problem: expect.stringContaining('unknown context source type `gone`') },
  ]);
});

test('definitions come in pages, ordered by id, each exactly once', async () => {
  const ids = ['a', 'a-b', 'a0', 'ab', 'b', 'b-1', 'c'];
  await api.declare(ids.map((id) => manualDefinition({ id })));
  const pages = await pagesOf(api, '/api/v1/definitions?limit=3');
  expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
  expect(pages.flat().map(({ definition_id }) => definition_id)).toEqual(ids.toSorted());
  expect((await pagesOf(api, '/api/v1/definitions?limit=7')).length).toBe(1);
});

test('a definition that is not declared is 404', async () => {
  expect(await api.get('/api/v1/definitions/nobody')).toMatchObject({
    status: 404,
    body: { code: 'not_found', detail: 'no definition has the id nobody; a file counts once it is applied' },
  });
});

test('the event types are listed with their schemas', async () => {
  const other = { ...METRICS_TYPE, type: 'other.thing.happened' };
  await api.declare([reviewDefinition()], [other, METRICS_TYPE]);
  expect(await api.get('/api/v1/event-types')).toMatchObject({
    status: 200,
    body: { items: [METRICS_TYPE, other], next_cursor: null },
  });
  expect((await pagesOf(api, '/api/v1/event-types?limit=1')).flat()).toEqual([METRICS_TYPE, other]);
});
