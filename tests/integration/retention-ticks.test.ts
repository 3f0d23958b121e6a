/** Issue 7, 7: what of schedules is kept, so that trust and overlaps are told as before. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { runId } from '../../src/core/ids.ts';
import { scheduleTriggerKey } from '../../src/core/trigger.ts';
import { insertFeedback } from '../../src/store/run-feedback.ts';
import { insertRunningRun, UNSAID } from '../../src/store/runs.ts';
import { insertTicks, readNewestAdmitted } from '../../src/store/schedule-ticks.ts';
import { upsertSchedule } from '../../src/store/schedules.ts';
import { evidenceHash, insertTickEvidence } from '../../src/store/tick-evidence.ts';
import { createReadTrust } from '../../src/trust/read-trust.ts';
import { createTestApi, manualDefinition, type TestApi } from '../setup/api.ts';
import { createRetention, deletedByTable } from '../setup/retention.ts';

const ID = 'daily';
const DAY_MS = 86_400_000;
const SCHEDULE = {
  every: '1d',
  timezone: 'UTC',
  overlap: 'skip',
  catchup_window: '1h',
  jitter: '0s',
} as const;

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.clear();
  await api.declare([manualDefinition({ id: ID, trigger: { schedule: { every: '1d' } } })]);
});

const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const day = (ago: number): string => new Date(today - ago * DAY_MS).toISOString().replace('.000Z', 'Z');

async function recordSchedule(): Promise<void> {
  const row = {
    definition_id: ID,
    definition_hash: 'hash',
    schedule: SCHEDULE,
    enabled: true,
    described: {},
  };
  await upsertSchedule(api.pool, { ...row, recorded_until: new Date().toISOString() });
}

/** A tick that fired, and whose run completed, so many days ago; with all of its evidence. */
async function fire(ago: number): Promise<string> {
  const scheduled_for = day(ago);
  const trigger_key = scheduleTriggerKey(scheduled_for);
  const run_id = runId(ID, trigger_key);
  const key = { trigger_key, origin_trigger_key: trigger_key, trigger_kind: 'schedule' as const };
  await insertRunningRun(api.pool, {
    ...UNSAID,
    ...key,
    run_id,
    definition_id: ID,
    definition_hash: 'hash',
    scheduled_for,
    dispatch_id: null,
  });
  await api.pool.query(
    `UPDATE activity_runs SET status = 'completed', started_at = $2, finished_at = $2 WHERE run_id = $1`,
    [run_id, scheduled_for],
  );
  await insertTicks(api.pool, [
    { definition_id: ID, scheduled_for, deadline: scheduled_for, outcome: 'fired', reason: null },
  ]);
  await api.pool.query(
    'UPDATE schedule_ticks SET run_id = $1, workflow_started_at = $2, recorded_at = $2 WHERE scheduled_for = $2',
    [run_id, scheduled_for],
  );
  const item = { ok: true, detail: 'there', facts: {} };
  const evidence = {
    temporal_history: item,
    activity_run: item,
    state_hub_progress: item,
    working_memory_note: item,
  };
  const found = { definition_id: ID, scheduled_for, run_id, evidence };
  await insertTickEvidence(api.pool, { ...found, evidence_hash: evidenceHash(found) });
  return run_id;
}

/** So many ticks, the newest of them so many days old, that nothing ran at. */
async function skipped(ticks: number, newestAgo: number): Promise<void> {
  const ended = { outcome: 'paused' as const, reason: 'paused' };
  await insertTicks(
    api.pool,
    Array.from({ length: ticks }, (_, position) => {
      const scheduled_for = day(newestAgo + position);
      return { definition_id: ID, scheduled_for, deadline: scheduled_for, ...ended };
    }),
  );
  await api.pool.query('UPDATE schedule_ticks SET recorded_at = scheduled_for');
}

async function ticks(): Promise<string[]> {
  const { rows } = await api.pool.query(
    'SELECT scheduled_for FROM schedule_ticks ORDER BY scheduled_for DESC',
  );
  return rows.map((row) => row.scheduled_for);
}

test('the newest hundred ticks of a schedule stay however old they are; older ones go', async () => {
  await recordSchedule();
  await skipped(103, 91);
  await createRetention(api.servicePool).pass();
  expect(await ticks()).toEqual(Array.from({ length: 100 }, (_, position) => day(91 + position)));
});

test('more than a hundred ticks stay where they are young', async () => {
  await recordSchedule();
  await skipped(400, 0);
  await createRetention(api.servicePool, { retentionDays: 365 }).pass();
  expect(await ticks()).toHaveLength(365);
});

test('trust is what it was: ticks that are kept keep their runs, evidence and feedback', async () => {
  await recordSchedule();
  const [newest] = [await fire(91), await fire(92), await fire(93)];
  const said = { verdict: 'useful', note: null, requested_by: 'tests', for_state_hub: false } as const;
  await insertFeedback(api.pool, newest, said);
  await api.pool.query(`UPDATE run_feedback SET at = now() - interval '91 days'`);
  await api.pool.query(`UPDATE schedules SET enabled = false, in_force_since = 'epoch'`);
  const readTrust = createReadTrust({ pool: api.pool, stateHub: null, workingMemoryDir: undefined });
  const before = await readTrust(ID, 3);
  expect(before).toMatchObject({ trusted: true, clean_streak: 3 });
  await createRetention(api.servicePool).pass();
  expect(await readTrust(ID, 3)).toEqual(before);
});

test('a tick that goes takes its evidence along, and its run with what was said of it', async () => {
  await recordSchedule();
  const run = await fire(300);
  await fire(299);
  await skipped(100, 91);
  const retention = createRetention(api.servicePool);
  await retention.pass();
  expect(await deletedByTable(retention.metrics)).toEqual({
    schedule_ticks: 1,
    tick_evidence: 1,
    activity_runs: 1,
  });
  const { rows } = await api.pool.query('SELECT 1 FROM activity_runs WHERE run_id = $1', [run]);
  expect(rows).toEqual([]);
});

test('the newest tick that a worker took up stays, behind any number of others', async () => {
  await recordSchedule();
  await fire(301);
  await fire(300);
  await skipped(150, 91);
  await createRetention(api.servicePool).pass();
  expect(await readNewestAdmitted(api.pool, ID)).toBe(day(300));
  expect(await ticks()).toHaveLength(101);
});

test('ticks of what has no schedule any more go by their age, save open ones and those whose run is not over', async () => {
  const run = await fire(92);
  await api.pool.query(`UPDATE activity_runs SET status = 'running', finished_at = NULL WHERE run_id = $1`, [
    run,
  ]);
  await skipped(3, 93);
  await skipped(1, 89);
  await insertTicks(api.pool, [
    { definition_id: ID, scheduled_for: day(200), deadline: day(200), outcome: null, reason: null },
  ]);
  await api.pool.query('UPDATE schedule_ticks SET recorded_at = scheduled_for');
  await createRetention(api.servicePool).pass();
  expect(await ticks()).toEqual([day(89), day(92), day(200)]);
});

test('a tick that could start until lately is not old', async () => {
  await skipped(2, 95);
  await api.pool.query('UPDATE schedule_ticks SET deadline = now() WHERE scheduled_for = $1', [day(95)]);
  await createRetention(api.servicePool).pass();
  expect(await ticks()).toEqual([day(95)]);
});
