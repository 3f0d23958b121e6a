/** What came in and what was recorded of it, in the words that both sides of a backtest are compared in. */
import type { RecordedEvent, RecordedRun, RecordedTick } from '../clients/activity-core-api-backtest.ts';
import type { RunError } from '../core/decision.ts';
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
  /**
   * `filter`: it never ran, so only whether the file's filter refuses it. `failure`: what it would have made is not known, so
   * only whether the file refuses or fails it.
   */
  compares: 'whole' | 'filter' | 'failure' | 'no';
  definition_hash: string | null;
  /** As the ledger has it: the filter, or why it was held. */
  reason: string | null;
  /** The newest of its chain of retries that decided, with the specs of that decision; else the newest. */
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

/** A source or a model that did not answer leaves the decision open too. */
const WITHOUT_DECISION = new Set([
  ...NEVER_DECIDED,
  'running',
  'missed',
  'resolver_failed',
  'instruction_failed',
]);

export const NOT_DECIDED: Recorded = {
  outcome: 'not_decided',
  compares: 'whole',
  definition_hash: null,
  reason: null,
  run: null,
};

export function inputOfEvent({ event_uid, received_at, envelope, decision, runs }: RecordedEvent): Input {
  const input = { at: received_at, event_uid, event: envelope, scheduled_for: null };
  return { ...input, trigger_key: eventTriggerKey(event_uid), recorded: recordedEvent(decision, runs) };
}

export function inputOfTick({ scheduled_for, outcome, reason, runs }: RecordedTick): Input {
  const recorded: Recorded =
    outcome === 'fired'
      ? { ...ofRun(newestDecided(runs)), reason }
      : { ...NOT_DECIDED, outcome, compares: 'no', reason };
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

function recordedEvent(decision: RecordedEvent['decision'], runs: RecordedRun[]): Recorded {
  if (!decision) return NOT_DECIDED;
  const { outcome, definition_hash, reason } = decision;
  if (outcome === 'held' || outcome === 'discarded')
    return { outcome, compares: 'filter', definition_hash, reason, run: null };
  // Its failed run may have been retried since.
  const run = newestDecided(runs);
  if (run) return { ...ofRun(run), reason };
  const compares = outcome === 'fired' ? 'no' : 'whole';
  return { outcome: outcome === 'fired' ? 'no_run' : outcome, compares, definition_hash, reason, run };
}

/** Specs that a later decision did not make again were left behind with the run of the earlier one. */
function newestDecided(runs: RecordedRun[]): RecordedRun | null {
  const hasDecided = (run: RecordedRun) => !WITHOUT_DECISION.has(outcomeOf(run));
  return runs.findLast(hasDecided) ?? runs.at(-1) ?? null;
}

function ofRun(run: RecordedRun | null): Recorded {
  if (!run) return { ...NOT_DECIDED, outcome: 'no_run', compares: 'no' };
  const outcome = outcomeOf(run);
  return { outcome, compares: comparesOf(outcome), definition_hash: run.definition_hash, reason: null, run };
}

function comparesOf(outcome: string): Recorded['compares'] {
  if (outcome === 'instruction_failed') return 'failure';
  return outcome !== 'resolver_failed' && WITHOUT_DECISION.has(outcome) ? 'no' : 'whole';
}

function outcomeOf({ status, error, has_context }: RecordedRun): string {
  if (status === 'running') return has_context ? 'completed' : 'running';
  // A retry, which asks the filter again, and was refused by it.
  if (status === 'completed') return has_context ? 'completed' : 'filtered';
  if (status !== 'failed' || !error) return status;
  if (AFTER_DECIDING.has(error.code) || (error.code === 'report_failed' && couldNotBeFiled(error)))
    return 'completed';
  return NEVER_DECIDED.has(error.code) && error.code !== 'unstorable' && has_context
    ? 'completed'
    : error.code;
}

/** One that cannot be rendered is never tried. */
function couldNotBeFiled({ details: { reports } }: RunError): boolean {
  if (!Array.isArray(reports)) return false;
  return reports.every(
    (one) => typeof one === 'object' && one !== null && !Array.isArray(one) && Number(one.attempts) > 0,
  );
}
