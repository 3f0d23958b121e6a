/**
 * Brings dispatches and workflows together again from PostgreSQL alone: starts what was recorded and never started,
 * and closes what a workflow that ended by force left behind. Runs in every subscriber; leases keep them apart.
 */
import { randomUUID } from 'node:crypto';
import {
  type WorkflowClient,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { RunError } from '../core/decision.ts';
import {
  closeDispatch,
  forgetScheduledWorkflow,
  insertDispatch,
  leaseStaleDispatches,
  listMembersWithoutRun,
  type StaleDispatch,
} from '../store/dispatches.ts';
import { moveDecisions } from '../store/event-decisions.ts';
import { type Pool, transaction } from '../store/pool.ts';
import { countQueued, listQueues } from '../store/queued-dispatches.ts';
import { failRunningRuns } from '../store/runs.ts';
import { tellOfFailedRuns } from '../telemetry/failed-runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { emissionWorkflowId } from '../workflows/contract.ts';
import type { StartDispatch, StartEmission } from './dispatch.ts';
import { createStartQueued } from './start-dispatches.ts';

const INTERVAL_MS = 5_000;
/** Longer than a healthy dispatch takes, shorter than an operator's patience. */
const IDLE_SECONDS = 15;
const LEASED_AT_ONCE = 50;
/** Counting reads the whole queue. */
const COUNT_INTERVAL_MS = 30_000;

/** The statuses that end a workflow, with what that means for a run that it left behind. */
const ERROR_OF_STATUS: Record<string, Pick<RunError, 'code' | 'message'>> = {
  TERMINATED: { code: 'workflow_terminated', message: 'the workflow was terminated before the run ended' },
  CANCELLED: { code: 'workflow_cancelled', message: 'the workflow was cancelled before the run ended' },
  TIMED_OUT: { code: 'workflow_timed_out', message: 'the workflow timed out before the run ended' },
  FAILED: { code: 'workflow_failed', message: 'the workflow failed before the run ended' },
  COMPLETED: { code: 'workflow_failed', message: 'the workflow ended, and what it had committed is gone' },
};

export interface ReconcileDeps {
  pool: Pool;
  workflows: WorkflowClient;
  startDispatch: StartDispatch;
  startEmission: StartEmission;
  metrics: Metrics;
  logger: Logger;
}

/** One pass. */
export function createReconcile(deps: ReconcileDeps): () => Promise<void> {
  const startQueued = createStartQueued(deps);
  let nextCount = 0;
  return async function reconcile() {
    const portion = { idleSeconds: IDLE_SECONDS, limit: LEASED_AT_ONCE };
    const deciding = await leaseStaleDispatches(deps.pool, 'deciding', portion);
    const emitting = await leaseStaleDispatches(deps.pool, 'emission', portion);
    for (const dispatch of [...deciding, ...emitting]) {
      await reconcileOne(deps, dispatch).catch((error: unknown) => {
        deps.logger.warn(
          { err: error, dispatch_id: dispatch.dispatch_id },
          'a dispatch could not be looked at; the next pass tries again',
        );
      });
    }
    // Last: what was closed by force has made room.
    await startQueued(await listQueues(deps.pool));
    if (performance.now() < nextCount) return;
    nextCount = performance.now() + COUNT_INTERVAL_MS;
    const queues = await countQueued(deps.pool);
    deps.metrics.queuedDispatches.reset();
    for (const { definition_id, queued } of queues)
      deps.metrics.queuedDispatches.set({ definition_id }, queued);
  };
}

/** Calls `reconcile` on a plain timer until stopped, one pass at a time; a failing pass is logged and tried again. */
export function startReconciler(reconcile: () => Promise<void>, logger: Logger): { stop(): Promise<void> } {
  let running: Promise<void> | null = null;
  const timer = setInterval(() => {
    running ??= reconcile()
      .catch((error: unknown) => logger.warn({ err: error }, 'reconciling failed and is tried again'))
      .then(() => {
        running = null;
      });
  }, INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

async function reconcileOne(deps: ReconcileDeps, dispatch: StaleDispatch): Promise<void> {
  const { dispatch_id, workflow_id, prepared_at } = dispatch;
  if (prepared_at !== null) return reconcileEmission(deps, dispatch);
  const status = await statusOfDispatch(deps.workflows, dispatch);
  if (status === null) {
    deps.logger.info({ dispatch_id }, 'starting a dispatch that has no workflow');
    if (workflow_id !== null) await forgetScheduledWorkflow(deps.pool, dispatch_id);
    await deps.startDispatch(dispatch_id);
    return;
  }
  const ended = { of: 'deciding', status, workflow_id: workflow_id ?? dispatch_id } as const;
  const again = await closeByForce(deps, dispatch, ended);
  if (again) await deps.startDispatch(again);
}

async function reconcileEmission(deps: ReconcileDeps, dispatch: StaleDispatch): Promise<void> {
  const { dispatch_id } = dispatch;
  const workflow_id = emissionWorkflowId(dispatch_id);
  const status = await statusOf(deps.workflows, workflow_id);
  if (status !== null)
    return void (await closeByForce(deps, dispatch, { of: 'emission', status, workflow_id }));
  deps.logger.info({ dispatch_id }, 'starting an emission that has no workflow');
  await deps.startEmission(dispatch_id);
}

async function statusOfDispatch(workflows: WorkflowClient, dispatch: StaleDispatch): Promise<string | null> {
  const { dispatch_id, workflow_id, first_workflow_run_id } = dispatch;
  const workflowId = workflow_id ?? dispatch_id;
  if (first_workflow_run_id === null) return statusOf(workflows, workflowId);
  // A backfill runs a tick's workflow id again; a reset goes on under the same first run.
  const latest = await describe(workflows, workflowId);
  if (latest?.raw.workflowExecutionInfo?.firstRunId === first_workflow_run_id) return latest.status.name;
  return latest && statusOf(workflows, workflowId, first_workflow_run_id);
}

async function statusOf(workflows: WorkflowClient, ...execution: Execution): Promise<string | null> {
  return (await describe(workflows, ...execution))?.status.name ?? null;
}

type Execution = [workflowId: string, runId?: string];

/** Null where Temporal does not know it. */
async function describe(
  workflows: WorkflowClient,
  ...execution: Execution
): Promise<WorkflowExecutionDescription | null> {
  try {
    return await workflows.getHandle(...execution).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/**
 * Ends the rows of a workflow that was ended by force, not those of one that goes on; what has no row yet goes on in a new
 * dispatch, whose id is returned.
 */
async function closeByForce(
  deps: ReconcileDeps,
  { dispatch_id: dispatchId, alone }: StaleDispatch,
  { of, status, workflow_id }: { of: 'deciding' | 'emission'; status: string; workflow_id: string },
): Promise<string | null> {
  const reason = ERROR_OF_STATUS[status];
  if (!reason) return null;
  const error: RunError = { ...reason, details: { workflow_id } };
  const closed = await transaction(deps.pool, async (client) => {
    if (!(await closeDispatch(client, dispatchId, of))) return null;
    const failed = await failRunningRuns(client, dispatchId, error);
    const members = await listMembersWithoutRun(client, dispatchId);
    if (members.length === 0) return { failed, members, again: null };
    const again = randomUUID();
    // Not queued: it has the place of the one that was closed.
    await insertDispatch(client, { dispatch_id: again, members, alone });
    await moveDecisions(client, dispatchId, members, again);
    return { failed, members, again };
  });
  if (!closed) return null;
  const { code } = error;
  for (const { definition_id } of closed.failed) deps.metrics.runs.inc({ definition_id, status: 'failed' });
  tellOfFailedRuns(
    deps.logger,
    closed.failed.map((run) => ({ ...run, code })),
    { dispatch_id: dispatchId },
  );
  const context = {
    dispatch_id: dispatchId,
    status,
    failed: closed.failed.length,
    dispatched_again: closed.members.length,
  };
  deps.logger.warn(context, 'closed a dispatch by force');
  return closed.again;
}
