/** Accepted events × the definitions that they trigger → one decision each. */
import type { RunError } from '../core/decision.ts';
import { runId } from '../core/ids.ts';
import { matchEvent } from '../core/match.ts';
import { eventTriggerKey } from '../core/trigger.ts';
import type { ActiveDefinition, Registry } from '../definitions/applied-registry.ts';
import type { DispatchMember } from '../store/dispatches.ts';
import type { EventDecision } from '../store/event-decisions.ts';
import type { Candidate } from './decode.ts';

/** A run that failed before there was anything to run. */
export interface FilterFailure {
  candidate: Candidate;
  definition: ActiveDefinition;
  run_id: string;
  error: RunError;
}

export interface Matched {
  decisions: EventDecision[];
  /** Those decided as `fired`, with the decision that gets the dispatch's id. */
  fired: {
    member: DispatchMember & { event_uid: string };
    decision: EventDecision;
    definition: ActiveDefinition;
    /** Of the message: a measure of what its run will keep. */
    bytes: number;
  }[];
  filterFailures: FilterFailure[];
  /** Events that no enabled definition is triggered by. */
  unmatched: Set<string>;
}

export function matchEvents(candidates: Candidate[], registry: Registry): Matched {
  const matched: Matched = { decisions: [], fired: [], filterFailures: [], unmatched: new Set() };
  for (const candidate of candidates) {
    const definitions = registry.triggeredBy(candidate.envelope.type);
    if (definitions.length === 0) matched.unmatched.add(candidate.event_uid);
    for (const definition of definitions) decide(candidate, definition, matched);
  }
  return matched;
}

function decide(candidate: Candidate, definition: ActiveDefinition, matched: Matched): void {
  const { event_uid, envelope } = candidate;
  const { definition_id, definition_hash } = definition;
  const run_id = runId(definition_id, eventTriggerKey(event_uid));
  // A revision that cannot be compiled here fires all the same: its run fails and says why, where `filtered` would hide it.
  const match = definition.compiled
    ? matchEvent(definition.compiled, envelope)
    : { outcome: 'matched' as const, values: {} };
  const decision: EventDecision = {
    event_uid,
    definition_id,
    definition_hash,
    outcome: 'fired',
    reason: null,
    values: match.values,
    run_id: null,
    dispatch_id: null,
  };
  matched.decisions.push(decision);
  if (match.outcome === 'filtered') {
    decision.outcome = 'filtered';
    decision.reason = match.expression;
  } else if (match.outcome === 'filter_error') {
    const details = { expression: match.expression, values: match.values };
    const error: RunError = { code: 'filter_error', message: match.message, details };
    Object.assign(decision, { outcome: 'filter_error', reason: match.message, run_id });
    matched.filterFailures.push({ candidate, definition, run_id, error });
  } else if (definition.paused) {
    decision.outcome = 'held';
    decision.reason = definition.pause_reason;
  } else {
    decision.run_id = run_id;
    matched.fired.push({
      member: { run_id, definition_id, definition_hash, event_uid },
      decision,
      definition,
      bytes: candidate.message.bytes.byteLength,
    });
  }
}
