/** A `traceparent` where it is easily lost: repetitions, redrives, retries, runs by hand. And what `/metrics` reads at each scrape. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { runId } from '../../src/core/ids.ts';
import { canonicalJson } from '../../src/core/json.ts';
import { OLDEST_EMISSION, OUTBOX_COUNTS } from '../../src/store/outbox-measures.ts';
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

interface Staged {
  run: string;
  task: string;
  dispatch: 'open' | 'closed';
  /** Since when its specs are sent. They are five days old, as those of a run that was resumed. */
  minutes: number;
}

/** So many runs with a task each. */
const stage = (runs: number, { run, task, dispatch, minutes }: Staged) =>
  api.pool.query(
    `WITH made AS (SELECT gen_random_uuid() AS run_id, gen_random_uuid() AS dispatch_id FROM generate_series(1, $1)),
     dispatched AS (
       INSERT INTO dispatches (dispatch_id, run_ids, definition_ids, definition_hashes, event_uids, prepared_at, closed_at)
       SELECT dispatch_id, ARRAY[run_id], ARRAY['d'], ARRAY['h'], ARRAY[NULL]::uuid[], now() - make_interval(mins => $5),
              CASE WHEN $4 = 'closed' THEN now() END FROM made),
     ran AS (
       INSERT INTO activity_runs (run_id, definition_id, definition_hash, trigger_key, origin_trigger_key, trigger_kind,
                                  status, sink_mode, dispatch_id)
       SELECT run_id, 'd', 'h', run_id, run_id, 'manual', $2, 'live', dispatch_id FROM made)
     INSERT INTO task_spawn_log (idempotency_key, run_id, definition_id, rule_id, spec, status, created_at)
     SELECT run_id, run_id, 'd', 'r', '{}', $3, now() - interval '5 days' FROM made`,
    [runs, run, task, dispatch, minutes],
  );

async function readOutbox(): Promise<number[]> {
  const { text } = await api.get('/metrics');
  return ['pending', 'stranded', 'oldest_seconds'].map((name) =>
    Number(new RegExp(`^activity_core_outbox_${name} (\\S+)$`, 'm').exec(text)?.[1]),
  );
}

test('metrics tell what is being sent, and since when, from what waits for an operator; indexes answer', async () => {
  expect(await readOutbox()).toEqual([0, 0, 0]);
  await stage(3_000, { run: 'completed', task: 'created', dispatch: 'closed', minutes: 9_000 });
  await stage(20, { run: 'failed', task: 'pending', dispatch: 'closed', minutes: 3_000 });
  await stage(5, { run: 'running', task: 'created', dispatch: 'open', minutes: 600 });
  expect(await readOutbox()).toEqual([20, 20, 0]);
  await stage(20, { run: 'running', task: 'pending', dispatch: 'open', minutes: 60 });
  await stage(20, { run: 'running', task: 'pending', dispatch: 'open', minutes: 10 });
  const [pending, stranded, seconds = 0] = await readOutbox();
  expect([pending, stranded, Math.floor(seconds / 60)]).toEqual([60, 20, 60]);
  await api.pool.query('ANALYZE task_spawn_log, activity_runs, dispatches');
  for (const statement of [OUTBOX_COUNTS, OLDEST_EMISSION]) {
    const { rows } = await api.pool.query(`EXPLAIN ${statement}`);
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).not.toContain('Seq Scan');
  }
});

test('what nobody answers is left out of a scrape, and the rest of it is there', async () => {
  const client = await api.pool.connect();
  await client.query('BEGIN');
  await client.query('LOCK TABLE quarantine_volume IN ACCESS EXCLUSIVE MODE');
  const { text } = await api.get('/metrics');
  await client.query('ROLLBACK');
  client.release();
  expect(text).not.toMatch(/^activity_core_quarantine_bytes /m);
  expect(text).toContain('activity_core_outbox_pending 0\n');
  expect(text).toContain('activity_core_ready{check="postgres"} 1');
  expect((await api.get('/metrics')).text).toContain('activity_core_quarantine_bytes 0\n');
});

test('a key of before traces were left out of its hash starts its run again, and no second one', async () => {
  const event = metricsEvent('e1', 0.5, { time: '2026-11-20T08:15:00Z', traceparent: ONE });
  const start = (sent: object) =>
    api.post(
      '/api/v1/definitions/low-success-rate-review/runs',
      { event: sent },
      { 'idempotency-key': 'once' },
    );
  const first = await start(event);
  const asThen = createHash('sha256')
    .update(canonicalJson({ event, dry_run: false, model: false }))
    .digest();
  await api.pool.query('UPDATE activity_runs SET request_hash = $1', [asThen]);
  expect(await start(event)).toMatchObject({ status: 202, body: first.body });
  expect(await start({ ...event, subject: 'another' })).toMatchObject({
    status: 422,
    body: { code: 'idempotency_conflict' },
  });
});

test('a run whose filter failed did no work, and is left out of the durations', async () => {
  const event = { type: 'kaizen.metrics.recorded', filter: '1 / 0 > 1' };
  await api.declare([reviewDefinition({ id: 'bad-filter', trigger: { event } })]);
  await api.receive({ bytes: bytesOf(metricsEvent('e1')) });
  const { text } = await api.get('/metrics');
  expect(text).toContain('activity_core_runs_total{definition_id="bad-filter",status="failed"} 1');
  expect(text).not.toContain('activity_core_run_duration_seconds_count{definition_id="bad-filter"}');
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
