import { setTimeout as pause } from 'node:timers/promises';

/** Resolves after this long, or at once when aborted. */
export async function abortablePause(ms: number, signal: AbortSignal): Promise<void> {
  await pause(Math.max(0, ms), undefined, { signal }).catch((error: Error) => {
    if (!signal.aborted) throw error;
  });
}
