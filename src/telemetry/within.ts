/** An answer in time, or none: whoever tells how things go does not wait for what hangs. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Rejects with `message` where `work` takes longer. */
export async function within<T>(boundMs: number, message: string, work: () => Promise<T>): Promise<T> {
  const bound = new AbortController();
  const late = sleep(boundMs, undefined, { signal: bound.signal }).then(() =>
    Promise.reject(new Error(message)),
  );
  late.catch(() => undefined);
  try {
    return await Promise.race([work(), late]);
  } finally {
    bound.abort();
  }
}
