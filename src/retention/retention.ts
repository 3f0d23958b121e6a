/** What is old is deleted at the start and then hourly, by one replica at a time; in every process with the role `subscriber`. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../telemetry/logger.ts';
import type { DeleteExpired } from './delete-expired.ts';

/** How soon a pass that is due, or was left unfinished by a replica that died, is begun. */
const LOOK_EVERY_MS = 60_000;

/** `stop` waits for the batch that is under way. */
export function startRetention(deleteExpired: DeleteExpired, logger: Logger): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function keepDeleting(): Promise<void> {
    // The periods may have changed with the start.
    for (let evenIfNotDue = true; !signal.aborted; evenIfNotDue = false) {
      await deleteExpired(signal, { evenIfNotDue }).catch((error: unknown) =>
        logger.warn({ err: error }, 'not all that is old could be deleted; it is tried again'),
      );
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  const deleting = keepDeleting();
  return {
    async stop() {
      stopping.abort();
      await deleting;
    },
  };
}
