/** Issue 7, goal (h): what a page reads depends on what it shows, and not on how much there is. Counted, not timed. */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { FATES } from '../../src/store/events.ts';
import { QUARANTINE_STATES } from '../../src/store/quarantined-events.ts';
import { TRIGGER_KINDS } from '../../src/store/run-views.ts';
import { RUN_STATUSES } from '../../src/store/runs.ts';
import { TICK_OUTCOMES } from '../../src/store/schedule-ticks.ts';
import { TASK_STATUSES } from '../../src/store/task-spawn-log.ts';
import { createReadTrust } from '../../src/trust/read-trust.ts';
import { COMMON_DEFINITION, COMMON_TYPE, makeHistory, SCHEDULED_DEFINITION } from '../bench/api-history.ts';
import { type ApiPage, listApiPages } from '../bench/api-pages.ts';
import { createTestApi, reviewDefinition, type TestApi } from '../setup/api.ts';
import { explainStatements, type Reading } from '../setup/explained.ts';

const RUNS = 24_000;
const DECLARED = 20;

let api: TestApi;
let pages: ApiPage[];
let explained: ReturnType<typeof explainStatements>;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url, {
    readTrust: (id, required) =>
      createReadTrust({ pool: api.servicePool, stateHub: null, workingMemoryDir: undefined })(id, required),
  });
  const copies = Array.from({ length: DECLARED - 1 }, (_, n) => `${COMMON_DEFINITION}-${n + 2}`);
  await api.declare([COMMON_DEFINITION, ...copies].map((id) => reviewDefinition({ id })));
  await makeHistory(api.pool, RUNS);
  pages = await listApiPages(api.pool);
  explained = explainStatements(api.servicePool);
  await api.get('/api/v1/definitions');
});
afterAll(() => api[Symbol.asyncDispose]());

const sum = (readings: Reading[], of: 'blocks' | 'rows') =>
  readings.reduce((total, reading) => total + reading[of], 0);

/** Sixteen scans, each a few levels of an index deep, and one row more than is shown. */
const BLOCKS_OF_ANY = 200;
const BLOCKS_OF_A_ROW = 4;
const ROWS_OF_ANY = 200;
const ROWS_OF_A_ROW = 8;

test('no page reads more than a few rows for each that it shows, whatever it is asked for', async () => {
  const linear: string[] = [];
  for (const { path, rows } of pages) {
    explained.take();
    const { status } = await api.get(path);
    expect(status, path).toBe(200);
    const readings = explained.take();
    // None is answered from memory alone: nothing that was counted would mean that nothing was watched.
    expect(readings.length, path).toBeGreaterThan(0);
    const [blocks, read] = [sum(readings, 'blocks'), sum(readings, 'rows')];
    if (blocks <= BLOCKS_OF_ANY + BLOCKS_OF_A_ROW * rows && read <= ROWS_OF_ANY + ROWS_OF_A_ROW * rows)
      continue;
    const most = readings.toSorted((a, b) => b.blocks - a.blocks)[0]?.statement;
    linear.push(`${path}: ${blocks} blocks and ${read} rows for ${rows}\n${most}`);
  }
  expect(linear.map((text) => text.split('\n')[0])).toEqual([]);
});

/** An input is looked up in each table that has something of it. */
const BLOCKS_OF_AN_INPUT = 30;

test.each([
  ['events', `${COMMON_DEFINITION}/events?type=${COMMON_TYPE}&`],
  ['ticks', `${SCHEDULED_DEFINITION}/ticks?context=true&`],
])('an answer with %s for a backtest reads about what it shows, wherever it begins', async (_what, path) => {
  const limit = 50;
  const url = `/api/v1/backtest/${path}since=2000-01-01T00:00:00Z&until=2100-01-01T00:00:00Z&limit=${limit}`;
  const first = await api.get(url);
  for (const page of [url, `${url}&cursor=${first.body.next_cursor}`]) {
    explained.take();
    expect((await api.get(page)).body.items).toHaveLength(limit);
    const readings = explained.take();
    expect(readings.length).toBeGreaterThan(0);
    expect(sum(readings, 'rows')).toBeLessThan(ROWS_OF_ANY + ROWS_OF_A_ROW * limit);
    expect(sum(readings, 'blocks')).toBeLessThan(BLOCKS_OF_ANY + BLOCKS_OF_AN_INPUT * limit);
  }
});

test('a page that reads a whole table would be found out', async () => {
  explained.take();
  await api.servicePool.query("SELECT run_id FROM activity_runs WHERE sink_reason = 'nothing'");
  const readings = explained.take();
  expect(sum(readings, 'rows')).toBeGreaterThanOrEqual(RUNS);
  expect(sum(readings, 'blocks')).toBeGreaterThan(BLOCKS_OF_ANY + BLOCKS_OF_A_ROW * 50);
});

test('a list asks for every value that a row may have', async () => {
  const { rows } = await api.pool.query(
    `SELECT conrelid::regclass || '.' || a.attname AS name, pg_get_constraintdef(c.oid) AS text
       FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
      WHERE contype = 'c' AND cardinality(conkey) = 1`,
  );
  const allowed = new Map(
    rows.map(({ name, text }) => [
      name,
      [...text.matchAll(/'(\w+)'::text/g)].map(([, value]) => value).sort(),
    ]),
  );
  for (const [name, values] of Object.entries(ASKED_FOR))
    expect(allowed.get(name), name).toEqual([...values].sort());
});

const ASKED_FOR: Record<string, readonly string[]> = {
  'activity_runs.status': RUN_STATUSES,
  'activity_runs.trigger_kind': TRIGGER_KINDS,
  'events.fate': FATES,
  'quarantined_events.state': QUARANTINE_STATES,
  'schedule_ticks.outcome': TICK_OUTCOMES,
  'task_spawn_log.status': TASK_STATUSES,
};
