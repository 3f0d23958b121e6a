/** Waiting at the start for what is away, until it comes or the stop does. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../telemetry/logger.ts';

const RETRY_MS = 200;
const NEWS_MS = 2_000;

export interface Waiting {
  /** What the start waits for at this moment. */
  reason(): string;
  /** Tries until it succeeds; false where the stop came first. */
  until(what: string, work: () => Promise<void>): Promise<boolean>;
}

export function createWaiting(stopping: AbortSignal, logger: Logger): Waiting {
  let reason = 'starting';
  return {
    reason: () => reason,
    async until(what, work) {
      const since = performance.now();
      for (let told = ''; !stopping.aborted; ) {
        try {
          await work();
          return !stopping.aborted;
        } catch (error) {
          reason = `waiting for ${what}: ${(error as Error).message || String(error)}`;
          // A moment's wait is no news; what lasts is told once for each reason.
          if (performance.now() - since > NEWS_MS && told !== reason) {
            logger.warn({ err: error }, `waiting for ${what}`);
            told = reason;
          }
          await sleep(RETRY_MS, undefined, { signal: stopping }).catch(() => undefined);
        }
      }
      return false;
    },
  };
}
