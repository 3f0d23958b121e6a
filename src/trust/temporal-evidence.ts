/** What Temporal says of a tick: its schedule started the workflow for that time, and it completed. */
import { createHash } from 'node:crypto';
import {
  type WorkflowClient,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { TickRun } from '../store/tick-evidence.ts';
import type { EvidenceItem } from './evidence.ts';

export interface TickWorkflow {
  is_open: boolean;
  item: EvidenceItem;
}

/** Rejects where Temporal does not answer. */
export async function lookAtWorkflow(workflows: WorkflowClient, tick: TickRun): Promise<TickWorkflow> {
  const workflow_id = tick.scheduled_workflow_id ?? tick.dispatch_id;
  const found = await describeOfTick(workflows, workflow_id, tick.first_workflow_run_id);
  if (!found) {
    const detail = `Temporal does not know the workflow ${workflow_id}`;
    return { is_open: false, item: { ok: false, detail, facts: { workflow_id } } };
  }
  const start = found.typedSearchAttributes.get({ name: 'TemporalScheduledStartTime', type: 'DATETIME' });
  const facts = {
    workflow_id,
    workflow_run_id: found.runId,
    status: found.status.name,
    scheduled_start: start?.toISOString() ?? null,
    closed_at: found.closeTime?.toISOString() ?? null,
    history_length: found.historyLength,
    history_sha256: await historyHash(workflows, workflow_id, found.runId),
  };
  const fault = faultOf(found, start, tick);
  const detail = fault ?? `completed at ${facts.closed_at} with ${facts.history_length} events`;
  return { is_open: found.closeTime === undefined, item: { ok: fault === null, detail, facts } };
}

function faultOf(
  { status }: WorkflowExecutionDescription,
  start: Date | undefined,
  { scheduled_for }: TickRun,
): string | null {
  if (status.name !== 'COMPLETED') return `the workflow is ${status.name}`;
  if (!start) return 'no schedule started the workflow';
  if (start.getTime() === Date.parse(scheduled_for)) return null;
  return `its schedule started the workflow for ${start.toISOString()}`;
}

/** A backfill runs a tick's workflow id again; a reset goes on under the same first run. */
async function describeOfTick(
  workflows: WorkflowClient,
  workflowId: string,
  firstRunId: string | null,
): Promise<WorkflowExecutionDescription | null> {
  const latest = await describe(workflows, workflowId);
  if (!latest || firstRunId === null) return latest;
  if (latest.raw.workflowExecutionInfo?.firstRunId === firstRunId) return latest;
  return describe(workflows, workflowId, firstRunId);
}

async function describe(
  workflows: WorkflowClient,
  workflowId: string,
  runId?: string,
): Promise<WorkflowExecutionDescription | null> {
  try {
    return await workflows.getHandle(workflowId, runId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Of the numbers and types of its events: it holds no data, and tells two histories apart. */
async function historyHash(workflows: WorkflowClient, workflowId: string, runId: string): Promise<string> {
  const { events } = await workflows.getHandle(workflowId, runId).fetchHistory();
  const shape = (events ?? []).map(({ eventId, eventType }) => `${eventId} ${eventType}`).join('\n');
  return createHash('sha256').update(shape).digest('hex');
}
