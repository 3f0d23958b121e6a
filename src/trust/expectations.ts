/** Silence is an alarm: expectations are watched at once and then on a plain timer, whatever else is away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isTransient } from '../store/failure.ts';
import type { Pool } from '../store/pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ProgressSink } from './breach-progress.ts';
import { createReportBreaches } from './report-breaches.ts';
import { tellingOnce } from './telling-once.ts';
import { createWatchExpectations } from './watch-expectations.ts';

const INTERVAL_MS = 5_000;

export interface ExpectationsDeps {
  pool: Pool;
  /** State Hub; null where STATE_HUB_URL is not set: log, metric and readyz have the alarm then. */
  progress: ProgressSink | null;
  logger: Logger;
}

/** `stop` waits for what is under way. */
export function startExpectations({ pool, progress, logger }: ExpectationsDeps): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const watch = tellingOnce(
    createWatchExpectations({ pool, logger, forStateHub: progress !== null }),
    (error) => {
      // What passes by itself is a warning. Anything else is not: an alarm that cannot go off must be loud about it.
      const level = isTransient(error) ? 'warn' : 'error';
      logger[level]({ err: error }, 'expectations could not be watched; it is tried again');
    },
  );
  const reportBreaches = progress && createReportBreaches({ pool, progress });
  const report =
    reportBreaches &&
    tellingOnce(
      () => reportBreaches(signal),
      (error) =>
        logger.warn({ err: error }, 'State Hub could not be told of an expectation; it is tried again'),
    );
  let reporting: Promise<void> | null = null;

  async function keepWatching(): Promise<void> {
    while (!signal.aborted) {
      await watch();
      // Not awaited: a State Hub that hangs does not keep the next breach from being seen.
      if (report) {
        reporting ??= report().finally(() => {
          reporting = null;
        });
      }
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
    await reporting;
  }

  const watching = keepWatching();
  return {
    async stop() {
      stopping.abort();
      await watching;
    },
  };
}
