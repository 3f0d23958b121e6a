/**
 * Rules → decision. The same bindings always give the same decision.
 *
 * One trace an evaluation. An empty `for_each` list leaves one trace of its own, `false`. After 1,000 traces those that
 * are `false` are only counted, in a last trace of their rule: `values: {"(left out)": 4000}`.
 */
import { type CompiledDefinition, type CompiledRule, DEFAULT_AS } from './compile.ts';
import type { Bindings, Decision, RuleTrace, RunError, TaskDraft } from './decision.ts';
import type { Bound } from './expression.ts';
import { shown } from './expression-values.ts';
import type { Json, JsonObject } from './json.ts';
import { renderTask } from './task-template.ts';

const MOST_TRACES = 1000;
const LEFT_OUT = '(left out)';

interface Progress {
  traces: RuleTrace[];
  tasks: TaskDraft[];
  /** How many tasks the rules want; beyond `limit` they are counted and no longer rendered. */
  wanted: number;
  limit: number;
}

/** One evaluation of a rule: which element of its list, if it has one. */
interface Turn {
  position: number;
  element?: { item: Json; as?: string };
}

/** Rules in order, elements in order; the first error ends it, and then no task goes out (contract 3). */
export function evaluate(compiled: CompiledDefinition, { event, context, run }: Bindings): Decision {
  const limit = compiled.definition.limits.max_tasks_per_run;
  const progress: Progress = { traces: [], tasks: [], wanted: 0, limit };
  const bound = compiled.scope.bind({ event, context, run: { ...run } });
  for (const rule of compiled.rules) {
    const error = evaluateRule(rule, bound, progress);
    if (error) return { rules: progress.traces, tasks: [], error };
  }
  const { traces, tasks, wanted } = progress;
  if (wanted <= limit) return { rules: traces, tasks, error: null };
  const message = `the run wants ${wanted} tasks; max_tasks_per_run allows ${limit}`;
  const error: RunError = { code: 'task_limit_exceeded', message, details: { limit, wanted } };
  return { rules: traces, tasks: [], error };
}

function evaluateRule(rule: CompiledRule, bound: Bound, progress: Progress): RunError | null {
  if (!rule.for_each) return evaluateTurn(rule, bound, { position: 0 }, progress).error;
  const { list, as, scope } = rule.for_each;
  const evaluation = list.evaluate(bound);
  if (!evaluation.ok) {
    const failure = { ...evaluation, path: 'for_each', expression: list.source };
    return ruleError(rule, null, failure, progress);
  }
  const items = evaluation.value as Json[];
  const name = as === DEFAULT_AS ? {} : { as };
  const { traces } = progress;
  if (items.length === 0) traces.push(traceOf(rule, null, list.source, evaluation.values, false));
  let leftOut = 0;
  for (const [position, item] of items.entries()) {
    const turn = { position, element: { item: shown(item), ...name } };
    const { error, isTraced } = evaluateTurn(rule, scope.bind({ [as]: item }, bound), turn, progress);
    if (error) return error;
    if (!isTraced) leftOut++;
  }
  if (leftOut > 0) {
    traces.push(traceOf(rule, null, rule.condition.source, { [LEFT_OUT]: leftOut }, false));
  }
  return null;
}

function evaluateTurn(
  rule: CompiledRule,
  bound: Bound,
  turn: Turn,
  progress: Progress,
): { error: RunError | null; isTraced: boolean } {
  const evaluation = rule.condition.evaluate(bound);
  const expression = rule.condition.source;
  if (!evaluation.ok) {
    const failure = { ...evaluation, path: 'condition', expression };
    return { error: ruleError(rule, turn, failure, progress), isTraced: true };
  }
  const holds = evaluation.value === true;
  const isTraced = holds || progress.traces.length < MOST_TRACES;
  if (isTraced) progress.traces.push(traceOf(rule, turn, expression, evaluation.values, holds));
  const error = holds ? addTask(rule, bound, turn, progress) : null;
  return { error, isTraced };
}

function addTask(rule: CompiledRule, bound: Bound, turn: Turn, progress: Progress): RunError | null {
  progress.wanted++;
  if (progress.wanted > progress.limit) return null;
  const rendered = renderTask(rule.task, bound);
  if (!rendered.ok) return ruleError(rule, turn, rendered, progress);
  const { spec } = rendered;
  const { position } = turn;
  progress.tasks.push({ rule_id: rule.id, position, dedupe_key: spec.dedupe_key, spec });
  return null;
}

interface Failure {
  path: string;
  expression: string;
  message: string;
  values: JsonObject;
}

function ruleError(rule: CompiledRule, turn: Turn | null, failure: Failure, progress: Progress): RunError {
  const { path, expression, values } = failure;
  progress.traces.push(traceOf(rule, turn, expression, values, null));
  const details: JsonObject = { rule_id: rule.id, path, expression, values };
  if (turn?.element) Object.assign(details, { position: turn.position, ...turn.element });
  return { code: 'rule_error', message: `rule ${rule.id}, ${path}: ${failure.message}`, details };
}

function traceOf(
  rule: CompiledRule,
  turn: Turn | null,
  expression: string,
  values: JsonObject,
  result: boolean | null,
): RuleTrace {
  return { rule_id: rule.id, ...turn?.element, expression, values, result };
}
