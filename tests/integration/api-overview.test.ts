/** `GET /api/v1/overview`, and who may have the page that shows it. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { ConsumerLag } from '../../src/bridge/consumer-lag.ts';
import { MOST_COUNTED } from '../../src/store/overview.ts';
import {
  bytesOf,
  createTestApi,
  failedByHand,
  manualDefinition,
  reviewDefinition,
  runOfEvent,
  type TestApi,
} from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';
import { quietOverview } from '../setup/operator-page-answers.ts';

const TOKEN = 'a-token-of-a-fitting-length-7f3a';

const LAG = { messages: null, message: 'NATS: not there', is_pulled: null };
let readLag: () => Promise<ConsumerLag> = async () => LAG;

let api: TestApi;
let guarded: TestApi;
let workerOnly: TestApi;

beforeAll(async () => {
  const { database_url } = inject('servers');
  api = await createTestApi(database_url, {
    readLag: () => readLag(),
    temporalUi: { url: 'https://temporal.example', namespace: 'ours' },
  });
  guarded = await createTestApi(database_url, { adminToken: TOKEN });
  workerOnly = await createTestApi(database_url, { roles: ['worker'] });
});
beforeEach(async () => {
  await api.clear();
  await api.declare([reviewDefinition(), manualDefinition()]);
});
afterAll(async () => {
  for (const each of [api, guarded, workerOnly]) await each[Symbol.asyncDispose]();
});

test('an empty instance has an overview with nothing in it', async () => {
  const { status, body } = await api.get('/api/v1/overview');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    ...quietOverview(expect.any(String)),
    version: expect.any(String),
    temporal_ui: { url: 'https://temporal.example', namespace: 'ours' },
    lag: LAG,
    definitions: [{ definition_id: 'by-hand' }, { definition_id: 'low-success-rate-review' }],
    definition_count: 2,
  });
  expect(body.definitions).not.toMatchObject([{ document: expect.anything() }]);
});

test('what ran, failed and was refused is in it, errors without their details and messages without their bytes', async () => {
  const failed = await failedByHand(api);
  const completed = await runOfEvent(api, 'low-1');
  await api.receive({ bytes: bytesOf({ ...metricsEvent('bad'), attributes: {} }) });
  const { body } = await api.get('/api/v1/overview');
  expect(body).toMatchObject({
    last_event_at: expect.any(String),
    counts: { failed_runs_24h: 1, quarantine_open: 1 },
    runs: [
      { run_id: completed, error: null },
      { run_id: failed, status: 'failed' },
    ],
    failed_runs: [
      { run_id: failed, error: { code: 'rule_error', message: expect.any(String) }, mended_by: null },
    ],
    refused: [
      {
        event_id: 'bad',
        reason: 'invalid_attributes',
        violation_count: 3,
        violations: expect.any(Array),
      },
    ],
  });
  expect(JSON.stringify(body)).not.toMatch(/"details"|"bytes_base64"|"headers"/);
});

test('a spec that waits is shown with the state of its run, oldest first, and ticks that did not run are', async () => {
  await runOfEvent(api, 'first');
  await runOfEvent(api, 'second');
  await api.pool.query("UPDATE task_spawn_log SET status = 'pending'");
  await api.pool.query(
    `INSERT INTO schedule_ticks (definition_id, scheduled_for, deadline, outcome, reason)
     SELECT 'hourly', now() - n * interval '1 hour', now(), (ARRAY['missed', 'overlapped', 'fired'])[n], 'told'
       FROM generate_series(1, 3) AS n`,
  );
  const { body } = await api.get('/api/v1/overview');
  expect(body).toMatchObject({
    counts: { outbox_pending: 2, outbox_stopped: 2, ticks_not_run_24h: 2 },
    oldest_unsent_at: null,
    pending_tasks: [
      { run_status: 'completed', title: 'Review coach in kaizen-agentic', attempts: 0 },
      { run_status: 'completed' },
    ],
    ticks_not_run: [{ outcome: 'missed' }, { outcome: 'overlapped' }],
  });
  const [one, other] = body.pending_tasks as { created_at: string }[];
  expect(Date.parse(one!.created_at)).toBeLessThan(Date.parse(other!.created_at));
});

test('a run counts as failed by its end, whenever it began, and no more once a retry completed', async () => {
  const [gaveUp, past, mended] = [await failedByHand(api), await failedByHand(api), await failedByHand(api)];
  const endedAgo = (runId: string, ago: string) =>
    api.pool.query(
      "UPDATE activity_runs SET started_at = now() - interval '50 hours', finished_at = now() - $2::interval WHERE run_id = $1",
      [runId, ago],
    );
  await endedAgo(gaveUp, '1 hour');
  await endedAgo(past, '25 hours');
  await api.declare([reviewDefinition(), manualDefinition()]);
  const { body: retry } = await api.post(`/api/v1/runs/${mended}/retry`);
  await api.runAll([String(retry.run_id)]);
  expect((await api.get('/api/v1/overview')).body).toMatchObject({
    counts: { failed_runs_24h: 1 },
    failed_runs: [
      { run_id: mended, mended_by: retry.run_id },
      { run_id: gaveUp, mended_by: null },
      { run_id: past, mended_by: null },
    ],
  });
});

test('a run that failed lately is listed before those that began later and ended long ago', async () => {
  const failed = await failedByHand(api);
  await api.pool.query("UPDATE activity_runs SET started_at = now() - interval '30 hours'");
  await api.pool.query(
    `INSERT INTO activity_runs (run_id, definition_id, definition_hash, trigger_key, origin_trigger_key, trigger_kind, status,
                                sink_mode, finished_at)
     SELECT gen_random_uuid(), 'by-hand', '', 'manual:past ' || n, 'manual:past ' || n, 'manual', 'failed', 'audit',
            now() - interval '2 days'
       FROM generate_series(1, 12) AS n`,
  );
  const { body } = await api.get('/api/v1/overview');
  const listed = body.failed_runs as { run_id: string }[];
  expect(body).toMatchObject({ counts: { failed_runs_24h: 1 } });
  expect(listed).toHaveLength(10);
  expect(listed[0]?.run_id).toBe(failed);
});

test('what has been at work or unsent for longest is told with its time', async () => {
  await runOfEvent(api, 'first');
  await runOfEvent(api, 'second');
  await api.receive({ bytes: bytesOf(metricsEvent('at-work')) });
  const { rows } = await api.pool.query(
    `WITH work AS (UPDATE dispatches SET created_at = now() - interval '10 minutes' WHERE closed_at IS NULL RETURNING created_at),
          spec AS (UPDATE task_spawn_log SET status = 'pending', created_at = now() - interval '2 hours' RETURNING created_at),
          run AS (UPDATE activity_runs SET status = 'running', finished_at = NULL WHERE event_id = 'first')
     SELECT (SELECT min(created_at) FROM work) AS oldest_dispatch_at, (SELECT min(created_at) FROM spec) AS oldest_unsent_at`,
  );
  const { body } = await api.get('/api/v1/overview');
  expect(rows[0].oldest_dispatch_at).not.toBe(null);
  expect(body).toMatchObject({ ...rows[0], counts: { outbox_pending: 2, outbox_stopped: 1 } });
});

test('however many ask at one moment, it is read once', async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<typeof LAG>();
  let readings = 0;
  readLag = () => {
    readings += 1;
    asked.resolve();
    return answer.promise;
  };
  const both = [api.get('/api/v1/overview'), api.get('/api/v1/overview')];
  await asked.promise;
  // By its answer the second one has come, too.
  await api.get('/api/v1/runs');
  answer.resolve(LAG);
  const [one, other] = await Promise.all(both);
  readLag = async () => LAG;
  expect(readings).toBe(1);
  expect(other?.body).toEqual(one?.body);
  expect(one?.status).toBe(200);
});

test('counts stop at their bound', async () => {
  await api.pool.query(
    `INSERT INTO quarantined_events (id, subject, headers, reason, violations, bytes, size, stream_seq, stream_timestamp)
     SELECT gen_random_uuid(), 'activity.x', '{}', 'not_json', '[]', '', 0, n, n FROM generate_series(1, $1::int) AS n`,
    [MOST_COUNTED + 5],
  );
  const { body } = await api.get('/api/v1/overview');
  expect(body).toMatchObject({ counts: { quarantine_open: MOST_COUNTED }, ticks_not_run: [] });
  expect(body.refused).toHaveLength(10);
});

test('the page needs no token and holds no data; what it shows needs the token; no other role has it', async () => {
  expect(await guarded.get('/')).toMatchObject({
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
  });
  expect((await guarded.get('/page/page.js')).status).toBe(200);
  expect((await guarded.get('/api/v1/overview')).status).toBe(401);
  const authorized = await guarded.app.inject({
    url: '/api/v1/overview',
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  expect(authorized.statusCode).toBe(200);
  expect((await workerOnly.get('/')).status).toBe(404);
  for (const url of ['/page/', '/page/../app.ts', '/page/operator-page.ts', '/page/%2e%2e/app.ts'])
    expect((await api.get(url)).status, url).toBe(404);
  const { paths } = (await api.get('/openapi.json')).body as { paths: Record<string, object> };
  expect(Object.keys(paths).filter((path) => path === '/' || path.startsWith('/page'))).toEqual([]);
});
