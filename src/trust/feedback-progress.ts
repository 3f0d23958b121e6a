/** What State Hub is told of calibration feedback (contract 8). The same feedback gives the same words each time. */
import type { UnpostedFeedback } from '../store/run-feedback.ts';
import type { Progress } from './breach-progress.ts';

export function feedbackProgress(feedback: UnpostedFeedback): Progress {
  const { feedback_id, run_id, definition_id, definition_hash, scheduled_for, verdict } = feedback;
  const { note, requested_by, at } = feedback;
  const run = `run ${run_id} of ${definition_id}${scheduled_for ? ` for ${scheduled_for}` : ''}`;
  return {
    event_type: 'daily_triage_calibration',
    summary: `${run} was ${verdict}`,
    detail: { run_id, definition_id, definition_hash, scheduled_for, verdict, note, requested_by, at },
    author: 'activity-core',
    // With the time: a database that starts anew numbers its feedback from 1 again.
    idempotency_key: `activity-core:feedback:${run_id}:${feedback_id}:${at}`,
  };
}
