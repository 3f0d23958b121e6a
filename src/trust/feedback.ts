/** Feedback goes to State Hub at once and then on a plain timer, for as long as State Hub has not accepted all of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from '../store/pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ProgressSink } from './breach-progress.ts';
import { createReportFeedback } from './report-feedback.ts';
import { tellingOnce } from './telling-once.ts';

const INTERVAL_MS = 5_000;

export interface FeedbackReportsDeps {
  pool: Pool;
  /** State Hub; null where STATE_HUB_URL is not set: feedback is on record here only then. */
  progress: ProgressSink | null;
  logger: Logger;
}

/** `stop` waits for what is under way. */
export function startFeedbackReports(deps: FeedbackReportsDeps): { stop(): Promise<void> } {
  const { pool, progress, logger } = deps;
  if (!progress) return { stop: async () => undefined };
  const stopping = new AbortController();
  const { signal } = stopping;
  const reportFeedback = createReportFeedback({ pool, progress });
  const report = tellingOnce(
    () => reportFeedback(signal),
    (error) => logger.warn({ err: error }, 'State Hub could not be told of feedback; it is tried again'),
  );

  async function keepReporting(): Promise<void> {
    while (!signal.aborted) {
      await report();
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  const reporting = keepReporting();
  return {
    async stop() {
      stopping.abort();
      await reporting;
    },
  };
}
