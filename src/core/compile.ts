/** A definition's expressions and templates, checked against the types of what they read. All problems at once. */
import { boundName, type CompiledSource, compileSource } from './context-params.ts';
import type { Definition, Rule } from './definition.ts';
import type { EventType } from './event-type.ts';
import {
  compileExpression,
  createScope,
  type Expected,
  type Expression,
  type Scope,
  variableNameProblem,
} from './expression.ts';
import { type CelType, DYN, STRING, typeOfSchema } from './expression-types.ts';
import type { JsonSchema } from './json.ts';
import { type CompiledTask, compileTask, type Problem } from './task-template.ts';

export { type CompiledSource, type RenderedParams, renderParams } from './context-params.ts';
export type { Problem } from './task-template.ts';

export interface CompiledRule {
  id: string;
  for_each: { list: Expression; as: string; scope: Scope } | null;
  condition: Expression;
  task: CompiledTask;
}

export interface CompiledDefinition {
  definition: Definition;
  /** `event`, `context` and `run`; `bind` gives what the expressions are evaluated with. */
  scope: Scope;
  filter: Expression | null;
  sources: CompiledSource[];
  rules: CompiledRule[];
}

export type CompiledOrProblems =
  | { ok: true; compiled: CompiledDefinition }
  | { ok: false; problems: Problem[] };

export interface CompileInput {
  /** The registry's entry for the trigger's type; null makes `event` dynamic. */
  eventType: EventType | null;
  /** By the name after `context.`: the schema of what the source binds. One that is not there is dynamic. */
  contextTypes: Record<string, JsonSchema>;
}

const DEFAULT_AS = 'item';
const VARIABLES = ['event', 'context', 'run'];

export function compileDefinition(definition: Definition, input: CompileInput): CompiledOrProblems {
  const problems: Problem[] = [];
  const scope = scopeOf(definition, input);
  const filter = compileFilter(definition, scope, problems);
  findRepeated(definition, problems);
  const sources = definition.context_sources.map((source, i) =>
    compileSource(source, scope, ['context_sources', i], problems),
  );
  const rules = definition.rules.map((rule, i) => compileRule(rule, scope, ['rules', i], problems));
  if (problems.length > 0) return { ok: false, problems };
  const compiled = { definition, scope, filter, sources, rules: rules.filter((rule) => rule !== null) };
  return { ok: true, compiled };
}

function scopeOf(definition: Definition, { eventType, contextTypes }: CompileInput): Scope {
  const context = new Map<string, CelType>();
  for (const source of definition.context_sources) {
    const name = boundName(source);
    const schema = Object.hasOwn(contextTypes, name) ? contextTypes[name] : undefined;
    context.set(name, schema === undefined ? DYN : typeOfSchema(schema));
  }
  return createScope({
    event: definition.trigger.event && eventType ? eventTypeOf(eventType) : DYN,
    context: { kind: 'object', fields: context, rest: null },
    run: objectOf({ run_id: STRING, definition_id: STRING, scheduled_for: DYN, date: STRING }),
  });
}

/** What an envelope may leave out is null there, and so dynamic: a string could not be compared with null. */
function eventTypeOf(eventType: EventType): CelType {
  return objectOf({
    id: STRING,
    type: STRING,
    source: STRING,
    time: STRING,
    subject: DYN,
    schema_version: DYN,
    correlation_id: DYN,
    causation_id: DYN,
    attributes: typeOfSchema(eventType.attributes_schema),
  });
}

function objectOf(fields: Record<string, CelType>): CelType {
  return { kind: 'object', fields: new Map(Object.entries(fields)), rest: null };
}

function compileFilter(definition: Definition, scope: Scope, problems: Problem[]): Expression | null {
  const source = definition.trigger.event?.filter;
  if (source === undefined) return null;
  const inFilter = scope.only(['event'], 'a filter sees only `event`');
  return compileAt(source, inFilter, 'bool', ['trigger', 'event', 'filter'], problems);
}

function findRepeated(definition: Definition, problems: Problem[]): void {
  const check = (values: string[], pathOf: (i: number) => (string | number)[], what: string): void => {
    values.forEach((value, i) => {
      const first = values.indexOf(value);
      if (first === i) return;
      problems.push({ path: pathOf(i), offset: null, message: `${what} ${value} is used twice` });
    });
  };
  const ids = definition.rules.map((rule) => rule.id);
  check(ids, (i) => ['rules', i, 'id'], 'the rule id');
  const names = definition.context_sources.map((source) => source.bind_to);
  check(names, (i) => ['context_sources', i, 'bind_to'], 'the name');
}

function compileRule(
  rule: Rule,
  scope: Scope,
  path: (string | number)[],
  problems: Problem[],
): CompiledRule | null {
  const before = problems.length;
  const for_each = compileForEach(rule, scope, path, problems);
  const inner = for_each?.scope ?? scope;
  const condition = compileAt(rule.condition, inner, 'bool', [...path, 'condition'], problems);
  const task = compileTask(rule.task, inner, [...path, 'task'], problems);
  if (problems.length > before || !condition || !task) return null;
  return { id: rule.id, for_each: for_each && asCompiled(for_each), condition, task };
}

interface ForEach {
  list: Expression | null;
  as: string;
  scope: Scope;
}

/** Where the list or the name is wrong the rest of the rule is still checked, with a dynamic element. */
function compileForEach(
  rule: Rule,
  scope: Scope,
  path: (string | number)[],
  problems: Problem[],
): ForEach | null {
  if (rule.for_each === undefined) {
    if (rule.as !== undefined) {
      problems.push({ path: [...path, 'as'], offset: null, message: 'expected together with `for_each`' });
    }
    return null;
  }
  const list = compileAt(rule.for_each, scope, 'list', [...path, 'for_each'], problems);
  const as = rule.as ?? DEFAULT_AS;
  const nameProblem = VARIABLES.includes(as)
    ? `${as} would hide the variable ${as}`
    : variableNameProblem(as);
  if (nameProblem !== null) {
    problems.push({ path: [...path, 'as'], offset: null, message: nameProblem });
    return { list, as, scope };
  }
  const element = list?.type.kind === 'list' ? list.type.element : DYN;
  return { list, as, scope: scope.with(as, element) };
}

function asCompiled({ list, as, scope }: ForEach): CompiledRule['for_each'] {
  return list && { list, as, scope };
}

function compileAt(
  source: string,
  scope: Scope,
  expected: Expected,
  path: (string | number)[],
  problems: Problem[],
): Expression | null {
  const compiled = compileExpression(source, scope, expected);
  if (compiled.ok) return compiled.expression;
  problems.push({ path, ...compiled.problem });
  return null;
}
