/** What every report says of its run, so that it is found again (contract 8). */
import type { ReportedRun } from './report-sink.ts';

export const RUN_IDENTITY = [
  'run_id',
  'definition_id',
  'definition_hash',
  'scheduled_for',
  'workflow_id',
  'review_required',
] as const;

export type RunIdentity = Pick<ReportedRun, (typeof RUN_IDENTITY)[number]>;

export function identityOf(run: ReportedRun): RunIdentity {
  const { run_id, definition_id, definition_hash, scheduled_for, workflow_id, review_required } = run;
  return { run_id, definition_id, definition_hash, scheduled_for, workflow_id, review_required };
}
