import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { Activities, ActivityRunInput } from './contract.ts';

// PostgreSQL being away delays a run and never fails it: transient failures are retried for as long as they last,
// and what cannot succeed is thrown as non-retryable.
const { prepare, close } = proxyLocalActivities<Activities>({
  startToCloseTimeout: '1 minute',
  localRetryThreshold: '30 seconds',
  retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

/** Runs one dispatch: every member gets its run, decided on its own, in one transaction (architecture, "The flow"). */
export async function ActivityRun(input: ActivityRunInput): Promise<void> {
  try {
    await prepare(input);
  } catch (error) {
    // An operator's cancellation is recorded by the reconciler, which knows it from the workflow's status.
    if (isCancellation(error)) throw error;
    await close({ dispatch_id: input.dispatch_id, code: failureCode(error) });
    throw error;
  }
}

function failureCode(error: unknown): string {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type ? cause.type : 'workflow_failed';
}
