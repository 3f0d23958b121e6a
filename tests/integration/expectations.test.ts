/** Contract 3, `expect`: too long without a completed run is an alarm, told once. Time passes by moving records back. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { Pool } from '../../src/store/pool.ts';
import type { Progress, ProgressSink } from '../../src/trust/breach-progress.ts';
import { createReportBreaches } from '../../src/trust/report-breaches.ts';
import { createWatchExpectations } from '../../src/trust/watch-expectations.ts';
import { createTestApi, manualDefinition, type TestApi } from '../setup/api.ts';

const EVERY_MINUTE = { expect: { run_every: '1m' } };
const BREACHED = 'activity_expectation_breached';
const HEALED = 'activity_expectation_healed';
const METRIC = 'activity_core_expectation_breached';

interface Hub extends ProgressSink {
  isDown: boolean;
  /** In the order in which they came, those that were refused left out. */
  accepted: Progress[];
}

let api: TestApi;
let hub: Hub;
let logged: { level: number; msg: string; definition_id: string }[];
let watch: () => Promise<void>;
let report: () => Promise<void>;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.declare([]);
  await api.clear();
  await api.pool.query('TRUNCATE activity_definitions');
  hub = createHub();
  logged = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  watch = createWatchExpectations({ pool: api.pool, logger, forStateHub: true });
  report = createReportBreaches({ pool: api.pool, progress: hub });
});

function createHub(): Hub {
  const hub: Hub = {
    isDown: false,
    accepted: [],
    async postProgress(progress) {
      if (hub.isDown) throw new Error('State Hub is down');
      hub.accepted.push(progress);
    },
  };
  return hub;
}

/** Everything that was recorded happened that much earlier. */
async function passTime(pool: Pool, time: string): Promise<void> {
  for (const [table, columns] of [
    ['activity_definitions', ['applied_at']],
    ['watched_definitions', ['enabled_since', 'last_completed_at']],
    ['expectation_breaches', ['counted_from', 'since']],
    ['activity_runs', ['started_at', 'finished_at']],
  ] as const) {
    const moved = columns.map((column) => `${column} = ${column} - interval '${time}'`);
    await pool.query(`UPDATE ${table} SET ${moved.join(', ')}`);
  }
}

async function endRun(status: string, definitionId = 'by-hand'): Promise<void> {
  await api.pool.query(
    `INSERT INTO activity_runs (run_id, definition_id, definition_hash, trigger_key, origin_trigger_key, trigger_kind, status,
                                sink_mode, finished_at)
     VALUES ($1::uuid, $2, 'hash', $1::text, $1::text, 'manual', $3, 'audit', now())`,
    [randomUUID(), definitionId, status],
  );
}

async function breaches() {
  const { status, body } = await api.get('/readyz');
  expect(status).toBe(200);
  return body.expectations_breached;
}

const metricLines = async () =>
  (await api.get('/metrics')).text.split('\n').filter((line) => line.startsWith(`${METRIC}{`));

async function declareAndBreach(): Promise<void> {
  await api.declare([manualDefinition(EVERY_MINUTE)]);
  await watch();
  await passTime(api.pool, '2 minutes');
  await watch();
}

test('a definition that never completed a run is late once the time since its first apply is over', async () => {
  await api.declare([manualDefinition({ expect: { run_every: '1h' } })]);
  await watch();
  expect(await breaches()).toEqual([]);
  expect(await metricLines()).toEqual([`${METRIC}{definition_id="by-hand"} 0`]);
  await passTime(api.pool, '55 minutes');
  await watch();
  expect(await breaches()).toEqual([]);
  await passTime(api.pool, '6 minutes');
  await watch();
  const time = expect.stringMatching(/^\d{4}-.*Z$/);
  expect(await breaches()).toEqual([
    { definition_id: 'by-hand', run_every: '1h', last_completed_at: null, since: time },
  ]);
  expect(await metricLines()).toEqual([`${METRIC}{definition_id="by-hand"} 1`]);
  expect(logged).toMatchObject([{ level: 50, definition_id: 'by-hand' }]);
});

test('it is counted from the last completed run, and a failed, missed or running one does not count', async () => {
  await api.declare([manualDefinition(EVERY_MINUTE)]);
  await passTime(api.pool, '1 hour');
  await endRun('completed');
  await watch();
  expect(await breaches()).toEqual([]);
  await passTime(api.pool, '2 minutes');
  for (const status of ['failed', 'missed', 'running']) await endRun(status);
  await watch();
  const [breach] = (await api.pool.query('SELECT * FROM expectation_breaches')).rows;
  const [run] = (await api.pool.query("SELECT * FROM activity_runs WHERE status = 'completed'")).rows;
  const { last_completed_at, since } = breach;
  expect(last_completed_at).toBe(run.finished_at);
  expect(await breaches()).toEqual([{ definition_id: 'by-hand', run_every: '1m', last_completed_at, since }]);
  expect(Date.parse(since) - Date.parse(last_completed_at)).toBe(60_000);
});

test('several watchers at one moment raise one alarm and heal it once', async () => {
  await api.declare([manualDefinition(EVERY_MINUTE)]);
  await watch();
  await passTime(api.pool, '2 minutes');
  await Promise.all([watch(), watch(), watch(), watch()]);
  await Promise.all([report(), report(), report(), report()]);
  expect(hub.accepted.map(({ event_type }) => event_type)).toEqual([BREACHED]);
  await endRun('completed');
  await Promise.all([watch(), watch(), watch(), watch()]);
  await Promise.all([report(), report(), report(), report()]);
  expect(hub.accepted.map(({ event_type }) => event_type)).toEqual([BREACHED, HEALED]);
  expect(logged.map(({ level }) => level)).toEqual([50, 30]);
  expect(await breaches()).toEqual([]);
  expect(await metricLines()).toEqual([`${METRIC}{definition_id="by-hand"} 0`]);
});

test('a breach that lasts is told once, and the next one is told again', async () => {
  await declareAndBreach();
  for (let n = 0; n < 3; n += 1) {
    await passTime(api.pool, '1 hour');
    await watch();
    await report();
  }
  expect(hub.accepted).toHaveLength(1);
  await endRun('completed');
  await watch();
  await passTime(api.pool, '2 minutes');
  await watch();
  await report();
  expect(hub.accepted.map(({ event_type }) => event_type)).toEqual([BREACHED, HEALED, BREACHED]);
  expect(new Set(hub.accepted.map(({ idempotency_key }) => idempotency_key)).size).toBe(3);
});

test('a silence that ended and began again while nobody watched is two breaches', async () => {
  await declareAndBreach();
  await endRun('completed');
  await passTime(api.pool, '5 minutes');
  await watch();
  await report();
  expect(hub.accepted.map(({ event_type }) => event_type)).toEqual([BREACHED, HEALED, BREACHED]);
  expect(await breaches()).toHaveLength(1);
});

test('while State Hub is down nothing is lost: both are told afterwards, in order, once', async () => {
  hub.isDown = true;
  await declareAndBreach();
  await expect(report()).rejects.toThrow('State Hub is down');
  await endRun('completed');
  await watch();
  await expect(report()).rejects.toThrow('State Hub is down');
  hub.isDown = false;
  await report();
  await report();
  expect(hub.accepted.map(({ event_type }) => event_type)).toEqual([BREACHED, HEALED]);
});

test('a breach that State Hub refuses keeps no other definition from being told', async () => {
  await api.declare(['one', 'two', 'three'].map((id) => manualDefinition({ id, ...EVERY_MINUTE })));
  await passTime(api.pool, '2 minutes');
  await watch();
  const refusing: ProgressSink = {
    async postProgress(progress) {
      if (progress.detail.definition_id === 'one') throw new Error('State Hub refuses it');
      return hub.postProgress(progress);
    },
  };
  const reportToRefusing = createReportBreaches({ pool: api.pool, progress: refusing });
  await expect(reportToRefusing()).rejects.toThrow('refuses');
  await expect(reportToRefusing()).rejects.toThrow('refuses');
  expect(hub.accepted.map(({ detail }) => detail.definition_id).toSorted()).toEqual(['three', 'two']);
});

test('what a replica that died was about to tell is told by another when its lease is over', async () => {
  await declareAndBreach();
  await api.pool.query(`UPDATE expectation_breaches SET leased_until = now() + interval '1 minute'`);
  await report();
  expect(hub.accepted).toEqual([]);
  await api.pool.query(`UPDATE expectation_breaches SET leased_until = now() - interval '1 second'`);
  await report();
  expect(hub.accepted).toHaveLength(1);
});

test('a paused definition is watched, a disabled one and one without an expectation are not', async () => {
  await api.declare([
    manualDefinition({ id: 'paused', ...EVERY_MINUTE }),
    manualDefinition({ id: 'disabled', enabled: false, ...EVERY_MINUTE }),
    manualDefinition({ id: 'nothing-expected' }),
  ]);
  expect((await api.post('/api/v1/definitions/paused/pause', { reason: 'a test' })).status).toBe(200);
  await watch();
  await passTime(api.pool, '2 minutes');
  await watch();
  expect(await breaches()).toMatchObject([{ definition_id: 'paused' }]);
  expect(await metricLines()).toEqual([`${METRIC}{definition_id="paused"} 1`]);
});

test.each([
  ['disabled', 'definition_disabled', [manualDefinition({ ...EVERY_MINUTE, enabled: false })]],
  ['removed', 'definition_removed', []],
  ['declared without its expectation', 'expectation_removed', [manualDefinition()]],
  ['expected less often', 'expectation_changed', [manualDefinition({ expect: { run_every: '1h' } })]],
] as const)(
  'a late definition that is %s is late no more, and State Hub hears why',
  async (_, healed_by, definitions) => {
    await declareAndBreach();
    await api.declare([...definitions]);
    await watch();
    await report();
    expect(await breaches()).toEqual([]);
    expect(hub.accepted).toMatchObject([
      { event_type: BREACHED },
      { event_type: HEALED, detail: { healed_by } },
    ]);
    expect(await metricLines()).toEqual(
      healed_by === 'expectation_changed' ? [`${METRIC}{definition_id="by-hand"} 0`] : [],
    );
  },
);

test('a definition that is enabled or declared again is counted anew', async () => {
  const enabled = manualDefinition(EVERY_MINUTE);
  for (const without of [[manualDefinition({ ...EVERY_MINUTE, enabled: false })], []]) {
    await api.declare([enabled]);
    await watch();
    await passTime(api.pool, '1 hour');
    await api.declare(without);
    await watch();
    await api.declare([enabled]);
    await watch();
    expect(await breaches()).toEqual([]);
  }
});

test('also where it was disabled and enabled between two looks', async () => {
  await declareAndBreach();
  await api.declare([manualDefinition({ ...EVERY_MINUTE, enabled: false })]);
  await api.declare([manualDefinition(EVERY_MINUTE)]);
  await watch();
  await report();
  expect(await breaches()).toEqual([]);
  expect(hub.accepted).toMatchObject([
    {},
    { event_type: HEALED, detail: { healed_by: 'definition_enabled' } },
  ]);
});

test('also where it was removed and declared again between two looks', async () => {
  await api.declare([manualDefinition(EVERY_MINUTE)]);
  await passTime(api.pool, '2 minutes');
  await api.declare([]);
  await api.declare([manualDefinition(EVERY_MINUTE)]);
  await watch();
  expect(await breaches()).toEqual([]);
});

test('a look that finds nothing late writes nothing', async () => {
  await api.declare([manualDefinition(EVERY_MINUTE)]);
  await watch();
  const locker = async () =>
    (await api.pool.query('SELECT xmin::text, xmax::text FROM watched_definitions')).rows;
  const before = await locker();
  await watch();
  expect(await locker()).toEqual(before);
});

test('what was noticed without a State Hub is not told to one that is set later', async () => {
  const logger = pino({ level: 'silent' });
  watch = createWatchExpectations({ pool: api.pool, logger, forStateHub: false });
  await declareAndBreach();
  expect(await breaches()).toHaveLength(1);
  await report();
  expect(hub.accepted).toEqual([]);
});

test('a new content does not begin the count again, and neither does an expectation that is added later', async () => {
  await api.declare([manualDefinition()]);
  await watch();
  await passTime(api.pool, '2 minutes');
  await api.declare([manualDefinition({ ...EVERY_MINUTE, title: 'Another' })]);
  await watch();
  const [before] = (await breaches()) as { since: string }[];
  expect(before).toBeDefined();
  await api.declare([manualDefinition({ ...EVERY_MINUTE, title: 'And another' })]);
  await watch();
  expect(await breaches()).toEqual([before]);
});

test('the last completed run counts also when its row is gone', async () => {
  await api.declare([manualDefinition({ expect: { run_every: '1h' } })]);
  await passTime(api.pool, '2 hours');
  await endRun('completed');
  await watch();
  await api.pool.query('DELETE FROM activity_runs');
  await watch();
  expect(await breaches()).toEqual([]);
  await passTime(api.pool, '2 hours');
  await watch();
  expect(await breaches()).toMatchObject([{ last_completed_at: expect.any(String) }]);
});

test('where PostgreSQL is away, readyz says that it is not ready and names no breach', async () => {
  const away = { postgres: { ok: false, message: 'connection refused' } };
  await using other = await createTestApi(inject('servers').database_url, { checks: async () => away });
  const { status, body } = await other.get('/readyz');
  expect(status).toBe(503);
  expect(body).toEqual({ status: 'not_ready', checks: away, expectations_breached: [], notes: [] });
});
