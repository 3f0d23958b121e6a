import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowCancellationType,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  proxyLocalActivities,
  startChild,
  TemporalFailure,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow';
import {
  type ActivityRunInput,
  COLLECT_EVIDENCE,
  type DispatchInput,
  EMIT_TASKS,
  emissionWorkflowId,
  evidenceWorkflowId,
  type LocalActivities,
  type ModelActivities,
  modelTaskQueue,
  type RemoteActivities,
  type ScheduledRunInput,
} from './contract.ts';

// PostgreSQL being away delays a run and never fails it: transient failures are retried for as long as they last,
// and what cannot succeed is thrown as non-retryable.
const { admit, prepare, close } = proxyLocalActivities<LocalActivities>({
  startToCloseTimeout: '1 minute',
  localRetryThreshold: '30 seconds',
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

// How long a remote source or a model is asked again is the activity's to say: it fails the run itself, with the reason. A
// slow model may take minutes for each of its answers; a dead worker is noticed by its heartbeat.
const REMOTE = {
  startToCloseTimeout: '3 hours',
  heartbeatTimeout: '30 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '20 seconds' },
} as const;
const { prepareRemote } = proxyActivities<RemoteActivities>(REMOTE);

/** Runs one dispatch: every member gets its run, decided on its own, in one transaction (architecture, "The flow"). */
export async function ActivityRun(input: ActivityRunInput): Promise<void> {
  const dispatch = 'dispatch_id' in input ? input : await admitScheduled(input);
  if ((await decide(dispatch)) === 'emit') {
    await startAbandoned(EMIT_TASKS, emissionWorkflowId(dispatch.dispatch_id), dispatch);
  }
}

async function decide({ dispatch_id }: DispatchInput): Promise<'emit' | undefined> {
  try {
    const next = await prepare({ dispatch_id });
    if (next === 'remote') return await prepareRemote({ dispatch_id });
    if (next === 'model') return await onModelQueue().prepareRemote({ dispatch_id });
    return next;
  } catch (error) {
    // An operator's cancellation is recorded by the reconciler, which knows it from the workflow's status.
    if (isCancellation(error)) throw error;
    await close({ dispatch_id, code: failureCode(error) });
    throw error;
  }
}

const onModelQueue = () =>
  proxyActivities<ModelActivities>({ ...REMOTE, taskQueue: modelTaskQueue(workflowInfo().taskQueue) });

/** Of an error that the package does not export. */
const ALREADY_STARTED = 'WorkflowExecutionAlreadyStartedError';

/** It outlives this workflow: with a slow issue-core no later tick is skipped. */
async function startAbandoned(type: string, workflowId: string, dispatch: DispatchInput): Promise<void> {
  const { dispatch_id } = dispatch;
  try {
    await startChild(type, {
      workflowId,
      args: [{ dispatch_id }],
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
    });
  } catch (error) {
    // A reset of this workflow, or the reconciler, has started it before.
    if (!(error instanceof TemporalFailure) || error.name !== ALREADY_STARTED) throw error;
  }
}

async function admitScheduled(input: ScheduledRunInput): Promise<DispatchInput> {
  const { workflowId, firstExecutionRunId, startTime, typedSearchAttributes } = workflowInfo();
  const nominal = typedSearchAttributes.get({ name: 'TemporalScheduledStartTime', type: 'DATETIME' });
  const { dispatch_id, is_tick } = await admit({
    ...input,
    scheduled_for: (nominal ?? startTime).toISOString(),
    workflow_id: workflowId,
    first_workflow_run_id: firstExecutionRunId,
    workflow_started_at: startTime.toISOString(),
  });
  // Before anything can go wrong with the run: what went wrong is evidence too.
  if (is_tick) await startAbandoned(COLLECT_EVIDENCE, evidenceWorkflowId(dispatch_id), { dispatch_id });
  return { dispatch_id };
}

function failureCode(error: unknown): string {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type ? cause.type : 'workflow_failed';
}
