/** Issue 6, 5: evidence for each tick, from its own system, and the verdict on it. */
import { randomUUID } from 'node:crypto';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Runtime, type WorkflowBundle } from '@temporalio/worker';
import { afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { insertDispatch } from '../../src/store/dispatches.ts';
import { insertFeedback } from '../../src/store/run-feedback.ts';
import { insertRunningRun, UNSAID } from '../../src/store/runs.ts';
import { closeTick, insertTicks } from '../../src/store/schedule-ticks.ts';
import { EvidenceUnavailable } from '../../src/trust/collect-evidence.ts';
import type { Trust } from '../../src/trust/evidence.ts';
import { COLLECT_EVIDENCE, evidenceWorkflowId } from '../../src/workflows/contract.ts';
import {
  createTicksWithEvidence,
  type FiredTick,
  type TicksWithEvidence,
} from '../setup/ticks-with-evidence.ts';
import { until } from '../setup/until.ts';

let workflowBundle: WorkflowBundle;
let bench: TicksWithEvidence;
beforeAll(async () => {
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
  const logger = new DefaultLogger('WARN');
  Runtime.install({ logger });
  workflowBundle = await bundleWorkflowCode({ workflowsPath, logger });
});
beforeEach(async () => {
  bench = await createTicksWithEvidence(inject('servers'), workflowBundle);
});
afterEach(() => bench?.[Symbol.asyncDispose]());

const feedback = { verdict: 'useful', note: null, requested_by: 'tests', for_state_hub: false } as const;

/** Newest first: each day's tick up to today's, clean and with feedback for the newest. */
async function threeCleanTicks(): Promise<[FiredTick, FiredTick, FiredTick]> {
  const [oldest, middle, newest] = [
    await bench.fireAndCollect(2),
    await bench.fireAndCollect(1),
    await bench.fireAndCollect(0),
  ];
  await insertFeedback(bench.pool, newest.run_id, feedback);
  return [newest, middle, oldest];
}

async function trustOf(readTrust = bench.readTrust): Promise<Trust> {
  const trust = await readTrust(bench.id, 3);
  if (!trust) throw new Error('no such definition');
  return trust;
}

const storedItems = async (tick: FiredTick) =>
  (await bench.pool.query('SELECT evidence FROM tick_evidence WHERE run_id = $1', [tick.run_id])).rows[0]
    ?.evidence;

const endedAgo = (tick: FiredTick, time: string) =>
  bench.pool.query(`UPDATE activity_runs SET finished_at = now() - $2::interval WHERE run_id = $1`, [
    tick.run_id,
    time,
  ]);

test('three ticks with all of their evidence and feedback are trusted, until one of them is tampered with', async () => {
  const [newest, middle, oldest] = await threeCleanTicks();
  const trust = await trustOf();
  expect(trust).toMatchObject({ trusted: true, clean_streak: 3, feedback: { run_id: newest.run_id } });
  expect(trust.ticks.map(({ run_id, state }) => [run_id, state])).toEqual(
    [newest, middle, oldest].map(({ run_id }) => [run_id, 'clean']),
  );
  expect(await storedItems(newest)).toMatchObject({
    temporal_history: {
      ok: true,
      facts: { status: 'COMPLETED', history_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    },
    activity_run: { ok: true, facts: { row_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
    state_hub_progress: { ok: true, facts: { entries: [{ progress_id: newest.progress_id }] } },
    working_memory_note: {
      ok: true,
      facts: { notes: [{ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }] },
    },
  });

  const away = await trustOf(bench.readTrustWith({}));
  expect(away.trusted).toBe(true);
  expect(away.ticks[0]?.evidence).toMatchObject({
    temporal_history: { unchecked: null },
    state_hub_progress: { ok: true, unchecked: 'STATE_HUB_URL is not set' },
    working_memory_note: { ok: true, unchecked: 'WORKING_MEMORY_DIR is not set' },
  });
  expect(away.reason).toContain(
    'not looked at again just now: STATE_HUB_URL is not set; WORKING_MEMORY_DIR is not set',
  );
  const down = await trustOf(bench.readTrustWith({ stateHubUrl: 'http://127.0.0.1:9', notes: bench.notes }));
  expect(down.trusted).toBe(true);
  expect(down.ticks[0]?.evidence.state_hub_progress).toMatchObject({
    ok: true,
    unchecked: expect.stringContaining('State Hub'),
  });

  await appendFile(oldest.note ?? '', 'One more thing.\n');
  expect(await trustOf()).toMatchObject({ trusted: false, clean_streak: 2 });
  await rm(middle.note ?? '');
  expect((await trustOf()).reason).toBe(
    `${middle.scheduled_for} is dirty: working_memory_note: the note daily-triage-2.md is gone; 1 of 3 clean ticks since`,
  );
  bench.hub.removeProgress(newest.progress_id ?? '');
  const { ticks, reason } = await trustOf();
  expect(reason).toContain(
    `${newest.scheduled_for} is dirty: state_hub_progress: gone: progress ${newest.progress_id} was there at`,
  );
  expect(ticks.at(-1)?.reason).toBe(
    'working_memory_note: the note daily-triage.md was changed since it was filed',
  );
});

test('evidence that was changed in the database counts for nothing', async () => {
  const [newest] = await threeCleanTicks();
  await bench.pool.query(
    `UPDATE tick_evidence SET evidence = jsonb_set(evidence, '{activity_run,detail}', '"fine"') WHERE run_id = $1`,
    [newest.run_id],
  );
  const { trusted, ticks } = await trustOf();
  expect(trusted).toBe(false);
  expect(Object.values(ticks[0]?.evidence ?? {})).toEqual(
    Array(4).fill({ ok: false, detail: 'the stored evidence was changed', needed: true, unchecked: null }),
  );
});

test('runs by hand and backfills between the ticks change nothing', async () => {
  await threeCleanTicks();
  const before = await trustOf();
  const run_id = randomUUID();
  const dispatch_id = randomUUID();
  const byHand = {
    ...UNSAID,
    definition_id: bench.id,
    definition_hash: 'hash',
    trigger_kind: 'manual' as const,
  };
  const key = { trigger_key: 'manual:x', origin_trigger_key: 'manual:x' };
  await insertRunningRun(bench.pool, { ...byHand, ...key, run_id, dispatch_id, scheduled_for: bench.day(1) });
  const member = { run_id, definition_id: bench.id, definition_hash: 'hash', event_uid: null };
  await insertDispatch(bench.pool, { dispatch_id, members: [member] });
  expect(await bench.collect(dispatch_id)).toBe('no_tick');
  await bench.pool.query(
    `UPDATE activity_runs SET status = 'failed', finished_at = now() WHERE run_id = $1`,
    [run_id],
  );
  expect(await bench.collect(dispatch_id)).toBe('no_tick');
  expect(await trustOf()).toEqual(before);
});

test('a failed run makes its tick dirty, and its evidence says with what it failed', async () => {
  const failed = await bench.fire(0, { status: 'failed' });
  expect(await bench.collect(failed.dispatch_id)).toBe('stored');
  const { ticks } = await trustOf();
  expect(ticks[0]).toMatchObject({
    state: 'dirty',
    evidence: {
      temporal_history: { ok: true },
      activity_run: { ok: false, detail: 'failed with resolver_failed: State Hub did not answer' },
      state_hub_progress: {
        ok: false,
        detail: 'the run ended before it filed any report',
      },
      working_memory_note: { ok: false, detail: 'the run ended before it filed any report' },
    },
  });
});

test('an entry that disagrees with the run is no evidence', async () => {
  const tick = await bench.fire(0);
  await bench.pool.query(`UPDATE activity_runs SET workflow_id = 'another' WHERE run_id = $1`, [tick.run_id]);
  await bench.collect(tick.dispatch_id);
  expect((await storedItems(tick)).state_hub_progress).toMatchObject({
    ok: false,
    detail: `progress ${tick.progress_id} disagrees with the run: workflow_id is not another`,
  });
});

test('State Hub is asked again for ten minutes, or twenty times, and then its silence is the evidence', async () => {
  const tick = await bench.fire(0);
  bench.hub.setFaults({ faults: ['http_500'] });
  await expect(bench.collect(tick.dispatch_id)).rejects.toThrow(EvidenceUnavailable);
  expect(await storedItems(tick)).toBeUndefined();
  await endedAgo(tick, '11 minutes');
  await expect(bench.collect(tick.dispatch_id, 19)).rejects.toThrow(EvidenceUnavailable);
  expect(await bench.collect(tick.dispatch_id, 20)).toBe('stored');
  bench.hub.setFaults({ faults: [] });
  expect(await bench.collect(tick.dispatch_id)).toBe('stored');
  const { ticks } = await trustOf();
  expect(ticks[0]).toMatchObject({
    state: 'dirty',
    reason: expect.stringMatching(/^state_hub_progress: State Hub/),
  });
});

test('what was filed and is not to be seen yet is waited for, and then it is missing', async () => {
  const [late, lost] = [await bench.fire(1), await bench.fire(0)];
  const text = await readFile(late.note ?? '');
  await rm(late.note ?? '');
  await expect(bench.collect(late.dispatch_id)).rejects.toThrow('daily-triage.md is gone');
  await writeFile(late.note ?? '', text);
  expect(await bench.collect(late.dispatch_id)).toBe('stored');
  expect((await trustOf()).ticks.at(-1)).toMatchObject({ state: 'clean' });

  bench.hub.removeProgress(lost.progress_id ?? '');
  await expect(bench.collect(lost.dispatch_id)).rejects.toThrow('State Hub has no `daily_triage` progress');
  await endedAgo(lost, '11 minutes');
  expect(await bench.collect(lost.dispatch_id, 20)).toBe('stored');
  expect((await storedItems(lost)).state_hub_progress).toMatchObject({ ok: false });
});

test('evidence that was copied from another tick counts for nothing', async () => {
  const [newest, middle] = await threeCleanTicks();
  await bench.pool.query(
    `UPDATE tick_evidence t SET evidence = o.evidence, evidence_hash = o.evidence_hash
       FROM tick_evidence o WHERE t.run_id = $1 AND o.run_id = $2`,
    [newest.run_id, middle.run_id],
  );
  expect(await trustOf()).toMatchObject({ trusted: false, clean_streak: 0 });
});

test('what the revision of the run does not declare is not asked for', async () => {
  await bench.declare({ reports: [] });
  const tick = await bench.fireAndCollect(0);
  await bench.declare();
  expect(await storedItems(tick)).toMatchObject({
    state_hub_progress: { ok: true, detail: 'not declared by this revision' },
    working_memory_note: { ok: true, detail: 'not declared by this revision' },
  });
});

test('the workflow waits until the run is over, and then the evidence is there', async () => {
  const tick = await bench.fire(0, { status: 'running' });
  const { dispatch_id } = tick;
  const started = await bench.workflows.start(COLLECT_EVIDENCE, {
    workflowId: evidenceWorkflowId(dispatch_id),
    taskQueue: bench.taskQueue,
    args: [{ dispatch_id }],
  });
  await until('it was tried twice', async () => {
    const { raw } = await started.describe();
    return (raw.pendingActivities?.[0]?.attempt ?? 0) > 1;
  });
  expect((await trustOf()).ticks[0]).toMatchObject({ state: 'pending' });
  await bench.pool.query(
    `UPDATE activity_runs SET status = 'completed', finished_at = now() WHERE run_id = $1`,
    [tick.run_id],
  );
  await started.result();
  expect(await storedItems(tick)).toMatchObject({ activity_run: { ok: true } });
});

test('a run that is not over after seven days is found not to be', async () => {
  const tick = await bench.fire(0, { status: 'running' });
  expect(await bench.collect(tick.dispatch_id)).toBe('not_yet');
  await bench.pool.query(`UPDATE dispatches SET created_at = now() - interval '8 days'`);
  expect(await bench.collect(tick.dispatch_id)).toBe('stored');
  expect((await storedItems(tick)).activity_run).toMatchObject({ ok: false, detail: 'it is running' });
});

test('a workflow that Temporal does not know, or that no schedule started, is no history', async () => {
  const [gone, other] = [await bench.fire(1), await bench.fire(0)];
  await bench.pool.query(`UPDATE dispatches SET workflow_id = 'nowhere' WHERE dispatch_id = $1`, [
    gone.dispatch_id,
  ]);
  await bench.workflows.execute('ActivityRun', {
    workflowId: other.dispatch_id,
    taskQueue: bench.taskQueue,
    args: [{ dispatch_id: other.dispatch_id }],
  });
  await bench.pool.query(
    'UPDATE dispatches SET workflow_id = NULL, first_workflow_run_id = NULL WHERE dispatch_id = $1',
    [other.dispatch_id],
  );
  await bench.collect(gone.dispatch_id);
  await bench.collect(other.dispatch_id);
  expect((await storedItems(gone)).temporal_history).toMatchObject({
    ok: false,
    detail: 'Temporal does not know the workflow nowhere',
  });
  expect((await storedItems(other)).temporal_history).toMatchObject({
    ok: false,
    detail: 'no schedule started the workflow',
  });
});

test('ticks that were due and that nobody recorded are missed', async () => {
  await threeCleanTicks();
  await bench.pool.query('UPDATE schedule_ticks SET scheduled_for = scheduled_for - interval $$5 days$$');
  await bench.pool.query('UPDATE tick_evidence SET scheduled_for = scheduled_for - interval $$5 days$$');
  await bench.recordedUntil(bench.day(5));
  const { trusted, clean_streak, ticks } = await trustOf();
  expect({ trusted, clean_streak }).toEqual({ trusted: false, clean_streak: 0 });
  const missed = ticks.filter(({ state }) => state === 'missed').map(({ scheduled_for }) => scheduled_for);
  // Today's may still start, just after midnight.
  expect(missed.slice(-4)).toEqual([1, 2, 3, 4].map(bench.day));
});

test('policies of a schedule may change; other times, and a stop in between, make it count anew', async () => {
  const now = new Date().toISOString();
  const declare = async (change: object) => {
    await bench.declare(change);
    await bench.recordedUntil(now);
  };
  await threeCleanTicks();
  await declare({ trigger: { schedule: { every: '1d', overlap: 'buffer_one', catchup_window: '2h' } } });
  expect(await trustOf()).toMatchObject({ trusted: true, clean_streak: 3 });
  await declare({ trigger: { schedule: { cron: '30 4 1 1 *' } } });
  expect(await trustOf()).toMatchObject({
    trusted: false,
    ticks: [],
    reason: expect.stringContaining('no tick was due yet; it counts from'),
  });

  await bench.pool.query(`UPDATE schedules SET in_force_since = 'epoch'`);
  expect(await trustOf()).toMatchObject({ trusted: true });
  await declare({ enabled: false });
  await declare({ enabled: true });
  expect(await trustOf()).toMatchObject({ trusted: false, ticks: [] });
});

test('a tick that was paused is missed', async () => {
  await bench.fireAndCollect(1);
  const tick = { definition_id: bench.id, scheduled_for: bench.day(0) };
  await insertTicks(bench.pool, [{ ...tick, deadline: bench.day(0), outcome: null, reason: null }]);
  const paused = {
    outcome: 'paused' as const,
    reason: 'maintenance',
    run_id: null,
    workflow_started_at: null,
  };
  await closeTick(bench.pool, tick, paused);
  expect((await trustOf()).reason).toBe(`${bench.day(0)} is missed: paused: maintenance`);
});

test('what is disabled, has no schedule, or was due never yet is not trusted, and says so', async () => {
  expect(await bench.readTrust('nobody-declared-this', 3)).toBeNull();
  expect((await trustOf()).reason).toContain('no tick was due yet');
  await threeCleanTicks();
  await bench.declare({ enabled: false });
  expect(await trustOf()).toMatchObject({ trusted: false, reason: expect.stringContaining('disabled') });
  await bench.declare({ trigger: { manual: {} } });
  const withoutSchedule = await trustOf();
  expect(withoutSchedule).toMatchObject({ trusted: false, scheduled: false });
  expect(withoutSchedule.reason).toContain('no schedule');
});

test('a workflow that is open is waited for, and one that was ended by force is no history', async () => {
  const tick = await bench.fire(0);
  const workflowId = `open-${tick.run_id}`;
  const handle = await bench.workflows.start('ActivityRun', {
    workflowId,
    taskQueue: 'nobody-works-here',
    args: [{ dispatch_id: tick.dispatch_id }],
  });
  await bench.pool.query('UPDATE dispatches SET workflow_id = $1, first_workflow_run_id = $2', [
    workflowId,
    handle.firstExecutionRunId,
  ]);
  expect(await bench.collect(tick.dispatch_id)).toBe('not_yet');
  await handle.terminate();
  expect(await bench.collect(tick.dispatch_id)).toBe('stored');
  expect((await storedItems(tick)).temporal_history).toMatchObject({
    ok: false,
    detail: 'the workflow is TERMINATED',
  });
});
