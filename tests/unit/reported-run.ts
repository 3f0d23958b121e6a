/** A run that has something to report. */
import type { ReportedRun } from '../../src/reports/report-sink.ts';

export function reportedRun(more: Partial<ReportedRun> = {}): ReportedRun {
  return {
    run_id: '3f0c9a52-6f43-5a53-9c6a-8d5b2f6a7c10',
    definition_id: 'daily-triage',
    definition_hash: 'a'.repeat(64),
    title: 'Triage of the open work',
    scheduled_for: '2026-11-20T06:00:00Z',
    workflow_id: 'activity-core:daily-triage-2026-11-20T06:00:00Z',
    review_required: true,
    started_at: '2026-11-20T06:00:01.250Z',
    task_count: 2,
    instructions: {},
    ...more,
  };
}
