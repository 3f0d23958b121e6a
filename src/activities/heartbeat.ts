/** What an ordinary activity does that may take long: it beats, so that a dead worker is noticed early and a slow answer is not. */
import { Context } from '@temporalio/activity';

/** `signal`: the activity is cancelled, or its worker shuts down. */
export async function withHeartbeat<T>(
  intervalMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  context.heartbeat();
  const beating = setInterval(() => context.heartbeat(), intervalMs);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(beating);
  }
}
