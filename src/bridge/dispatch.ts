/** Fired pairs → dispatches, and dispatches → workflows. */
import { randomUUID } from 'node:crypto';
import type { WorkflowClient, WorkflowStartOptions } from '@temporalio/client';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Definition } from '../core/definition.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import type { DispatchMember, NewDispatch } from '../store/dispatches.ts';
import {
  ACTIVITY_RUN,
  type ActivityRunInput,
  type DispatchInput,
  EMIT_TASKS,
  emissionWorkflowId,
} from '../workflows/contract.ts';

/** One transaction commits a dispatch: it is bounded in rows, and in bytes because each run keeps what it read. */
const MAX_MEMBERS = 500;
const MAX_BYTES = 8 * 1024 * 1024;

/** An event and a definition that it fires. */
export interface FiredPair {
  member: DispatchMember;
  /** Gets the id of its dispatch. */
  decision: { dispatch_id: string | null };
  definition: { definition: Definition };
  bytes: number;
}

/** Pairs whose definition decides at once share a dispatch; each of the others gets a workflow of its own. */
export function composeDispatches(fired: readonly FiredPair[], resolvers: Resolvers): NewDispatch[] {
  const dispatches: NewDispatch[] = [];
  let shared: NewDispatch | null = null;
  let sharedBytes = 0;
  for (const { member, decision, definition, bytes } of fired) {
    const isShared: boolean = decidesAtOnce(definition, resolvers);
    let dispatch: NewDispatch | null = isShared ? shared : null;
    if (!dispatch || dispatch.members.length >= MAX_MEMBERS || sharedBytes + bytes > MAX_BYTES) {
      dispatch = { dispatch_id: randomUUID(), members: [], alone: !isShared, queued: !isShared };
      dispatches.push(dispatch);
      if (isShared) [shared, sharedBytes] = [dispatch, 0];
    }
    if (isShared) sharedBytes += bytes;
    dispatch.members.push(member);
    decision.dispatch_id = dispatch.dispatch_id;
  }
  return dispatches;
}

/** What of these is to be started after the commit. */
export interface ToStart {
  /** In this order. */
  dispatch_ids: string[];
  /** The definitions of those that are queued: as many as may be at work are to be taken. */
  queued_definitions: string[];
}

export function toStart(dispatches: readonly NewDispatch[]): ToStart {
  const { queued = [], atOnce = [] } = Object.groupBy(dispatches, (one) =>
    one.queued ? 'queued' : 'atOnce',
  );
  return {
    dispatch_ids: atOnce.map(({ dispatch_id }) => dispatch_id),
    queued_definitions: [
      ...new Set(queued.flatMap(({ members }) => members.map(({ definition_id }) => definition_id))),
    ],
  };
}

export type StartDispatch = (dispatchId: string) => Promise<void>;

export function createStartDispatch(workflows: WorkflowClient, taskQueue: string): StartDispatch {
  return (dispatchId) =>
    startOnce(workflows, ACTIVITY_RUN, {
      workflowId: dispatchId,
      taskQueue,
      args: [{ dispatch_id: dispatchId } satisfies ActivityRunInput],
      // The worker in this process gets the first task with the answer: one round trip less.
      requestEagerStart: true,
    });
}

/** Sends the specs of a dispatch that is prepared: the workflow that prepared it does this, and whoever finds it undone. */
export type StartEmission = (dispatchId: string) => Promise<void>;

export function createStartEmission(workflows: WorkflowClient, taskQueue: string): StartEmission {
  return (dispatchId) =>
    startOnce(workflows, EMIT_TASKS, {
      workflowId: emissionWorkflowId(dispatchId),
      taskQueue,
      args: [{ dispatch_id: dispatchId } satisfies DispatchInput],
    });
}

/** Idempotent: a workflow that was started before, also one that is closed, is a success. */
async function startOnce(
  workflows: WorkflowClient,
  type: string,
  options: WorkflowStartOptions,
): Promise<void> {
  try {
    await workflows.start(type, { ...options, workflowIdReusePolicy: 'REJECT_DUPLICATE' });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/** Its runs need nothing from elsewhere: `prepare` is all of them. */
export function decidesAtOnce({ definition }: FiredPair['definition'], resolvers: Resolvers): boolean {
  if (definition.instructions.length > 0 || definition.reports.length > 0) return false;
  return definition.context_sources.every(({ type }) => resolvers.get(type)?.io === 'local');
}
