/** A `traceparent` where it is easily lost: repetitions, redrives, retries, runs by hand. And what `/metrics` reads at each scrape. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { runId } from '../../src/core/ids.ts';
import { createTestApi, reviewDefinition, type TestApi } from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';

const of = (parent: string) => `00-4bf92f3577b34da6a3ce929d0e0e4736-${parent}-01`;
const ONE = of('00f067aa0ba902b7');
const OTHER = of('b7ad6b7169203331');

let api: TestApi;
let isAway = false;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url, {
    checks: async () => ({
      postgres: { ok: true, message: 'ok' },
      nats: { ok: !isAway, message: isAway ? 'record: the server is away' : 'consuming' },
    }),
  });
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.clear();
  await api.declare([reviewDefinition()]);
});

const bytesOf = (event: object) => Buffer.from(JSON.stringify(event));

async function traceOf(eventId: string): Promise<unknown> {
  return (await api.get(`/api/v1/events/${eventId}`)).body.traceparent;
}

test('an event that comes again in another trace is a duplicate, and keeps the trace that it came with', async () => {
  const event = metricsEvent('e1', 0.5, { traceparent: ONE });
  await api.receive({ bytes: bytesOf(event) });
  const again = await api.receive(
    { bytes: bytesOf({ ...event, traceparent: OTHER }) },
    { bytes: bytesOf(metricsEvent('e1', 0.5, { time: event.time })), headers: { traceparent: [OTHER] } },
  );
  expect(again).toMatchObject({ duplicates: 2, conflicts: [], accepted: [] });
  expect(await traceOf('e1')).toBe(ONE);
});

test('a refused event keeps its trace: the redriven one has it, from its header', async () => {
  const { quarantined } = await api.receive({
    bytes: bytesOf({ ...metricsEvent('e1'), type: 'other.thing.happened' }),
    subject: 'activity.other.thing.happened',
    headers: { Traceparent: [ONE] },
  });
  expect(quarantined.map(({ reason }) => reason)).toEqual(['unregistered_type']);
  await api.declare(
    [reviewDefinition()],
    [{ type: 'other.thing.happened', title: 'Other', owner: 'tests', attributes_schema: {} }],
  );
  const { rows } = await api.pool.query('SELECT id FROM quarantined_events');
  expect(await api.post(`/api/v1/quarantine/${rows[0].id}/redrive`)).toMatchObject({ status: 200 });
  expect(await traceOf('e1')).toBe(ONE);
});

test('a retry belongs to the trace of the first run, also where the event is gone', async () => {
  await api.declare([
    reviewDefinition({ rules: [{ id: 'bad', condition: '1 / 0 > 1', task: { title: 'never' } }] }),
  ]);
  const { accepted, dispatch_ids } = await api.receive({
    bytes: bytesOf(metricsEvent('e1', 0.5, { traceparent: ONE })),
  });
  await api.runAll(dispatch_ids);
  const first = runId('low-success-rate-review', `event:${accepted[0]?.event_uid}`);
  expect((await api.get(`/api/v1/runs/${first}`)).body).toMatchObject({ status: 'failed', traceparent: ONE });
  await api.pool.query('DELETE FROM events');
  const { run_id } = (await api.post(`/api/v1/runs/${first}/retry`)).body;
  expect((await api.get(`/api/v1/runs/${run_id}`)).body).toMatchObject({ traceparent: ONE });
});

test('a run by hand has the trace of its event, and a repetition in another trace is that run', async () => {
  const start = (traceparent: string) =>
    api.post(
      '/api/v1/definitions/low-success-rate-review/runs',
      { event: metricsEvent('e1', 0.5, { time: '2026-11-20T08:15:00Z', traceparent }) },
      { 'idempotency-key': 'once' },
    );
  const first = await start(ONE);
  expect(first.status).toBe(202);
  expect(await start(OTHER)).toMatchObject({ status: 202, body: first.body });
  expect((await api.get(`/api/v1/runs/${first.body.run_id}`)).body).toMatchObject({ traceparent: ONE });
});

test('the run of an event without one has none', async () => {
  const { dispatch_ids } = await api.receive({ bytes: bytesOf(metricsEvent('e1')) });
  await api.runAll(dispatch_ids);
  expect((await api.get('/api/v1/runs')).body.items).toMatchObject([{ traceparent: null }]);
});

test('metrics tell how long the oldest pending spec has waited, from an index', async () => {
  const pending = (status: string, n: number, minutes: number) =>
    api.pool.query(
      `INSERT INTO task_spawn_log (idempotency_key, run_id, definition_id, rule_id, spec, status, created_at)
       SELECT $1 || n, gen_random_uuid(), 'd', 'r', '{}', $1, now() - make_interval(mins => $3) FROM generate_series(1, $2) AS n`,
      [status, n, minutes],
    );
  expect((await api.get('/metrics')).text).toContain('activity_core_outbox_oldest_seconds 0\n');
  await pending('audited', 3_000, 300);
  await pending('pending', 20, 60);
  const [, seconds] =
    /^activity_core_outbox_oldest_seconds (\S+)$/m.exec((await api.get('/metrics')).text) ?? [];
  expect(Math.floor(Number(seconds) / 60)).toBe(60);
  await api.pool.query('ANALYZE task_spawn_log');
  const { rows } = await api.pool.query(
    "EXPLAIN SELECT created_at FROM task_spawn_log WHERE (status || '') = 'pending' ORDER BY created_at LIMIT 1",
  );
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toContain('task_spawn_log_by_status');
  expect(plan).not.toContain('Sort');
});

test('metrics tell what is not ready', async () => {
  isAway = true;
  const { text } = await api.get('/metrics');
  isAway = false;
  expect(text).toContain('activity_core_ready{check="postgres"} 1');
  expect(text).toContain('activity_core_ready{check="nats"} 0');
});

test('what has not happened yet is 0 and not missing, where the labels are known', async () => {
  await api.receive({ bytes: bytesOf(metricsEvent('e1')) });
  const { text } = await api.get('/metrics');
  expect(text).toContain('activity_core_quarantine_overflow_total{reason="not_json"} 0');
  expect(text).toContain('activity_core_quarantined_total{reason="causal_loop"} 0');
  expect(text).toContain(
    'activity_core_runs_total{definition_id="low-success-rate-review",status="missed"} 0',
  );
});
