/** Issue 7, 7: the pass itself: one replica at a time, in batches, gone on with by another. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { Metrics } from '../../src/telemetry/metrics.ts';
import { createTestDatabase, type MigratedDatabase } from '../setup/database.ts';
import { holdTable } from '../setup/hold-table.ts';
import { createRetention, deletedByTable } from '../setup/retention.ts';

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createTestDatabase(inject('servers').database_url);
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  await database.pool.query('TRUNCATE activity_runs, task_spawn_log, event_ids, retention');
  await database.pool.query('INSERT INTO retention DEFAULT VALUES');
});

/** Failed runs that old, a second apart, each with a task. */
async function insertRuns(runs: number, { days = 91, task = 'audited' } = {}): Promise<void> {
  await database.pool.query(
    `WITH run AS (
       INSERT INTO activity_runs (run_id, definition_id, definition_hash, trigger_key, origin_trigger_key, trigger_kind, status,
                                  sink_mode, started_at, finished_at)
       SELECT id, 'd', 'h', id, id, 'manual', 'failed', 'audit', at, at
         FROM generate_series(1, $1) AS n, LATERAL (SELECT gen_random_uuid() AS id,
              now() - make_interval(days => $2) - make_interval(secs => n) AS at) AS made
       RETURNING run_id)
     INSERT INTO task_spawn_log (idempotency_key, run_id, definition_id, rule_id, spec, status)
     SELECT run_id, run_id, 'd', 'r', '{}', $3 FROM run`,
    [runs, days, task],
  );
}

const count = async (table: string): Promise<number> =>
  (await database.pool.query(`SELECT count(*) AS n FROM ${table}`)).rows[0].n;
const readRow = async () => (await database.pool.query('SELECT * FROM retention')).rows[0];

test('more rows than a batch go in one pass, and rows that stay do not hold up those behind them', async () => {
  await insertRuns(30, { days: 95, task: 'pending' });
  await insertRuns(35);
  await insertRuns(3, { days: 89 });
  await database.pool.query(
    `INSERT INTO event_ids (event_uid, content_hash, recorded_at)
     SELECT gen_random_uuid(), '', now() - interval '402 days' FROM generate_series(1, 25)`,
  );
  const { pass, metrics, logged } = createRetention(database.servicePool, { batchRows: 10 });
  expect(await pass()).toBe(true);
  const deleted = { activity_runs: 35, task_spawn_log: 35, event_ids: 25 };
  expect(await deletedByTable(metrics)).toEqual(deleted);
  expect([await count('activity_runs'), await count('task_spawn_log'), await count('event_ids')]).toEqual([
    33, 33, 0,
  ]);
  expect(logged).toMatchObject([{ level: 30, deleted, finished: true, duration_ms: expect.any(Number) }]);
  expect(await readRow()).toMatchObject({ deleted, leased_until: null, finished_at: expect.any(String) });
});

test('of two passes at once one deletes, and each row once', async () => {
  await insertRuns(50);
  const [one, other] = [
    createRetention(database.servicePool, { batchRows: 10 }),
    createRetention(database.servicePool, { batchRows: 10 }),
  ];
  const began = await Promise.all([one.pass(), other.pass()]);
  expect(began.toSorted()).toEqual([false, true]);
  expect([one.logged.length, other.logged.length].toSorted()).toEqual([0, 1]);
  expect(await count('activity_runs')).toBe(0);
});

test('the timer begins a pass an hour after the last, not before', async () => {
  const { look } = createRetention(database.servicePool);
  expect(await look()).toBe(true);
  expect(await look()).toBe(false);
  await database.pool.query(`UPDATE retention SET began_at = began_at - interval '59 minutes'`);
  expect(await look()).toBe(false);
  await database.pool.query(`UPDATE retention SET began_at = began_at - interval '1 minute'`);
  expect(await look()).toBe(true);
});

test('a replica that died is replaced when its lease has ended, without waiting for the hour', async () => {
  await database.pool.query(
    `UPDATE retention SET leased_by = $1, leased_until = now() + interval '1 minute', began_at = now()`,
    [randomUUID()],
  );
  await insertRuns(1);
  const { look, pass } = createRetention(database.servicePool);
  expect([await look(), await pass()]).toEqual([false, false]);
  await database.pool.query(`UPDATE retention SET leased_until = now()`);
  expect(await look()).toBe(true);
  expect(await count('activity_runs')).toBe(0);
});

test('a batch that is killed midway leaves nothing half done, and the next pass goes on', async () => {
  await insertRuns(5);
  const held = await holdTable(database.pool, 'task_spawn_log');
  const { pass, look, metrics } = createRetention(database.servicePool);
  const passing = pass();
  const failed = expect(passing).rejects.toThrow(/terminat/i);
  await held.reached();
  await database.pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_locks
      WHERE NOT granted AND relation = 'task_spawn_log'::regclass`,
  );
  await held.release();
  await failed;
  expect([await count('activity_runs'), await count('task_spawn_log')]).toEqual([5, 5]);
  expect(await deletedByTable(metrics)).toEqual({});
  expect(await look()).toBe(true);
  expect([await count('activity_runs'), await count('task_spawn_log')]).toEqual([0, 0]);
});

/** Calls back after the first batch that deleted something. */
function afterFirstBatch(work: () => Promise<unknown>): {
  metrics: Pick<Metrics, 'retentionDeleted'>;
  done: Promise<unknown>;
} {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { metrics } = createRetention(database.servicePool);
  const inc = metrics.retentionDeleted.inc.bind(metrics.retentionDeleted);
  let called = false;
  metrics.retentionDeleted.inc = ((...args: Parameters<typeof inc>) => {
    inc(...args);
    if (!called) resolve(work());
    called = true;
  }) as typeof inc;
  return { metrics, done: promise };
}

test('a stop ends it between two batches; it is due again at once', async () => {
  await insertRuns(30);
  const stopping = new AbortController();
  const { metrics } = afterFirstBatch(async () => stopping.abort());
  const { look } = createRetention(database.servicePool, { batchRows: 10, metrics });
  expect(await look(stopping.signal)).toBe(false);
  expect(await count('activity_runs')).toBe(20);
  expect(await readRow()).toMatchObject({
    leased_until: null,
    finished_at: null,
    deleted: { activity_runs: 10 },
  });
  expect(await createRetention(database.servicePool).look()).toBe(true);
  expect(await count('activity_runs')).toBe(0);
});

test('one that stood still and was replaced deletes nothing more', async () => {
  await insertRuns(30);
  const { metrics, done } = afterFirstBatch(() =>
    database.pool.query(`UPDATE retention SET leased_by = $1, leased_until = now() + interval '1 minute'`, [
      randomUUID(),
    ]),
  );
  const { pass } = createRetention(database.servicePool, { batchRows: 10, metrics });
  await expect(pass()).rejects.toThrow('taken over');
  await done;
  expect(await count('activity_runs')).toBe(20);
  expect(await createRetention(database.servicePool).look()).toBe(false);
});

test('one table that cannot be done does not keep the others', async () => {
  await insertRuns(3);
  await database.pool.query('ALTER TABLE pinned_contexts RENAME TO pinned_contexts_away');
  const { pass, metrics } = createRetention(database.servicePool);
  await expect(pass())
    .rejects.toThrow('pinned_contexts')
    .finally(() => database.pool.query('ALTER TABLE pinned_contexts_away RENAME TO pinned_contexts'));
  expect(await deletedByTable(metrics)).toEqual({ activity_runs: 3, task_spawn_log: 3 });
  expect((await readRow()).finished_at).toBeNull();
});

test('periods that reach back beyond the calendar delete nothing', async () => {
  await insertRuns(3);
  const { pass } = createRetention(database.servicePool, {
    retentionDays: 999_999_999_999,
    dedupeDays: 999_999_999_999,
  });
  expect(await pass()).toBe(true);
  expect(await count('activity_runs')).toBe(3);
});
