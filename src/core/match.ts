/** Whether an event starts a run of a definition: the trigger's filter. */
import type { CompiledDefinition } from './compile.ts';
import type { JsonObject } from './json.ts';

/** `values`: what the filter read. */
export type Match =
  | { outcome: 'matched'; values: JsonObject }
  | { outcome: 'filtered'; expression: string; values: JsonObject }
  | { outcome: 'filter_error'; message: string; expression: string; values: JsonObject };

/** `envelope`: of the definition's type, and accepted. Without a filter it matches. */
export function matchEvent({ filter, scope }: CompiledDefinition, envelope: JsonObject): Match {
  if (!filter) return { outcome: 'matched', values: {} };
  const evaluation = filter.evaluate(scope.bind({ event: envelope }));
  const { values } = evaluation;
  if (!evaluation.ok) {
    return { outcome: 'filter_error', message: evaluation.message, expression: filter.source, values };
  }
  if (evaluation.value === true) return { outcome: 'matched', values };
  return { outcome: 'filtered', expression: filter.source, values };
}
