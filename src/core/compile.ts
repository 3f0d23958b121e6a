/** A definition's expressions and templates, checked against the types of what they read. All problems at once. */
import { type CompiledList, compileAt, compileList } from './compile-at.ts';
import { type CompiledInstruction, compileInstructions, withOutputs } from './compile-instruction.ts';
import { type CompiledReport, compileReport, type ReportText } from './compile-report.ts';
import { boundName, type CompiledSource, compileSource } from './context-params.ts';
import type { Definition, Rule } from './definition.ts';
import { formatPath } from './document.ts';
import type { EventType } from './event-type.ts';
import { createScope, type Expression, type Scope } from './expression.ts';
import type { Paths } from './expression-places.ts';
import { type CelType, DYN, STRING, typeOfSchema } from './expression-types.ts';
import type { JsonSchema } from './json.ts';
import {
  type CompiledTask,
  compileTask,
  hasFault,
  isWarning,
  type Problem,
  type Warning,
} from './task-template.ts';

export { type CompiledSource, type RenderedParams, renderParams } from './context-params.ts';
export type { Problem, Warning } from './task-template.ts';

export interface CompiledRule {
  id: string;
  for_each: CompiledList | null;
  condition: Expression;
  task: CompiledTask;
}

export interface CompiledDefinition {
  definition: Definition;
  /** Of filter, params and rules: `event`, `context` and `run`; `bind` gives what the expressions are evaluated with. */
  scope: Scope;
  filter: Expression | null;
  sources: CompiledSource[];
  rules: CompiledRule[];
  instructions: CompiledInstruction[];
  reports: CompiledReport[];
}

export type CompiledOrProblems =
  | { ok: true; compiled: CompiledDefinition; warnings: Warning[] }
  | { ok: false; problems: Problem[]; warnings: Warning[] };

export interface CompileInput {
  /** The registry's entry for the trigger's type; null makes `event` dynamic. */
  eventType: EventType | null;
  /** By the name after `context.`: the schema of what the source binds. One that is not there is dynamic. */
  contextTypes: Record<string, JsonSchema>;
  /** For each report, which of its members are computed. */
  reportTexts: ReportText[][];
}

export const DEFAULT_AS = 'item';
const VARIABLES = ['event', 'context', 'run'];

export function compileDefinition(definition: Definition, input: CompileInput): CompiledOrProblems {
  const problems: Problem[] = [];
  const unfiltered = scopeOf(definition, input);
  const filter = compileFilter(definition, ruleScope(definition, unfiltered), problems);
  const hasFilter = definition.trigger.event?.filter !== undefined;
  const all = hasFilter ? unfiltered.assuming(whatHolds(filter)) : unfiltered;
  const scope = ruleScope(definition, all);
  findRepeated(definition, problems);
  const sources = definition.context_sources.map((source, i) =>
    compileSource(source, scope, ['context_sources', i], problems),
  );
  const rules = definition.rules.map((rule, i) => compileRule(rule, scope, ['rules', i], problems));
  const instructions = compileInstructions(definition.instructions, all, problems);
  const reports = compileReports(definition, all, input.reportTexts, problems);
  const warnings = problems.filter(isWarning);
  const faults = problems.filter((problem) => !isWarning(problem));
  if (faults.length > 0) return { ok: false, problems: faults, warnings };
  return {
    ok: true,
    warnings,
    compiled: {
      definition,
      scope,
      filter,
      sources,
      rules: rules.filter((rule) => rule !== null),
      instructions,
      reports,
    },
  };
}

/** Where there are instructions, who reads their outputs too early hears why that cannot be. */
function ruleScope({ instructions }: Definition, scope: Scope): Scope {
  if (instructions.length === 0) return scope;
  return withOutputs(scope, instructions).only(VARIABLES, 'the model is asked when the rules are decided');
}

function compileReports(
  { reports, instructions }: Definition,
  scope: Scope,
  texts: ReportText[][],
  problems: Problem[],
): CompiledReport[] {
  if (reports.length === 0) return [];
  const withAll = withOutputs(scope, instructions);
  return reports.flatMap((report, i) => {
    const path = ['reports', i];
    const ofReport = texts[i];
    if (ofReport) return compileReport(report, ofReport, withAll, path, problems);
    problems.push({ path: [...path, 'sink'], offset: null, message: `unknown report sink ${report.sink}` });
    return [];
  });
}

function scopeOf(definition: Definition, { eventType, contextTypes }: CompileInput): Scope {
  const context = new Map<string, CelType>();
  for (const source of definition.context_sources) {
    const name = boundName(source);
    const schema = Object.hasOwn(contextTypes, name) ? contextTypes[name] : undefined;
    context.set(name, schema === undefined ? DYN : typeOfSchema(schema));
  }
  const payloads = definition.context_sources.filter(({ type }) => type === 'event-payload');
  return createScope(
    {
      event: definition.trigger.event && eventType ? eventTypeOf(eventType) : DYN,
      context: { kind: 'object', fields: context, rest: null },
      run: objectOf({ run_id: STRING, definition_id: STRING, scheduled_for: DYN, date: STRING }),
    },
    {
      sameAs: new Map(payloads.map(({ bind_to }) => [bind_to, 'event.attributes'])),
      nullable: new Set(definition.trigger.schedule ? ['event'] : []),
    },
  );
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
      problems.push({
        path: pathOf(i),
        offset: null,
        message: `${what} ${value} is used twice; it stands at ${formatPath(pathOf(first))} already`,
      });
    });
  };
  const ruleIds = definition.rules.map((rule) => rule.id);
  check(ruleIds, (i) => ['rules', i, 'id'], 'the rule id');
  const instructionIds = definition.instructions.map(({ id }) => id);
  check(instructionIds, (i) => ['instructions', i, 'id'], 'the instruction id');
  instructionIds.forEach((id, i) => {
    if (!ruleIds.includes(id)) return;
    const message = `the id ${id} is a rule's already; rules and instructions share their names`;
    problems.push({ path: ['instructions', i, 'id'], offset: null, message });
  });
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
  const held = inner.assuming(whatHolds(condition));
  const task = compileTask(rule.task, held, [...path, 'task'], problems);
  if (hasFault(problems.slice(before)) || !condition || !task) return null;
  return { id: rule.id, for_each: for_each && asCompiled(for_each), condition, task };
}

/** Of one that does not compile nobody knows what it asks for: nothing is told to be missing after it. */
function whatHolds(predicate: Expression | null): Paths {
  return predicate?.implied.whenTrue ?? 'all';
}

/** Where the list or the name is wrong the rest of the rule is still checked. */
function compileForEach(
  rule: Rule,
  scope: Scope,
  path: (string | number)[],
  problems: Problem[],
): ReturnType<typeof compileList> | null {
  if (rule.for_each !== undefined) {
    const declared = { for_each: rule.for_each, as: rule.as ?? DEFAULT_AS };
    return compileList(declared, scope, VARIABLES, path, problems);
  }
  if (rule.as !== undefined) {
    problems.push({ path: [...path, 'as'], offset: null, message: 'expected together with `for_each`' });
  }
  return null;
}

function asCompiled({ list, as, scope }: ReturnType<typeof compileList>): CompiledRule['for_each'] {
  return list && { list, as, scope };
}
