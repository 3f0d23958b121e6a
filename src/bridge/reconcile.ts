/**
 * Brings dispatches and workflows together again from PostgreSQL alone: starts what was recorded and never started,
 * and closes what a workflow that ended by force left behind. Runs in every subscriber; leases keep them apart.
 */
import { randomUUID } from 'node:crypto';
import { type WorkflowClient, WorkflowNotFoundError } from '@temporalio/client';
import type { RunErrorCode } from '../core/decision.ts';
import {
  closeDispatch,
  insertDispatch,
  leaseStaleDispatches,
  listMembersWithoutRun,
} from '../store/dispatches.ts';
import { moveDecisions } from '../store/event-decisions.ts';
import { type Pool, transaction } from '../store/pool.ts';
import { failRunningRuns } from '../store/runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { StartDispatch } from './dispatch.ts';

const INTERVAL_MS = 5_000;
/** Longer than a healthy dispatch takes, shorter than an operator's patience. */
const IDLE_SECONDS = 15;
const LEASED_AT_ONCE = 50;

const ERROR_OF_STATUS: Record<string, { code: RunErrorCode; message: string }> = {
  TERMINATED: { code: 'workflow_terminated', message: 'the workflow was terminated before the run ended' },
  CANCELLED: { code: 'workflow_cancelled', message: 'the workflow was cancelled before the run ended' },
  TIMED_OUT: { code: 'workflow_timed_out', message: 'the workflow timed out before the run ended' },
};
const OTHER_END: { code: RunErrorCode; message: string } = {
  code: 'workflow_failed',
  message: 'the workflow ended without ending the run',
};

export interface ReconcileDeps {
  pool: Pool;
  workflows: WorkflowClient;
  startDispatch: StartDispatch;
  logger: Logger;
  idleSeconds?: number;
}

/** One pass. Returns how many dispatches it had to look at. */
export function createReconcile(deps: ReconcileDeps): () => Promise<number> {
  return async function reconcile() {
    const stale = await leaseStaleDispatches(deps.pool, deps.idleSeconds ?? IDLE_SECONDS, LEASED_AT_ONCE);
    for (const dispatchId of stale) await reconcileOne(deps, dispatchId);
    return stale.length;
  };
}

/** Calls `reconcile` on a plain timer until stopped; a failing pass is logged and tried again. */
export function startReconciler(reconcile: () => Promise<number>, logger: Logger): { stop(): Promise<void> } {
  let running = Promise.resolve();
  const timer = setInterval(() => {
    running = running
      .then(reconcile)
      .then(() => undefined)
      .catch((error: unknown) => logger.warn({ err: error }, 'reconciling failed and is tried again'));
  }, INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

async function reconcileOne(deps: ReconcileDeps, dispatchId: string): Promise<void> {
  const status = await workflowStatus(deps.workflows, dispatchId);
  if (status === 'RUNNING') return;
  if (status === null) {
    deps.logger.info({ dispatch_id: dispatchId }, 'starting a dispatch that has no workflow');
    await deps.startDispatch(dispatchId);
    return;
  }
  const again = await closeByForce(deps, dispatchId, status);
  if (again) await deps.startDispatch(again);
}

async function workflowStatus(workflows: WorkflowClient, workflowId: string): Promise<string | null> {
  try {
    return (await workflows.getHandle(workflowId).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Ends the rows of a workflow that was ended by force; what has no row yet goes on in a new dispatch, whose id is returned. */
async function closeByForce(deps: ReconcileDeps, dispatchId: string, status: string): Promise<string | null> {
  return transaction(deps.pool, async (client) => {
    const { code, message } = ERROR_OF_STATUS[status] ?? OTHER_END;
    const failed = await failRunningRuns(client, dispatchId, {
      code,
      message,
      details: { workflow_id: dispatchId },
    });
    const members = await listMembersWithoutRun(client, dispatchId);
    await closeDispatch(client, dispatchId);
    deps.logger.warn(
      { dispatch_id: dispatchId, status, failed: failed.length, dispatched_again: members.length },
      'closed a dispatch by force',
    );
    if (members.length === 0) return null;
    const again = randomUUID();
    await insertDispatch(client, { dispatch_id: again, members });
    await moveDecisions(client, dispatchId, members, again);
    return again;
  });
}
