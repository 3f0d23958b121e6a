/**
 * When the workflow of a tick ended. Its run may have ended well before: a worker that is killed in between leaves the
 * workflow open, and with it whatever its schedule does about overlaps.
 */
import { type WorkflowClient, WorkflowNotFoundError } from '@temporalio/client';
import { scheduleIdOf } from './temporal-schedules.ts';

/** ms since 1970, infinite while it runs; null where Temporal does not know it any more. `time`: nominal, RFC 3339. */
async function workflowEnd(
  workflows: WorkflowClient,
  definitionId: string,
  time: string,
): Promise<number | null> {
  try {
    const { closeTime } = await workflows.getHandle(`${scheduleIdOf(definitionId)}-${time}`).describe();
    return closeTime?.getTime() ?? Number.POSITIVE_INFINITY;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Of each of these nominal times. */
export async function workflowEnds(
  workflows: WorkflowClient,
  definitionId: string,
  times: ReadonlySet<string>,
): Promise<Map<string, number>> {
  const ends = new Map<string, number>();
  for (const time of times) {
    const end = await workflowEnd(workflows, definitionId, time);
    if (end !== null) ends.set(time, end);
  }
  return ends;
}
