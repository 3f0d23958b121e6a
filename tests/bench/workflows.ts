import { proxyActivities } from '@temporalio/workflow';
import type { EventActivities } from './event-activities.ts';

export async function noOp(): Promise<void> {
  await Promise.resolve();
}

const { resolveAndEvaluate, insert } = proxyActivities<EventActivities>({ startToCloseTimeout: '1 minute' });

/** What a typical implementation does for each event. */
export async function handleEvent(received: string): Promise<void> {
  await insert(await resolveAndEvaluate(received));
}
