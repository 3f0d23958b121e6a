import { proxyActivities } from '@temporalio/workflow';
import type { DispatchInput, RemoteActivities } from './contract.ts';

const { collectEvidence } = proxyActivities<RemoteActivities>({
  startToCloseTimeout: '2 minutes',
  // Without end: when to give up is the activity's to say, which then stores what there is.
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 1.5, maximumInterval: '30 seconds' },
});

/** Keeps what can be found out about a tick. A workflow of its own: the tick's must be closed for that. */
export async function CollectEvidence({ dispatch_id }: DispatchInput): Promise<void> {
  await collectEvidence({ dispatch_id });
}
