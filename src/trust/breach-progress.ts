/** What State Hub is told of a breach and of its healing (contract 8). The same breach gives the same words each time. */
import type { Breach, HealedBreach, HealedBy } from '../store/expectation-breaches.ts';

/** Where progress goes: State Hub's client. Posting a known `idempotency_key` again changes nothing there. */
export interface ProgressSink {
  postProgress(progress: Progress): Promise<unknown>;
}

export interface Progress {
  event_type: 'activity_expectation_breached' | 'activity_expectation_healed' | 'daily_triage_calibration';
  summary: string;
  detail: Record<string, string | null>;
  author: 'activity-core';
  idempotency_key: string;
}

export function breachProgress(breach: Breach): Progress {
  const { definition_id, run_every, last_completed_at, since } = breach;
  return {
    event_type: 'activity_expectation_breached',
    summary: `${definition_id} has completed no run for more than ${run_every}: ${lastSeen(breach)}`,
    detail: { definition_id, run_every, last_completed_at, since, noticed_at: breach.noticed_at },
    author: 'activity-core',
    idempotency_key: keyOf(breach, 'breached'),
  };
}

export function healingProgress(breach: HealedBreach): Progress {
  const { definition_id, run_every, since, healed_at, healed_by, completed_at } = breach;
  return {
    event_type: 'activity_expectation_healed',
    summary: `${definition_id} ${WORDS[healed_by]}${completed_at ? ` at ${completed_at}` : ''}; it was late since ${since}`,
    detail: {
      definition_id,
      run_every,
      last_completed_at: completed_at ?? breach.last_completed_at,
      since,
      healed_at,
      healed_by,
    },
    author: 'activity-core',
    idempotency_key: keyOf(breach, 'healed'),
  };
}

const WORDS: Record<HealedBy, string> = {
  run_completed: 'has completed a run again',
  definition_enabled: 'was disabled and enabled again, and is counted anew',
  definition_disabled: 'was disabled and is not expected to run any more',
  definition_removed: 'was removed and is not expected to run any more',
  expectation_changed: 'is expected less often now and is not late any more',
  expectation_removed: 'has no expectation any more',
};

function lastSeen({ last_completed_at, counted_from }: Breach): string {
  if (last_completed_at === null) return `none completed since it was enabled at ${counted_from}`;
  const last = `the last one completed at ${last_completed_at}`;
  return counted_from === last_completed_at ? last : `${last}, and it was enabled again at ${counted_from}`;
}

// With the time: a database that starts anew numbers its breaches from 1 again.
const keyOf = ({ definition_id, noticed_at }: Breach, what: 'breached' | 'healed'): string =>
  `activity-core:expectation:${definition_id}:${noticed_at}:${what}`;
