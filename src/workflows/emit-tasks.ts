import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import {
  type DispatchInput,
  type EmissionActivities,
  emissionTaskQueue,
  type RemoteActivities,
} from './contract.ts';

const { report } = proxyActivities<RemoteActivities>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '30 seconds',
  // Without end: giving up is the activity's to say, as with `emit`.
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '20 seconds' },
});

/**
 * Sends what a dispatch has in the outbox, for as long as it takes, and files its reports after that. A workflow of its own: the one that decided is over by
 * then, and the next tick of its schedule is not held up (architecture, "The flow").
 */
export async function EmitTasks({ dispatch_id }: DispatchInput): Promise<void> {
  const { emit } = proxyActivities<EmissionActivities>({
    taskQueue: emissionTaskQueue(workflowInfo().taskQueue),
    startToCloseTimeout: '1 hour',
    heartbeatTimeout: '10 seconds',
    // Without end: giving up is the activity's to say, which ends the runs itself, with the reason.
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
  });
  if ((await emit({ dispatch_id })) === 'report') await report({ dispatch_id });
}
