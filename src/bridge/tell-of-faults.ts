/** What of a batch somebody may look for in the log, by its ids. Bounded: a publisher that errs sends thousands. */
import { tellOfFailedRuns } from '../telemetry/failed-runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Refused } from './decode.ts';
import { idOf } from './known-fates.ts';
import type { Recorded } from './write-record.ts';

const NAMED = 20;

export function tellOfFaults(logger: Logger, { decisions, quarantined }: Recorded): void {
  const failed = decisions.flatMap(({ outcome, run_id, definition_id, event_uid }) =>
    outcome === 'filter_error' && run_id ? [{ run_id, definition_id, event_uid, code: outcome }] : [],
  );
  tellOfFailedRuns(logger, failed);
  if (quarantined.length > 0) logger.warn(idsOf(quarantined), 'messages are quarantined');
}

function idsOf(quarantined: Refused[]) {
  const named = quarantined.slice(0, NAMED);
  return {
    count: quarantined.length,
    reasons: [...new Set(quarantined.map(({ reason }) => reason))],
    quarantine_ids: named.map(idOf),
    event_uids: named.flatMap(({ event_uid }) => event_uid ?? []),
    stream_seqs: named.map(({ message }) => message.stream_seq),
  };
}
