/** A daily schedule with both reports on real servers: ticks as Temporal, PostgreSQL, State Hub and the disk know them. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker, type WorkflowBundle } from '@temporalio/worker';
import { pino } from 'pino';
import { createCollectEvidence as createActivity } from '../../src/activities/collect-evidence.ts';
import { createStateHubClient } from '../../src/clients/state-hub.ts';
import { type Definition, definitionSchema } from '../../src/core/definition.ts';
import { contentSha256 } from '../../src/core/document.ts';
import { runId, scheduledDispatchId } from '../../src/core/ids.ts';
import type { ReportRecord } from '../../src/core/report.ts';
import { scheduleTriggerKey } from '../../src/core/trigger.ts';
import { type StateHubStandIn, startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';
import { createReportSinks } from '../../src/reports/registry.ts';
import { makeRevisionCurrent } from '../../src/store/definitions.ts';
import { insertDispatch } from '../../src/store/dispatches.ts';
import type { Pool } from '../../src/store/pool.ts';
import { insertRunningRun, UNSAID } from '../../src/store/runs.ts';
import { closeTick, insertTicks } from '../../src/store/schedule-ticks.ts';
import { upsertSchedule } from '../../src/store/schedules.ts';
import { type CollectEvidence, createCollectEvidence } from '../../src/trust/collect-evidence.ts';
import { createReadTrust, type ReadTrust } from '../../src/trust/read-trust.ts';
import { createTestDatabase } from './database.ts';
import type { TestServers } from './servers.ts';
import { until } from './until.ts';

const DAY = 86_400_000;

export interface FiredTick {
  dispatch_id: string;
  run_id: string;
  scheduled_for: string;
  /** Where its note is; null where it filed none. */
  note: string | null;
  progress_id: string | null;
}

export interface TicksWithEvidence extends AsyncDisposable {
  id: string;
  pool: Pool;
  hub: StateHubStandIn;
  workflows: Client['workflow'];
  taskQueue: string;
  notes: string;
  /** Midnight, that many days ago. */
  day(ago: number): string;
  declare(change?: object): Promise<void>;
  /** Up to where the grid is recorded. */
  recordedUntil(time: string): Promise<void>;
  /** Its schedule starts its workflow; its run filed both reports, and has ended unless `status` says otherwise. */
  fire(ago: number, how?: { status?: 'completed' | 'failed' | 'running' }): Promise<FiredTick>;
  /** Fired, and what can be found out about it is stored. */
  fireAndCollect(ago: number): Promise<FiredTick>;
  /** The first try, unless said. */
  collect(dispatchId: string, attempt?: number): ReturnType<CollectEvidence>;
  readTrust: ReadTrust;
  /** As another process would be set up. */
  readTrustWith(deps: { stateHubUrl?: string; notes?: string }): ReadTrust;
}

export async function createTicksWithEvidence(
  servers: TestServers,
  workflowBundle: WorkflowBundle,
): Promise<TicksWithEvidence> {
  const id = `triage-${randomUUID().slice(0, 8)}`;
  const scheduleId = `activity-core:${id}`;
  const taskQueue = `test-${id}`;
  const database = await createTestDatabase(servers.database_url);
  const { pool } = database;
  const notes = await mkdtemp(join(tmpdir(), 'activity-core-notes-'));
  const hub = await startStateHubStandIn({ engagements: {} });
  const stateHub = createStateHubClient({ url: hub.url, token: undefined, timeoutMs: 60_000 });
  const connection = Connection.lazy({
    address: servers.temporal_address,
    channelArgs: { 'grpc.enable_http_proxy': 0 },
  });
  const client = new Client({ connection });
  const logger = pino({ level: 'silent' });
  const workflows = client.workflow;
  const collectEvidence = createCollectEvidence({
    ...{ pool, workflows, stateHub, workingMemoryDir: notes, logger },
  });
  const collect = (dispatchId: string, attempt = 1) => collectEvidence(dispatchId, attempt);
  const native = await NativeConnection.connect({ address: servers.temporal_address });
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    workflowBundle,
    activities: {
      prepare: async () => undefined,
      collectEvidence: createActivity({ collectEvidence: collect, logger }),
    },
  });
  const working = worker.run();
  const schedule = await client.schedule.create({
    scheduleId,
    spec: { intervals: [{ every: '1d' }] },
    policies: { overlap: 'ALLOW_ALL' },
    state: { paused: true },
    action: {
      type: 'startWorkflow',
      workflowType: 'ActivityRun',
      workflowId: scheduleId,
      args: [{ dispatch_id: 'told by no history' }],
      taskQueue,
    },
  });
  const today = Math.floor(Date.now() / DAY) * DAY;
  const day = (ago: number): string => new Date(today - ago * DAY).toISOString().replace('.000Z', 'Z');
  const sinks = createReportSinks({ stateHub, workingMemoryDir: notes });
  let definition: Definition = documentOf(id);

  async function declare(change: object = {}): Promise<void> {
    definition = documentOf(id, change);
    await makeRevisionCurrent(pool, definition, contentSha256(definition));
  }

  async function recordedUntil(time: string): Promise<void> {
    const { schedule } = definition.trigger;
    if (!schedule) throw new Error('it has no schedule');
    const definition_hash = contentSha256(definition);
    const row = { definition_id: id, definition_hash, schedule, enabled: definition.enabled, described: {} };
    await upsertSchedule(pool, { ...row, recorded_until: time });
  }

  async function fire(ago: number, { status = 'completed' }: { status?: string } = {}): Promise<FiredTick> {
    const scheduled_for = day(ago);
    const workflow_id = `${scheduleId}-${scheduled_for}`;
    const at = new Date(scheduled_for);
    await schedule.backfill({ start: new Date(at.getTime() - 1000), end: at, overlap: 'ALLOW_ALL' });
    const first_workflow_run_id = await until('its workflow is completed', async () => {
      const found = await workflows
        .getHandle(workflow_id)
        .describe()
        .catch(() => null);
      return found?.status.name === 'COMPLETED' && found.runId;
    });
    const dispatch_id = scheduledDispatchId(workflow_id, first_workflow_run_id);
    const definition_hash = contentSha256(definition);
    const trigger_key = scheduleTriggerKey(scheduled_for);
    const run = {
      ...{ run_id: runId(id, trigger_key), definition_id: id, definition_hash },
      ...{ trigger_key, origin_trigger_key: trigger_key, trigger_kind: 'schedule' as const },
      ...{ scheduled_for, dispatch_id, workflow_id, workflow_run_id: first_workflow_run_id },
    };
    const { run_id } = run;
    await insertRunningRun(pool, { ...UNSAID, ...run });
    const member = { run_id, definition_id: id, definition_hash, event_uid: null };
    await insertDispatch(pool, { dispatch_id, workflow_id, first_workflow_run_id, members: [member] });
    const tick = { definition_id: id, scheduled_for };
    const deadline = new Date(Date.now() + 3_600_000).toISOString();
    await insertTicks(pool, [{ ...tick, deadline, outcome: null, reason: null }]);
    const fired = { outcome: 'fired' as const, reason: null, run_id, workflow_started_at: scheduled_for };
    await closeTick(pool, tick, fired);
    const records: ReportRecord[] = [];
    for (const [position, { sink, ...report }] of definition.reports.entries()) {
      if (status !== 'completed') break;
      const reported = {
        run_id,
        definition_id: id,
        definition_hash,
        title: 'Triage',
        scheduled_for,
        workflow_id,
      };
      const told = { review_required: true, started_at: scheduled_for, task_count: 0, instructions: {} };
      const filed = await sinks.get(sink)?.file({
        run: { ...reported, ...told },
        position,
        report: report as ReportRecord['report'],
      });
      const tried = { attempts: 1, failing_since: null, error: null };
      const rest = { ...tried, filed: filed ?? null, filed_at: scheduled_for };
      records.push({ sink, report: report as ReportRecord['report'], status: 'filed', ...rest });
    }
    const error = { code: 'resolver_failed', message: 'State Hub did not answer', details: {} };
    await pool.query(
      `UPDATE activity_runs SET status = $2, reports = $3, error = $4,
              finished_at = CASE WHEN $2 <> 'running' THEN now() END WHERE run_id = $1`,
      [run_id, status, JSON.stringify(records), status === 'failed' ? JSON.stringify(error) : null],
    );
    const filed = Object.assign({}, ...records.map((record) => record.filed));
    const note = filed.file ? join(notes, filed.file) : null;
    return { dispatch_id, run_id, scheduled_for, note, progress_id: filed.progress_id ?? null };
  }

  const readTrustWith: TicksWithEvidence['readTrustWith'] = (deps) =>
    createReadTrust({
      pool,
      stateHub: deps.stateHubUrl
        ? createStateHubClient({ url: deps.stateHubUrl, token: undefined, timeoutMs: 60_000 })
        : null,
      workingMemoryDir: deps.notes,
    });

  await declare();
  await recordedUntil(new Date().toISOString());
  // As if it had always been enabled with these times.
  await pool.query(`UPDATE schedules SET in_force_since = 'epoch'`);
  return {
    ...{ id, pool, hub, workflows, taskQueue, notes, day, declare, recordedUntil, fire, collect },
    async fireAndCollect(ago) {
      const fired = await fire(ago);
      if ((await collect(fired.dispatch_id)) !== 'stored') throw new Error('nothing was collected');
      return fired;
    },
    readTrust: readTrustWith({ stateHubUrl: hub.url, notes }),
    readTrustWith,
    async [Symbol.asyncDispose]() {
      await schedule.delete();
      worker.shutdown();
      await working;
      await native.close();
      await connection.close();
      await hub.close();
      await database[Symbol.asyncDispose]();
      await rm(notes, { recursive: true, force: true });
    },
  };
}

function documentOf(id: string, change: object = {}): Definition {
  return definitionSchema.parse({
    id,
    title: 'Triage',
    owner: 'tests',
    trigger: { schedule: { every: '1d' } },
    reports: [
      { sink: 'state-hub-progress', event_type: 'daily_triage', summary: 'done' },
      { sink: 'working-memory', name: 'daily-triage' },
    ],
    ...change,
  });
}
