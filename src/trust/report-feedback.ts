/** Tells State Hub of each feedback, until it has accepted it once. */
import type { Pool } from '../store/pool.ts';
import { leaseUnpostedFeedback, markFeedbackPosted, returnUnpostedFeedback } from '../store/run-feedback.ts';
import type { ProgressSink } from './breach-progress.ts';
import { feedbackProgress } from './feedback-progress.ts';

/** Longer than a post takes: one that died on the way is made again by the next. */
const LEASE_SECONDS = 60;

export interface ReportFeedbackDeps {
  pool: Pool;
  progress: ProgressSink;
}

/** Posts what is due; rejects with the first failure, and what is left waits for the next call. */
export function createReportFeedback({
  pool,
  progress,
}: ReportFeedbackDeps): (signal?: AbortSignal) => Promise<void> {
  return async function reportFeedback(signal) {
    while (!signal?.aborted) {
      const feedback = await leaseUnpostedFeedback(pool, LEASE_SECONDS);
      if (!feedback) return;
      try {
        await progress.postProgress(feedbackProgress(feedback));
        await markFeedbackPosted(pool, feedback.feedback_id);
      } catch (error) {
        await returnUnpostedFeedback(pool, feedback.feedback_id);
        throw error;
      }
    }
  };
}
