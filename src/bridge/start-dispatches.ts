/** What is recorded → its workflows, for everybody but the bridge: what cannot be started now, the reconciler starts later. */
import type { Pool } from '../store/pool.ts';
import { takeQueued } from '../store/queued-dispatches.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { StartDispatch } from './dispatch.ts';

/** Several in this order, until one cannot be started: then Temporal is away, and the reconciler starts the rest too. */
export async function startDispatches(
  deps: { startDispatch: StartDispatch; logger: Logger },
  dispatchIds: string[],
): Promise<void> {
  for (const dispatch_id of dispatchIds) {
    try {
      await deps.startDispatch(dispatch_id);
    } catch (error) {
      deps.logger.warn(
        { err: error, dispatch_id },
        'dispatches are recorded and their workflows start later',
      );
      return;
    }
  }
}

/** Starts those of these definitions whose turn it is. Never rejects. */
export type StartQueued = (definitionIds: readonly string[]) => Promise<void>;

export interface StartQueuedDeps {
  pool: Pool;
  startDispatch: StartDispatch;
  logger: Logger;
}

export function createStartQueued(deps: StartQueuedDeps): StartQueued {
  return async function startQueued(definitionIds) {
    try {
      await startDispatches(deps, await takeQueued(deps.pool, definitionIds));
    } catch (error) {
      deps.logger.warn({ err: error, definition_ids: definitionIds }, 'queued dispatches start later');
    }
  };
}
