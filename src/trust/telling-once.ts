import { isTransient } from '../store/failure.ts';
import type { Logger } from '../telemetry/logger.ts';

/** Never rejects. A failure is told once, until it is another one or is over. */
export function tellingOnce(pass: () => Promise<void>, logger: Logger, message: string): () => Promise<void> {
  let told: string | null = null;
  return async () => {
    try {
      await pass();
      told = null;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (told !== reason) tell(logger, error, message);
      told = reason;
    }
  };
}

/** What passes by itself is a warning. Anything else is not: an alarm that cannot go off must be loud about it. */
function tell(logger: Logger, error: unknown, message: string): void {
  if (isTransient(error)) logger.warn({ err: error }, message);
  else logger.error({ err: error }, message);
}
