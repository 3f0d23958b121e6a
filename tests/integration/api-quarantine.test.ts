import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { eventUid, runId } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import {
  bytesOf,
  createTestApi,
  itemsOf,
  METRICS_TYPE,
  pagesOf,
  reviewDefinition,
  type TestApi,
} from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';

const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
const UUID = /^[0-9a-f-]{36}$/;

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.clear();
  api.metrics.registry.resetMetrics();
  await api.declare([reviewDefinition()], []);
});

const registered = () => api.declare([reviewDefinition()]);

/** Quarantined while its type was not registered. */
async function refused(event: object): Promise<string> {
  await api.receive({ bytes: bytesOf(event), headers: { 'Nats-Msg-Id': ['m1'] } });
  return String((await newest()).id);
}

async function newest(): Promise<JsonObject> {
  return itemsOf(await api.get('/api/v1/quarantine?limit=1'))[0] ?? {};
}

const shown = async (id: string) => (await api.get(`/api/v1/quarantine/${id}`)).body;
const redrive = (id: string, body?: object) => api.post(`/api/v1/quarantine/${id}/redrive`, body);
const discard = (id: string, body?: object) => api.post(`/api/v1/quarantine/${id}/discard`, body);

/** Every row of every table, for comparing. */
async function everything(): Promise<unknown> {
  const tables = Object.keys(await api.countRows());
  const contents: Record<string, unknown> = {};
  for (const table of tables)
    contents[table] = (await api.pool.query(`SELECT * FROM ${table} ORDER BY 1`)).rows;
  return contents;
}

test('what was refused is listed and shown whole, with its bytes', async () => {
  const bytes = Buffer.from([0xff, 0x00, 0x7b]);
  await api.receive({ bytes, headers: { a: ['1', '2'] }, subject: 'activity.x.y' });
  const item = {
    id: expect.stringMatching(UUID),
    event_id: null,
    received_at: expect.stringMatching(TIME),
    subject: 'activity.x.y',
    headers: { a: ['1', '2'] },
    reason: 'not_json',
    violations: [{ pointer: '', message: expect.any(String) }],
    bytes_base64: bytes.toString('base64'),
    size: 3,
    state: 'open',
    state_reason: null,
    event_uid: null,
  };
  expect((await api.get('/api/v1/quarantine')).body).toEqual({
    items: [item],
    next_cursor: null,
    overflow: [],
  });
  expect(await shown(String((await newest()).id))).toEqual(item);
});

test('what was refused is found by state and reason, and comes in pages', async () => {
  await api.receive(...Array.from({ length: 12 }, () => ({ bytes: bytesOf('rubbish') })));
  const id = await refused(metricsEvent('e1'));
  const found = async (query: string) => itemsOf(await api.get(`/api/v1/quarantine?${query}`)).length;
  expect(await found('reason=not_json')).toBe(12);
  expect(await found('reason=unregistered_type&state=open')).toBe(1);
  await discard(id, { reason: 'a test' });
  expect(await found('state=discarded')).toBe(1);
  expect(await found('state=open')).toBe(12);
  const pages = await pagesOf(api, '/api/v1/quarantine?limit=5');
  expect(pages.map((page) => page.length)).toEqual([5, 5, 3]);
  expect(new Set(pages.flat().map((item) => item.id)).size).toBe(13);
  expect((await api.get('/api/v1/quarantine?state=closed')).status).toBe(400);
});

test('what was refused is found by the id of its event, and where the event is asked for, that is said', async () => {
  const id = await refused(metricsEvent('e1'));
  await api.receive({ bytes: bytesOf({ id: 'e1' }) }, { bytes: bytesOf({ id: 'e2' }) });
  await discard(id, { reason: 'a test' });
  const found = async (query: string) => itemsOf(await api.get(`/api/v1/quarantine?event_id=${query}`));
  expect(await found('e1')).toMatchObject([
    { event_id: 'e1', reason: 'invalid_envelope', state: 'open' },
    { event_id: 'e1', reason: 'unregistered_type', state: 'discarded', id },
  ]);
  expect(await found('e1&reason=unregistered_type')).toMatchObject([{ id }]);
  expect(await found('e1&state=open')).toMatchObject([{ reason: 'invalid_envelope' }]);
  expect(await found('e3')).toEqual([]);
  const { status, body } = await api.get('/api/v1/events/e1');
  expect([status, body.detail]).toEqual([404, expect.stringContaining('quarantine list --event-id e1')]);
});

test('after the registry is mended a dry redrive tells what would happen and changes nothing, a real one does it', async () => {
  const id = await refused(metricsEvent('e1'));
  await registered();
  const event_uid = eventUid('kaizen-agentic', 'e1');
  const run_id = runId('low-success-rate-review', `event:${event_uid}`);
  const answer = {
    fate: 'accepted',
    decisions: [
      {
        definition_id: 'low-success-rate-review',
        definition_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        outcome: 'fired',
        reason: null,
        values: { 'event.attributes.project': 'kaizen-agentic' },
        run_id,
        run_status: null,
        decided_at: expect.stringMatching(TIME),
      },
    ],
  };
  const [before, counted] = [await everything(), await api.metrics.events.get()];
  const rehearsed = await redrive(id, { dry_run: true });
  expect(rehearsed).toMatchObject({ status: 200 });
  expect(rehearsed.body).toEqual(answer);
  expect(await everything()).toEqual(before);
  expect(api.started).toEqual([]);
  expect(await api.metrics.events.get()).toEqual(counted);

  const redriven = await redrive(id);
  expect(redriven.status).toBe(200);
  expect(redriven.body).toEqual(answer);
  expect(await shown(id)).toMatchObject({ state: 'redriven', event_uid, reason: 'unregistered_type' });
  expect((await api.get('/api/v1/events/e1')).body).toMatchObject({
    event_uid,
    fate: 'accepted',
    duplicates: 0,
  });
  expect(api.started).toHaveLength(1);
  await api.runAll();
  expect((await api.get(`/api/v1/runs/${run_id}`)).body).toMatchObject({
    status: 'completed',
    task_count: 1,
  });
  const { values } = await api.metrics.events.get();
  expect(values.find(({ labels }) => labels.fate === 'accepted')?.value).toBe(1);
});

test('ten redrives at once are one, and nine are told that it is done', async () => {
  const id = await refused(metricsEvent('e1'));
  await registered();
  const answers = await Promise.all(Array.from({ length: 10 }, () => redrive(id)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(409)]);
  expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({
    code: 'wrong_state',
    detail: expect.stringContaining('redriven'),
  });
  expect(await api.countRows()).toMatchObject({ events: 1, dispatches: 1 });
});

test('an event that nothing is triggered by is redriven as unmatched', async () => {
  const id = await refused(metricsEvent('e1'));
  await api.declare([], [METRICS_TYPE]);
  expect((await redrive(id)).body).toEqual({ fate: 'unmatched', decisions: [] });
  expect(await shown(id)).toMatchObject({ state: 'redriven' });
  expect((await api.get('/api/v1/events/e1')).body).toMatchObject({ fate: 'unmatched' });
});

test('an event that was accepted meanwhile is a duplicate, counted once', async () => {
  const event = metricsEvent('e1');
  const id = await refused(event);
  await registered();
  await api.receive({ bytes: bytesOf(event) });
  for (const dry_run of [true, false]) {
    expect((await redrive(id, { dry_run })).body).toEqual({ fate: 'duplicate', decisions: [] });
  }
  expect(await shown(id)).toMatchObject({ state: 'redriven', event_uid: eventUid('kaizen-agentic', 'e1') });
  expect((await api.get('/api/v1/events/e1')).body).toMatchObject({ duplicates: 1 });
  expect(await api.countRows()).toMatchObject({ events: 1, event_decisions: 1 });
});

test('one whose id was accepted with other content stays, with that as its reason', async () => {
  const id = await refused(metricsEvent('e1', 0.5));
  await registered();
  await api.receive({ bytes: bytesOf(metricsEvent('e1', 0.9)) });
  const before = await everything();
  expect((await redrive(id, { dry_run: true })).body).toMatchObject({
    fate: 'quarantined',
    reason: 'id_conflict',
  });
  expect(await everything()).toEqual(before);
  expect((await redrive(id)).body).toMatchObject({
    fate: 'quarantined',
    decisions: [],
    reason: 'id_conflict',
  });
  expect(await shown(id)).toMatchObject({
    state: 'open',
    reason: 'id_conflict',
    violations: [{ pointer: '/id' }],
  });
  expect(await api.countRows()).toMatchObject({ quarantined_events: 1, event_duplicates: 0 });
});

test('one that is refused again stays open, with the reason as it is now', async () => {
  const id = await refused({ ...metricsEvent('e1'), attributes: { agent: 1 } });
  expect(await shown(id)).toMatchObject({ reason: 'unregistered_type' });
  await registered();
  expect((await redrive(id)).body).toMatchObject({ fate: 'quarantined', reason: 'invalid_attributes' });
  const now = await shown(id);
  expect(now).toMatchObject({ state: 'open', reason: 'invalid_attributes' });
  expect(now.violations).toContainEqual({ pointer: '/attributes/summary', message: 'is required' });
  expect(await api.countRows()).toMatchObject({ events: 0, event_ids: 0 });
});

test('one that PostgreSQL cannot store stays open as unstorable', async () => {
  const id = await refused(metricsEvent('unstorable'));
  await registered();
  await api.pool.query("ALTER TABLE events ADD CONSTRAINT poison CHECK (id <> 'unstorable')");
  for (const dry_run of [true, false]) {
    expect(await redrive(id, { dry_run })).toMatchObject({
      status: 200,
      body: { fate: 'quarantined', reason: 'unstorable', decisions: [] },
    });
  }
  expect(await shown(id)).toMatchObject({ state: 'open', reason: 'unstorable' });
  await api.pool.query('ALTER TABLE events DROP CONSTRAINT poison');
});

test('a CloudEvent without a time keeps the time at which the stream took it', async () => {
  const { id, type, source, attributes } = metricsEvent('cloud');
  const stream_timestamp = Date.parse('2026-11-20T08:15:00.250Z') * 1000;
  const event = { specversion: '1.0', id, type, source, data: attributes };
  await api.receive({ bytes: bytesOf(event), stream_timestamp });
  const { id: quarantined } = await newest();
  await api.declare([reviewDefinition()]);
  const { body } = await redrive(String(quarantined));
  expect(body.fate).toBe('accepted');
  expect((await api.get('/api/v1/events/cloud')).body).toMatchObject({ time: '2026-11-20T08:15:00.25Z' });
});

test('where Temporal is away a redrive is recorded all the same', async () => {
  const away = await createTestApi(inject('servers').database_url, {
    startDispatch: () => Promise.reject(new Error('Temporal is not connected yet')),
  });
  try {
    await away.declare([reviewDefinition()], []);
    await away.receive({ bytes: bytesOf(metricsEvent('e1')) });
    await away.declare([reviewDefinition()]);
    const [item] = itemsOf(await away.get('/api/v1/quarantine'));
    const { status, body } = await away.post(`/api/v1/quarantine/${item?.id}/redrive`);
    expect({ status, fate: body.fate }).toEqual({ status: 200, fate: 'accepted' });
    expect(await away.countRows()).toMatchObject({ dispatches: 1 });
  } finally {
    await away[Symbol.asyncDispose]();
  }
});

test('a discard needs a reason, keeps it, and is final', async () => {
  const id = await refused(metricsEvent('e1'));
  for (const body of [
    undefined,
    {},
    { reason: '' },
    { reason: '  ' },
    { reason: 'a\u0000' },
    { reason: 7 },
  ]) {
    expect(await discard(id, body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', violations: [{ pointer: '/reason' }] },
    });
  }
  const discarded = await discard(id, { reason: 'a test message' });
  expect(discarded).toMatchObject({
    status: 200,
    body: { id, state: 'discarded', state_reason: 'a test message' },
  });
  expect(await shown(id)).toEqual(discarded.body);
  await registered();
  for (const answer of [
    await discard(id, { reason: 'again' }),
    await redrive(id),
    await redrive(id, { dry_run: true }),
  ]) {
    expect(answer).toMatchObject({
      status: 409,
      body: { code: 'wrong_state', detail: expect.stringContaining('discarded') },
    });
  }
});

test('what is not in quarantine, or cannot be, is 404', async () => {
  for (const id of ['8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11', 'nonsense']) {
    for (const answer of [
      await api.get(`/api/v1/quarantine/${id}`),
      await redrive(id),
      await discard(id, { reason: 'x' }),
    ]) {
      expect(answer, id).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  }
  const id = await refused(metricsEvent('e1'));
  expect(await redrive(id, { dryrun: true })).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', violations: [{ pointer: '/dryrun' }] },
  });
});
