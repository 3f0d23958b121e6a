/** Issue 7, 7: what goes when it is old, and what never does. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { insertDispatch } from '../../src/store/dispatches.ts';
import { pinContext } from '../../src/store/pinned-contexts.ts';
import { holdRun } from '../../src/store/runs.ts';
import { createWatchExpectations } from '../../src/trust/watch-expectations.ts';
import {
  bytesOf,
  createTestApi,
  failedByHand,
  itemsOf,
  manualDefinition,
  reviewDefinition,
  runOfEvent,
  type TestApi,
} from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';
import { createRetention, deletedByTable, passDays, type Retention } from '../setup/retention.ts';

const REVIEW = 'low-success-rate-review';

let api: TestApi;
let retention: Retention;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.clear();
  await api.pool.query('TRUNCATE activity_definitions');
  await api.declare([reviewDefinition(), manualDefinition()]);
  retention = createRetention(api.servicePool);
});

const count = async (table: string, where = 'true'): Promise<number> =>
  (await api.pool.query(`SELECT count(*) AS n FROM ${table} WHERE ${where}`)).rows[0].n;
const hasRun = async (id: string): Promise<boolean> =>
  (await count('activity_runs', `run_id = '${id}'`)) === 1;

async function runByHand(): Promise<string> {
  const { body } = await api.post('/api/v1/definitions/by-hand/runs');
  await api.runAll([String(body.run_id)]);
  return String(body.run_id);
}

/** Something newer completed, so that no run is kept for being the newest. */
async function completeNewer(): Promise<void> {
  await runOfEvent(api, `newer-${randomUUID()}`, 0.9);
  await runByHand();
}

async function passAfter(days: number): Promise<Record<string, number>> {
  await passDays(api.pool, days);
  await completeNewer();
  await retention.pass();
  return deletedByTable(retention.metrics);
}

test('an event that is old goes with its decisions, duplicates, dispatch, run and specs; one that is not stays', async () => {
  const envelope = metricsEvent('e-1');
  const { dispatch_ids } = await api.receive({ bytes: bytesOf(envelope) });
  await api.runAll(dispatch_ids);
  await api.receive({ bytes: bytesOf(envelope) });
  expect(await passAfter(89)).toEqual({});
  expect(await passAfter(2)).toEqual({
    activity_runs: 1,
    task_spawn_log: 1,
    events: 1,
    event_decisions: 1,
    event_duplicates: 1,
    dispatches: 1,
  });
  expect(await count('event_ids', `recorded_at < now() - interval '90 days'`)).toBe(1);
});

test('an event that comes again after its rows are gone is a duplicate, and runs nothing', async () => {
  const envelope = metricsEvent('e-1');
  const { dispatch_ids } = await api.receive({ bytes: bytesOf(envelope) });
  await api.runAll(dispatch_ids);
  await passAfter(91);
  expect(await count('events', `id = 'e-1'`)).toBe(0);
  const again = await api.receive({ bytes: bytesOf(envelope) });
  expect(again).toMatchObject({ accepted: [], duplicates: 1, dispatch_ids: [] });
  expect(await count('activity_runs', `event_id = 'e-1'`)).toBe(0);
  const changed = metricsEvent('e-1', 0.1, { time: envelope.time });
  const conflict = await api.receive({ bytes: bytesOf(changed) });
  expect(conflict.quarantined).toMatchObject([{ reason: 'id_conflict' }]);
});

test('an identity goes a day after DEDUPE_DAYS, when the event is refused as too old, with the duplicates that came late', async () => {
  const envelope = metricsEvent('e-1');
  await api.receive({ bytes: bytesOf(envelope) });
  await api.pool.query(`UPDATE dispatches SET closed_at = now()`);
  await passAfter(91);
  await api.receive({ bytes: bytesOf(envelope) });
  expect(await count('event_duplicates')).toBe(1);
  await passAfter(309);
  expect(await count('event_ids', `recorded_at < now() - interval '399 days'`)).toBe(1);
  await passAfter(2);
  expect(await count('event_ids', `recorded_at < now() - interval '399 days'`)).toBe(0);
  expect(await count('event_duplicates')).toBe(0);
  const old = { ...envelope, time: new Date(Date.now() - 402 * 86_400_000).toISOString() };
  expect((await api.receive({ bytes: bytesOf(old) })).quarantined).toMatchObject([{ reason: 'too_old' }]);
});

test('an event that is dated far ahead keeps its identity until it is too old itself', async () => {
  const time = new Date(Date.now() + 300 * 86_400_000).toISOString();
  await api.receive({ bytes: bytesOf(metricsEvent('ahead', 0.9, { time })) });
  await api.runAll(
    (await api.pool.query('SELECT dispatch_id FROM dispatches')).rows.map((row) => row.dispatch_id),
  );
  await passAfter(402);
  expect(await count('event_ids', `recorded_at < now() - interval '401 days'`)).toBe(1);
  await passAfter(300);
  await retention.pass();
  expect(await count('event_ids', `recorded_at < now() - interval '401 days'`)).toBe(0);
});

test('an event that a paused definition holds stays, and runs when the definition is resumed', async () => {
  await api.post(`/api/v1/definitions/${REVIEW}/pause`, { reason: 'a look' });
  await api.receive({ bytes: bytesOf(metricsEvent('held')) });
  await passDays(api.pool, 200);
  await retention.pass();
  expect(await deletedByTable(retention.metrics)).toEqual({});
  expect((await api.post(`/api/v1/definitions/${REVIEW}/resume`, { reason: 'seen' })).status).toBe(200);
  await retention.pass();
  await api.runAll(
    (await api.pool.query('SELECT dispatch_id FROM dispatches')).rows.map((row) => row.dispatch_id),
  );
  const { rows } = await api.pool.query('SELECT status, task_count FROM activity_runs');
  expect(rows).toEqual([{ status: 'completed', task_count: 1 }]);
});

test('a run that is running stays, and its event with it', async () => {
  const id = await runOfEvent(api, 'busy');
  await api.pool.query(`UPDATE activity_runs SET status = 'running', finished_at = NULL`);
  await passAfter(91);
  expect(await hasRun(id)).toBe(true);
  expect(await count('events', `id = 'busy'`)).toBe(1);
  expect(await count('task_spawn_log', `run_id = '${id}'`)).toBe(1);
});

test('a pending task stays, with its run and its event; once it is discarded all of them go', async () => {
  const id = await runOfEvent(api, 'unsent');
  await api.pool.query(`UPDATE task_spawn_log SET status = 'pending'`);
  await passAfter(91);
  expect(await hasRun(id)).toBe(true);
  expect(await count('events', `id = 'unsent'`)).toBe(1);
  await api.post('/api/v1/tasks/discard', {});
  await retention.pass();
  expect(await hasRun(id)).toBe(false);
  expect(await count('task_spawn_log', `run_id = '${id}'`)).toBe(0);
  expect(await count('events', `id = 'unsent'`)).toBe(0);
});

test('what an open dispatch names stays', async () => {
  const id = await runOfEvent(api, 'named');
  const [{ event_uid, definition_hash }] = (await api.pool.query('SELECT * FROM activity_runs')).rows;
  await api.pool.query('UPDATE event_decisions SET run_id = NULL');
  const dispatch_id = randomUUID();
  const member = { run_id: id, definition_id: REVIEW, definition_hash, event_uid };
  await insertDispatch(api.pool, { dispatch_id, members: [member] });
  await passAfter(91);
  expect(await hasRun(id)).toBe(true);
  expect(await count('events', `id = 'named'`)).toBe(1);
  expect(await count('dispatches', `dispatch_id = '${dispatch_id}'`)).toBe(1);
  await api.pool.query(`UPDATE dispatches SET closed_at = created_at WHERE dispatch_id = '${dispatch_id}'`);
  await retention.pass();
  expect(await hasRun(id)).toBe(false);
  expect(await count('events', `id = 'named'`)).toBe(0);
  expect(await count('dispatches', `dispatch_id = '${dispatch_id}'`)).toBe(0);
});

test('a failed run stays as long as a retry of it does, and then all of the chain goes, with what the model answered', async () => {
  const failed = await failedByHand(api);
  const { trigger_key } = (await api.pool.query('SELECT trigger_key FROM activity_runs')).rows[0];
  await api.pool.query(
    `INSERT INTO instruction_calls (run_id, definition_id, origin_trigger_key, instruction_id, definition_hash, prompt_hash)
     VALUES ($1, 'by-hand', $2, 'ask', 'hash', 'hash')`,
    [failed, trigger_key],
  );
  await passDays(api.pool, 60);
  const { status, body } = await api.post(`/api/v1/runs/${failed}/retry`);
  expect(status).toBe(202);
  await api.runAll([String(body.run_id)]);
  await passDays(api.pool, 40);
  await retention.pass();
  expect([await hasRun(failed), await hasRun(String(body.run_id))]).toEqual([true, true]);
  expect(await count('instruction_calls')).toBe(1);
  await passDays(api.pool, 60);
  await retention.pass();
  expect([await hasRun(failed), await hasRun(String(body.run_id))]).toEqual([false, false]);
  expect(await count('instruction_calls')).toBe(0);
});

test('a run that is being retried at this moment is left alone', async () => {
  const failed = await failedByHand(api);
  await passDays(api.pool, 91);
  const client = await api.pool.connect();
  await client.query('BEGIN');
  expect(await holdRun(client, failed)).toBe(true);
  await retention.pass();
  expect(await hasRun(failed)).toBe(true);
  await client.query('ROLLBACK');
  client.release();
  await retention.pass();
  expect(await hasRun(failed)).toBe(false);
  expect((await api.post(`/api/v1/runs/${failed}/retry`)).status).toBe(404);
});

test('the verdict that counts stays for ever, with its run and specs; one that was overruled goes', async () => {
  const id = await runOfEvent(api, 'reviewed');
  const review = (verdict: string) =>
    api.post(`/api/v1/runs/${id}/review`, { verdict, reviewer: 'somebody' });
  expect((await review('rejected')).status).toBeLessThan(300);
  await passDays(api.pool, 50);
  await review('approved');
  await passAfter(50);
  expect(await count('run_reviews')).toBe(1);
  await passAfter(1_000);
  const { rows } = await api.pool.query('SELECT verdict, run_id FROM run_reviews');
  expect(rows).toEqual([{ verdict: 'approved', run_id: id }]);
  expect(await count('task_spawn_log', `run_id = '${id}'`)).toBe(1);
  const { body } = await api.get(`/api/v1/definitions/${REVIEW}/promotion`);
  expect(body).toMatchObject({ run: { run_id: id }, review: { verdict: 'approved' } });
});

test('a run stays while what was said of it is young, or State Hub does not know it yet', async () => {
  const [said, unposted] = [await runByHand(), await runByHand()];
  const feedback = (id: string) => api.post(`/api/v1/runs/${id}/feedback`, { verdict: 'useful' });
  await feedback(unposted);
  await passDays(api.pool, 60);
  await feedback(said);
  await api.pool.query(`UPDATE run_feedback SET posted_at = now() WHERE run_id = '${said}'`);
  await passAfter(60);
  expect([await hasRun(said), await hasRun(unposted)]).toEqual([true, true]);
  await passAfter(60);
  expect([await hasRun(said), await hasRun(unposted)]).toEqual([false, true]);
  await api.pool.query('UPDATE run_feedback SET posted_at = now()');
  await retention.pass();
  expect(await hasRun(unposted)).toBe(false);
  expect(await count('run_feedback')).toBe(0);
});

test('open quarantine stays; what was redriven or discarded goes by when it was', async () => {
  const bad = (text: string) => ({ bytes: bytesOf(text) });
  await api.receive(bad('{"open"'), bad('{"discarded"'), bad('{"later"'));
  const [later, discarded] = itemsOf(await api.get('/api/v1/quarantine'));
  await api.post(`/api/v1/quarantine/${discarded?.id}/discard`, { reason: 'rubbish' });
  await passDays(api.pool, 50);
  await api.post(`/api/v1/quarantine/${later?.id}/discard`, { reason: 'rubbish' });
  await passAfter(50);
  const states = itemsOf(await api.get('/api/v1/quarantine')).map(({ state }) => state);
  expect(states).toEqual(['discarded', 'open']);
  await passAfter(50);
  expect(itemsOf(await api.get('/api/v1/quarantine')).map(({ state }) => state)).toEqual(['open']);
});

test('of what was only counted, the count stays', async () => {
  await api.pool.query(
    `INSERT INTO quarantine_overflow_messages (id, recorded_at)
     VALUES (gen_random_uuid(), now() - interval '91 days'), (gen_random_uuid(), now() - interval '89 days')`,
  );
  await passAfter(0);
  const { rows } = await api.pool.query(
    'SELECT recorded_at < now() - interval $$90 days$$ AS is_old FROM quarantine_overflow_messages',
  );
  expect(rows).toEqual([{ is_old: false }]);
});

test('healed breaches that State Hub knows go; others stay', async () => {
  const insert = (healed: string, posted: string) =>
    api.pool.query(
      `INSERT INTO expectation_breaches (definition_id, run_every, counted_from, since, healed_at, healed_by, for_state_hub,
                                         breach_posted_at, healing_posted_at)
       VALUES ('d', '1h', now(), now(), ${healed}, 'run_completed', true, now(), ${posted})`,
    );
  await insert('now()', 'now()');
  await insert('now()', 'NULL');
  await insert('NULL', 'NULL');
  expect(await passAfter(91)).toEqual({ expectation_breaches: 1 });
  expect(await count('expectation_breaches', 'healed_at IS NULL OR healing_posted_at IS NULL')).toBe(2);
});

test('a pinned context goes where its run is over, or nobody is to decide it any more', async () => {
  const [over, running] = [await runByHand(), await runByHand()];
  await api.pool.query(
    `UPDATE activity_runs SET status = 'running', finished_at = NULL WHERE run_id = '${running}'`,
  );
  const [awaited, gone] = [randomUUID(), randomUUID()];
  const member = { definition_id: 'by-hand', definition_hash: 'hash', event_uid: null };
  await insertDispatch(api.pool, { dispatch_id: randomUUID(), members: [{ ...member, run_id: awaited }] });
  for (const id of [over, running, awaited, gone])
    await pinContext(api.pool, { run_id: id, definition_hash: 'hash' }, {});
  await passAfter(89);
  expect(await count('pinned_contexts')).toBe(4);
  await passAfter(2);
  const { rows } = await api.pool.query('SELECT run_id FROM pinned_contexts');
  expect(rows.map((row) => row.run_id).toSorted()).toEqual([running, awaited].toSorted());
});

test('an expectation that is declared later is counted from the newest completed run, however old that is', async () => {
  const [, newest] = [await runByHand(), await runByHand()];
  await failedByHand(api);
  const expectation = { expect: { run_every: '200d' } };
  await api.declare([reviewDefinition(), manualDefinition()]);
  await api.pool.query(
    `INSERT INTO watched_definitions (definition_id, enabled_since) VALUES ('by-hand', now() - interval '1 year')
     ON CONFLICT (definition_id) DO UPDATE SET enabled_since = EXCLUDED.enabled_since, last_completed_at = NULL`,
  );
  await passDays(api.pool, 100);
  await retention.pass();
  expect((await api.pool.query('SELECT run_id FROM activity_runs')).rows).toEqual([{ run_id: newest }]);
  await api.declare([reviewDefinition(), manualDefinition(expectation)]);
  const logger = pino({ level: 'silent' });
  const watch = createWatchExpectations({ pool: api.pool, logger, forStateHub: false });
  await watch();
  expect(await count('expectation_breaches')).toBe(0);
});

test('definitions, revisions and pauses have no age', async () => {
  await api.post('/api/v1/definitions/by-hand/pause', { reason: 'a look' });
  const before = await api.countRows();
  await passDays(api.pool, 10_000);
  await retention.pass();
  expect(await api.countRows()).toEqual(before);
});
