/** What came in and what was recorded of it, in the words that both sides of a backtest are compared in. */
import type { RecordedEvent, RecordedRun, RecordedTick } from '../clients/activity-core-api-backtest.ts';
import type { Envelope } from '../core/envelope.ts';
import { eventTriggerKey, scheduleTriggerKey } from '../core/trigger.ts';

/** An event or a tick. */
export interface Input {
  /** When it was received, or was due. */
  at: string;
  /** Of its first run. */
  trigger_key: string;
  event_uid: string | null;
  event: Envelope | null;
  scheduled_for: string | null;
  recorded: Recorded;
}

export interface Recorded {
  /**
   * `completed`, or the code that it failed with; `filtered`, `filter_error`; `held`, `discarded`: the filter let it
   * through; `not_decided`: there was nothing to decide it; others say why there is nothing to compare with.
   */
  outcome: string;
  /** `filter`: it never ran, so nothing but what its filter said. */
  compares: 'whole' | 'filter' | 'no';
  definition_hash: string | null;
  /** As the ledger has it: the filter, or why it was held. */
  reason: string | null;
  run: RecordedRun | null;
}

/** Faults of sending, after all was decided. */
const AFTER_DECIDING = new Set([
  'task_rejected',
  'tasks_discarded',
  'sink_unauthorized',
  'sink_disabled',
  'sink_unavailable',
]);
/** Faults of the moment or of the machine: the same input says nothing about the definition. */
const NEVER_DECIDED = new Set([
  'worker_crashed',
  'workflow_terminated',
  'workflow_cancelled',
  'workflow_timed_out',
  'workflow_failed',
  'internal_error',
  'unstorable',
  'definition_disabled',
  'started_too_late',
  'event_missing',
]);

export const NOT_DECIDED: Recorded = {
  outcome: 'not_decided',
  compares: 'whole',
  definition_hash: null,
  reason: null,
  run: null,
};

export function inputOfEvent({ event_uid, received_at, envelope, decision, run }: RecordedEvent): Input {
  const input = { at: received_at, event_uid, event: envelope, scheduled_for: null };
  return { ...input, trigger_key: eventTriggerKey(event_uid), recorded: recordedEvent(decision, run) };
}

export function inputOfTick({ scheduled_for, outcome, reason, run }: RecordedTick): Input {
  const recorded: Recorded =
    outcome === 'fired' ? { ...ofRun(run), reason } : { ...NOT_DECIDED, outcome, compares: 'no', reason };
  return { ...tickAt(scheduled_for), recorded };
}

/** A time at which the file's schedule would be due, and nothing was. */
export function tickAt(scheduled_for: string): Input {
  const trigger_key = scheduleTriggerKey(scheduled_for);
  return {
    ...{ at: scheduled_for, trigger_key, event_uid: null, event: null, scheduled_for },
    recorded: NOT_DECIDED,
  };
}

function recordedEvent(decision: RecordedEvent['decision'], run: RecordedRun | null): Recorded {
  if (!decision) return NOT_DECIDED;
  const { outcome, definition_hash, reason } = decision;
  if (outcome === 'held' || outcome === 'discarded')
    return { outcome, compares: 'filter', definition_hash, reason, run: null };
  // Its failed run may have been retried since.
  if (run) return { ...ofRun(run), reason };
  const compares = outcome === 'fired' ? 'no' : 'whole';
  return { outcome: outcome === 'fired' ? 'no_run' : outcome, compares, definition_hash, reason, run };
}

function ofRun(run: RecordedRun | null): Recorded {
  if (!run) return { ...NOT_DECIDED, outcome: 'no_run', compares: 'no' };
  const outcome = outcomeOf(run);
  const compares =
    outcome === 'running' || outcome === 'missed' || NEVER_DECIDED.has(outcome) ? 'no' : 'whole';
  return { outcome, compares, definition_hash: run.definition_hash, reason: null, run };
}

function outcomeOf({ status, error, has_context }: RecordedRun): string {
  if (status === 'running') return has_context ? 'completed' : 'running';
  // A retry, which asks the filter again, and was refused by it.
  if (status === 'completed') return has_context ? 'completed' : 'filtered';
  if (status !== 'failed' || !error) return status;
  if (AFTER_DECIDING.has(error.code)) return 'completed';
  return NEVER_DECIDED.has(error.code) && error.code !== 'unstorable' && has_context
    ? 'completed'
    : error.code;
}
