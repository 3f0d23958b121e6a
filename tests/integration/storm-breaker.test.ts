/** limits.max_tasks_per_hour: the run that crosses it finishes, the definition is paused, and nothing is dropped. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createPrepare } from '../../src/activities/prepare.ts';
import { createAppliedRegistry } from '../../src/definitions/applied-registry.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { createPauseAllExceeded, createPauseExceeded } from '../../src/schedules/pause-exceeded.ts';
import { listMembersWithoutRun } from '../../src/store/dispatches.ts';
import { bytesOf, createTestApi, manualDefinition, reviewDefinition, type TestApi } from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';
import { holdTable } from '../setup/hold-table.ts';
import { createNoModel } from '../setup/no-model.ts';
import { createRecordedSchedules } from '../setup/recorded-schedules.ts';
import { createSchedulePath, get, listRuns, post, scheduled } from '../setup/schedule-path.ts';
import { until } from '../setup/until.ts';

const REVIEW = 'low-success-rate-review';
const BASE = `/api/v1/definitions/${REVIEW}`;
const logger = pino({ level: 'silent' });
const schedules = createRecordedSchedules();
let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url, { temporalSchedules: schedules });
});
beforeEach(async () => {
  schedules.isAway = false;
  schedules.asked.length = 0;
  await declare(limited());
});
afterAll(() => api[Symbol.asyncDispose]());

const limited = (change: object = {}) => reviewDefinition({ limits: { max_tasks_per_hour: 10 }, ...change });

async function declare(...definitions: object[]): Promise<void> {
  await api.declare(definitions);
  await api.clear();
}

/** One batch, one dispatch. */
async function receive(name: string, rates: number[]): Promise<string[]> {
  const events = rates.map((rate, n) => ({ bytes: bytesOf(metricsEvent(`${name}-${n}`, rate)) }));
  return (await api.receive(...events)).dispatch_ids;
}
const low = (count: number): number[] => Array.from({ length: count }, () => 0.5);
const burst = async (name: string, count: number) => api.runAll(await receive(name, low(count)));

async function resume(body: object = {}) {
  const { status, body: answer } = await api.post(`${BASE}/resume`, body);
  expect(status).toBe(200);
  await api.runAll(api.started.splice(0));
  return answer.held;
}

async function count(table: string, where: string): Promise<number> {
  return (await api.pool.query(`SELECT count(*) AS n FROM ${table} WHERE ${where}`)).rows[0].n;
}

async function counts(definitionId = REVIEW) {
  const its = `definition_id = '${definitionId}'`;
  return {
    runs: await count('activity_runs', its),
    specs: await count('task_spawn_log', its),
    held: await count('event_decisions', `${its} AND outcome = 'held'`),
  };
}
const definition = async () => (await api.get(BASE)).body;

test('forty events at once make eleven runs; resumed again and again, each event has its one run in the end', async () => {
  await burst('e', 40);
  expect(await counts()).toEqual({ runs: 11, specs: 11, held: 29 });
  const reason = expect.stringMatching(
    /^limits\.max_tasks_per_hour is 10, and with run \S{36} it made 11 specs in the last 60 minutes$/,
  );
  expect(await definition()).toMatchObject({ paused: true, pause_reason: reason });
  expect((await api.get('/api/v1/events/e-11')).body.decisions).toMatchObject([
    { outcome: 'held', reason, run_id: null },
  ]);
  expect((await api.get('/metrics')).text).toContain(
    `activity_core_decisions_total{definition_id="${REVIEW}",outcome="held"} 29`,
  );
  expect(await resume()).toEqual({ fired: 29, discarded: 0 });
  expect(await counts()).toEqual({ runs: 22, specs: 22, held: 18 });
  expect((await definition()).pause_reason).toMatch(/it made 11 specs since it was resumed at \S+Z$/);
  await resume();
  expect(await counts()).toEqual({ runs: 33, specs: 33, held: 7 });
  await resume();
  expect(await counts()).toEqual({ runs: 40, specs: 40, held: 0 });
  expect(await definition()).toMatchObject({ paused: false, pause_reason: null });
  const { rows } = await api.pool.query(
    'SELECT event_id FROM activity_runs JOIN task_spawn_log USING (run_id) ORDER BY started_at',
  );
  expect(rows.map(({ event_id }) => event_id)).toEqual(Array.from({ length: 40 }, (_, n) => `e-${n}`));
  expect(await count('task_spawn_log', "status <> 'audited'")).toBe(0);
});

test('two dispatches that commit at one moment cross the limit once', async () => {
  const dispatches = [await receive('a', low(20)), await receive('b', low(20))];
  const table = await holdTable(api.pool, 'activity_runs');
  const run = Promise.all(dispatches.map((ids) => api.runAll(ids)));
  await table.reached();
  await table.release();
  await run;
  expect(await counts()).toEqual({ runs: 11, specs: 11, held: 29 });
});

test('what is recorded between the crossing and the pause is held too, and what comes after it as ever', async () => {
  const [first, second] = [await receive('a', low(11)), await receive('b', low(3))];
  await api.runAll(first);
  await api.runAll(second);
  expect(await receive('c', low(2))).toEqual([]);
  expect(await counts()).toEqual({ runs: 11, specs: 11, held: 5 });
  expect(await resume({ held: 'discard' })).toEqual({ fired: 0, discarded: 5 });
  expect(await counts()).toEqual({ runs: 11, specs: 11, held: 0 });
  await api.runAll([...first, ...second]);
  await burst('d', 5);
  expect(await counts()).toEqual({ runs: 16, specs: 16, held: 0 });
});

test('a run counts with all of its specs, and the one that crosses the limit finishes', async () => {
  const facts = { type: 'static', bind_to: 'context.list', params: { value: ['a', 'b', 'c', 'd'] } };
  const task = { title: 'Do {{ item }}' };
  const rule = { id: 'each', for_each: 'context.list', as: 'item', condition: 'item != ""', task };
  await declare(limited({ context_sources: [facts], rules: [rule] }));
  await burst('e', 5);
  expect(await counts()).toEqual({ runs: 3, specs: 12, held: 2 });
});

test('runs without specs do not count; after the crossing they are held like the others', async () => {
  await api.runAll(await receive('e', [0.9, 0.9, 0.9, ...low(11), 0.9, 0.9]));
  expect(await counts()).toEqual({ runs: 14, specs: 11, held: 2 });
});

test('ten specs an hour are within the limit; older ones do not count', async () => {
  await burst('a', 10);
  expect(await definition()).toMatchObject({ paused: false });
  await api.pool.query("UPDATE task_spawn_log SET created_at = now() - interval '61 minutes'");
  await burst('b', 10);
  expect(await counts()).toEqual({ runs: 20, specs: 20, held: 0 });
  await burst('c', 1);
  expect(await definition()).toMatchObject({ paused: true });
});

test('a pause and a resume by hand do not renew a budget that was not exceeded', async () => {
  await burst('a', 10);
  await api.post(`${BASE}/pause`, { reason: 'for now' });
  await resume();
  await burst('b', 3);
  expect(await counts()).toEqual({ runs: 11, specs: 11, held: 2 });
});

test('a run by hand goes on while the limit is exceeded, and counts', async () => {
  await burst('e', 11);
  const byHand = async (id: string) => {
    expect((await api.post(`${BASE}/runs`, { event: metricsEvent(id) })).status).toBe(202);
    await api.runAll(api.started.splice(0));
  };
  await byHand('hand-1');
  expect(await counts()).toEqual({ runs: 12, specs: 12, held: 0 });
  await resume();
  for (let n = 0; n < 11; n += 1) await byHand(`again-${n}`);
  expect(await definition()).toMatchObject({ paused: true });
});

test('a retry of specs that exist does not count them again', async () => {
  await burst('e', 10);
  const { rows } = await api.pool.query(
    "UPDATE activity_runs SET status = 'failed' WHERE event_id = 'e-3' RETURNING run_id",
  );
  expect((await api.post(`/api/v1/runs/${rows[0].run_id}/retry`)).status).toBe(202);
  await api.runAll(api.started.splice(0));
  expect(await counts()).toEqual({ runs: 11, specs: 10, held: 0 });
  expect(await definition()).toMatchObject({ paused: false });
});

test('a neighbour in the same dispatch is not touched', async () => {
  await declare(limited(), reviewDefinition({ id: 'neighbour' }));
  await burst('e', 20);
  expect(await counts()).toEqual({ runs: 11, specs: 11, held: 9 });
  expect(await counts('neighbour')).toEqual({ runs: 20, specs: 20, held: 0 });
  expect(await count('task_budgets', 'true')).toBe(1);
  expect(await count('dispatches', 'closed_at IS NULL')).toBe(0);
});

test('a row that cannot be stored is cut out, and the limit holds all the same', async () => {
  await api.pool.query(
    `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       RAISE EXCEPTION 'poisonous' USING ERRCODE = '22000'; END $$`,
  );
  await api.pool.query(
    `CREATE TRIGGER poison BEFORE INSERT ON activity_runs FOR EACH ROW
     WHEN (NEW.event_id = 'e-4' AND NEW.status <> 'failed') EXECUTE FUNCTION refuse()`,
  );
  await burst('e', 40);
  await api.pool.query('DROP FUNCTION refuse() CASCADE');
  expect(await counts()).toEqual({ runs: 12, specs: 11, held: 28 });
  expect(await count('activity_runs', "status = 'failed'")).toBe(1);
  expect(await definition()).toMatchObject({ paused: true });
});

test('a dispatch that is prepared or closed once more leaves alone what is held, or was discarded since', async () => {
  const [dispatch = ''] = await receive('e', low(15));
  await api.runAll([dispatch]);
  const again = async () => {
    await api.pool.query('UPDATE dispatches SET closed_at = NULL');
    expect(await listMembersWithoutRun(api.pool, dispatch)).toEqual([]);
    await api.runAll([dispatch]);
  };
  await again();
  expect(await counts()).toEqual({ runs: 11, specs: 11, held: 4 });
  await resume({ held: 'discard' });
  await again();
  expect(await counts()).toEqual({ runs: 11, specs: 11, held: 0 });
});

test('a live dispatch of which all is held has nothing to send and is over', async () => {
  await burst('a', 11);
  await api.pool.query('DELETE FROM definition_pauses');
  await api.pool.query('UPDATE registry_version SET version = version + 1');
  const [dispatch_id = ''] = await receive('b', low(2));
  const resolvers = createResolvers();
  const prepare = createPrepare({
    ...deps(),
    resolvers,
    askModel: createNoModel(),
    registry: createAppliedRegistry(api.pool, resolvers),
    sinkMode: () => ({ mode: 'live', reason: null }),
    pauseExceeded: async () => undefined,
    startQueued: async () => undefined,
  });
  expect(await new MockActivityEnvironment().run(prepare, { dispatch_id })).toBeUndefined();
  expect(await counts()).toEqual({ runs: 11, specs: 11, held: 2 });
  expect(await count('dispatches', 'closed_at IS NULL')).toBe(0);
});

test('a pause that fails fails no run; a later pass makes it, and a resume before that leaves it nothing to do', async () => {
  await api.pool.query(
    `INSERT INTO schedules (definition_id, definition_hash, schedule, enabled, described, recorded_until)
     VALUES ($1, 'hash', '{"every":"1m","timezone":"UTC","overlap":"skip","catchup_window":"1h","jitter":"0s"}', true, '{}', now())`,
    [REVIEW],
  );
  const pass = createPauseAllExceeded(
    deps(),
    createPauseExceeded({ ...deps(), temporalSchedules: schedules }),
  );
  schedules.isAway = true;
  await burst('a', 15);
  await pass();
  expect(await definition()).toMatchObject({ paused: false });
  expect(await counts()).toEqual({ runs: 11, specs: 11, held: 4 });
  schedules.isAway = false;
  expect(await resume()).toEqual({ fired: 4, discarded: 0 });
  await pass();
  expect(await definition()).toMatchObject({ paused: false });

  schedules.isAway = true;
  await burst('b', 8);
  schedules.isAway = false;
  await pass();
  expect(await definition()).toMatchObject({ paused: true });
  expect(schedules.asked.at(-1)).toMatch(
    /^pause low-success-rate-review: .*limits\.max_tasks_per_hour is 10/,
  );
  const asked = schedules.asked.length;
  await pass();
  expect(schedules.asked).toHaveLength(asked);
  expect(await counts()).toEqual({ runs: 22, specs: 22, held: 1 });
});

test('a manual definition without events is paused as well', async () => {
  await declare(manualDefinition({ limits: { max_tasks_per_hour: 1 } }));
  for (let n = 0; n < 3; n += 1) await api.post('/api/v1/definitions/by-hand/runs');
  await api.runAll();
  expect(await counts('by-hand')).toEqual({ runs: 3, specs: 3, held: 0 });
  expect((await api.get('/api/v1/definitions/by-hand')).body).toMatchObject({ paused: true });
});

test('a schedule that crosses the limit is paused in Temporal, and its ticks are recorded as paused', async () => {
  const id = 'every-two-seconds';
  const limits = 'limits: { max_tasks_per_hour: 2 }\n';
  await using path = await createSchedulePath(inject('servers'), {
    [id]: scheduled(id, 'every: 2s') + limits,
  });
  await using service = await path.spawn();
  await service.ready();
  await post(service.url, '/plan/apply');
  await until(
    'a tick is paused',
    async () => (await path.ticks(id)).some(({ outcome }) => outcome === 'paused'),
    { context: service.log },
  );
  const { state } = await path.scheduleOf(id).describe();
  expect(state).toMatchObject({ paused: true, note: expect.stringContaining('max_tasks_per_hour is 2') });
  const runs = await listRuns(service.url, `definition_id=${id}`);
  expect(runs.length).toBeGreaterThanOrEqual(3);
  expect(runs.every(({ status }) => status === 'completed')).toBe(true);
  expect(await get(service.url, `/definitions/${id}`)).toMatchObject({ paused: true });
});

const deps = () => ({ pool: api.pool, metrics: api.metrics, logger });
