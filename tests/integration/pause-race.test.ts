/** A resume and a batch of events that was matched while the definition was paused: whatever comes first, no event stays held. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { bytesOf, createTestApi, itemsOf, reviewDefinition, type TestApi } from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';
import { holdTable } from '../setup/hold-table.ts';
import { until } from '../setup/until.ts';

const BASE = '/api/v1/definitions/low-success-rate-review';
let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
beforeEach(async () => {
  await api.declare([reviewDefinition()]);
  await api.clear();
  await api.post(`${BASE}/pause`, { reason: 'for now' });
});
afterAll(() => api[Symbol.asyncDispose]());

const resume = () => api.post(`${BASE}/resume`);
const publish = (...ids: string[]) => api.receive(...ids.map((id) => ({ bytes: bytesOf(metricsEvent(id)) })));
const decisionsOf = async (id: string) => (await api.get(`/api/v1/events/${id}`)).body.decisions;

const asked = (statement: string) => async () => {
  const { rows } = await api.pool.query(
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE $1",
    [statement],
  );
  return rows.length > 0;
};

test('a resume waits for the batch that holds them, and runs them', async () => {
  const table = await holdTable(api.pool, 'event_decisions');
  const received = publish('e-1');
  await table.reached();
  const resumed = resume();
  await until('the resume waits for the batch', asked('%definition_pauses%FOR UPDATE%'));
  await table.release();
  expect((await received).decisions).toMatchObject([{ outcome: 'held' }]);
  expect((await resumed).body).toMatchObject({ held: { fired: 1 } });
  expect(await decisionsOf('e-1')).toMatchObject([{ outcome: 'fired' }]);
});

test('a resume that is over before the batch decides lets it fire', async () => {
  const table = await holdTable(api.pool, 'event_ids');
  const received = publish('e-1', 'e-2');
  await table.reached();
  expect((await resume()).body).toMatchObject({ held: { fired: 0 } });
  await table.release();
  const { decisions, dispatch_ids } = await received;
  expect(decisions).toMatchObject([{ outcome: 'fired' }, { outcome: 'fired' }]);
  await api.runAll(dispatch_ids);
  const runs = itemsOf(await api.get('/api/v1/runs'));
  expect(runs.map(({ trigger }) => (trigger as JsonObject).event_id)).toEqual(['e-2', 'e-1']);
});

test('a resume lets a redriven event fire as well', async () => {
  const id = randomUUID();
  const bytes = bytesOf(metricsEvent('e-1'));
  await api.pool.query(
    `INSERT INTO quarantined_events (id, subject, headers, reason, violations, bytes, size, stream_seq, stream_timestamp)
     VALUES ($1, 'activity.kaizen.metrics.recorded', '{}', 'unregistered_type', '[]', $2, $3, 1, 1)`,
    [id, bytes, bytes.byteLength],
  );
  const table = await holdTable(api.pool, 'event_ids');
  const redriven = api.post(`/api/v1/quarantine/${id}/redrive`);
  await table.reached();
  await resume();
  await table.release();
  expect((await redriven).body).toMatchObject({ fate: 'accepted', decisions: [{ outcome: 'fired' }] });
});

test('a pause that is gone while the registry never moves on is given up on, and nothing is recorded', async () => {
  await publish('e-0');
  // Nobody ends a pause without a new version of the registry; here somebody did.
  await api.pool.query('DELETE FROM definition_pauses');
  await expect(publish('e-1')).rejects.toMatchObject({ code: 'pause_ended' });
  expect((await api.get('/api/v1/events/e-1')).status).toBe(404);
  expect((await resume()).body).toMatchObject({ held: { fired: 1 } });
});
