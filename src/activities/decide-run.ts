/** One run, decided: filter (for retries), context, rules. Reads and computes; a dry run calls the same. */
import type { Bindings, Decision, RunFacts } from '../core/decision.ts';
import type { Envelope } from '../core/envelope.ts';
import { evaluate } from '../core/evaluate.ts';
import type { JsonObject } from '../core/json.ts';
import { matchEvent } from '../core/match.ts';
import type { Revision } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { resolveContext } from '../resolvers/resolve-context.ts';

export interface DecidedDecision extends Decision {
  context: JsonObject | null;
  /** A context source did not answer and may later: the same decision may turn out otherwise then. */
  retryable?: boolean;
}

export interface DecideInput {
  revision: Revision;
  event: Envelope | null;
  run: RunFacts;
  /** The retry of an event's run asks the current revision's filter. The bridge has asked it already; a run by hand never does. */
  applyFilter?: boolean;
}

const nothing = { context: null, rules: [], tasks: [] };

export async function decideRun(input: DecideInput, resolvers: Resolvers): Promise<DecidedDecision> {
  const { revision, event, run } = input;
  const { compiled, definition } = revision;
  if (!compiled) {
    const message = `this version cannot run the revision: ${revision.problem}`;
    const details = { definition_id: revision.definition_id, definition_hash: revision.definition_hash };
    return { ...nothing, error: { code: 'definition_invalid', message, details } };
  }
  if (input.applyFilter && event && definition.trigger.event) {
    const match = matchEvent(compiled, event);
    if (match.outcome === 'filter_error') {
      const details = { expression: match.expression, values: match.values };
      return { ...nothing, error: { code: 'filter_error', message: match.message, details } };
    }
    if (match.outcome === 'filtered') {
      const trace = {
        rule_id: 'trigger.event.filter',
        expression: match.expression,
        values: match.values,
        result: false,
      };
      return { ...nothing, rules: [trace], error: null };
    }
  }
  const resolved = await resolveContext(compiled, resolvers, { event, run });
  if (!resolved.ok) return { ...nothing, error: resolved.error, retryable: resolved.retryable };
  const bindings: Bindings = { event, context: resolved.context, run };
  return { ...evaluate(compiled, bindings), context: resolved.context };
}
