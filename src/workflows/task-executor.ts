import { ApplicationFailure } from '@temporalio/workflow';

/**
 * Compatibility stub, not for production (M12, docs/conventions.md): the name stays registered so that an old starter
 * gets an answer that says where execution belongs, and a workflow id so that repeating the start makes nothing twice.
 * activity-core never executes tasks. Nothing may depend on this workflow or on `task_instances`.
 */
export async function TaskExecutorWorkflow(): Promise<never> {
  throw ApplicationFailure.nonRetryable(
    'activity-core does not execute tasks; issue-core owns their life',
    'not_executed_here',
  );
}
