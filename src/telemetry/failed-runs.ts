/** Runs that failed, in the log: a line for each, so that its ids are found there; past a bound, only how many more. */
import type { Logger } from './logger.ts';

export interface FailedRun {
  run_id: string;
  definition_id: string;
  event_uid: string | null;
}

/** A rule that fails does so with each event, and 500 of them are one dispatch. */
const NAMED = 20;

export function tellOfFailedRuns(
  logger: Logger,
  failed: readonly (FailedRun & { code: string | undefined })[],
  of: { dispatch_id?: string } = {},
): void {
  for (const { run_id, definition_id, event_uid, code } of failed.slice(0, NAMED))
    logger.warn({ run_id, definition_id, event_uid, ...of, code }, 'a run failed');
  if (failed.length > NAMED)
    logger.warn({ ...of, more: failed.length - NAMED }, 'more runs failed together with these');
}
