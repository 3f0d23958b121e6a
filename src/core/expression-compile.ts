/** Source → checked expression, and its evaluation with a trace. */
import type { Implied } from './expression-places.ts';
import { type ExpressionProblem, faultMessage, problemOf } from './expression-problem.ts';
import type { Bound, Engine, Scope, Tree } from './expression-scope.ts';
import { fieldNames, findCalls, findTreeProblem, type ReadPath, readPaths } from './expression-tree.ts';
import type { CelType } from './expression-types.ts';
import { MISSING, NotJson, readPath, shown, toJson } from './expression-values.ts';
import type { ExpressionWarning } from './expression-warning.ts';
import { findWarnings } from './expression-warnings.ts';
import type { Json, JsonObject } from './json.ts';
import { findUnstorable } from './storable.ts';
import { describeFound } from './wording.ts';

export type Expected = 'bool' | 'list' | 'string' | 'any';

/** `values`: each path that the expression reads, with the JSON found or `"(missing)"`. */
export type Evaluation =
  | { ok: true; value: Json; values: JsonObject }
  | { ok: false; message: string; values: JsonObject };

export interface Expression {
  readonly source: string;
  readonly type: CelType;
  /** What is known of the data once it was evaluated. */
  readonly implied: Implied;
  /** `bound` comes from the `bind` of the scope that it was compiled in. Never throws. */
  evaluate(bound: Bound): Evaluation;
}

export type CompiledExpression =
  | { ok: true; expression: Expression; warnings: ExpressionWarning[] }
  | { ok: false; problem: ExpressionProblem };

const MAX_LENGTH = 4096;
const WANTED = { bool: 'true or false', list: 'a list', string: 'a string', any: 'anything' } as const;

/** Never throws: a source that is hostile, too long or too deep gives a problem. */
export function compileExpression(source: string, scope: Scope, expected: Expected): CompiledExpression {
  if (source.length > MAX_LENGTH) return refuse(`longer than ${MAX_LENGTH} characters`, MAX_LENGTH);
  if (source.trim() === '') return refuse('empty; expected a CEL expression', 0);
  const unstorable = findUnstorable(source);
  if (unstorable) return refuse(unstorable.message, 0);
  const { engine, checker, variables, hidden } = scope;
  let declaredFields: (typeName: string) => readonly string[] = () => [];
  let unquotedAt: (offset: number) => string | null = () => null;
  try {
    const tree = engine.parse(source);
    const treeProblem = findTreeProblem(tree.ast);
    if (treeProblem) return { ok: false, problem: treeProblem };
    unquotedAt = (offset) => findWarnings(tree.ast, source, scope.known).unquoted.get(offset) ?? null;
    const { has, patterns } = findCalls(tree.ast);
    const checked = checker.check(source, has, fieldNames(tree.ast));
    if (!checked.ok) {
      declaredFields = checked.declaredFields;
      throw checked.error;
    }
    const mismatch = mismatchOf(checked.type, expected);
    if (mismatch !== null) return refuse(mismatch, 0);
    for (const { text, offset } of patterns) {
      const patternFault = engine.patternFault(text);
      if (patternFault !== null) return refuse(patternFault, offset);
    }
    const paths = readPaths(tree.ast, new Set(variables.keys()));
    // Before the guards, which change the tree.
    const { warnings, implied } = findWarnings(tree.ast, source, scope.known);
    const fault = engine.guard(tree);
    if (fault) throw fault;
    const evaluate = (bound: Bound) => evaluateTree(tree, { source, expected, paths, engine }, bound);
    return { ok: true, expression: { source, type: checked.type, implied, evaluate }, warnings };
  } catch (error) {
    const known = { variables, hidden, element: scope.known.element, declaredFields, unquotedAt };
    return { ok: false, problem: problemOf(engine.faultOf(error), source, known) };
  }
}

interface Facts {
  source: string;
  expected: Expected;
  paths: readonly ReadPath[];
  engine: Engine;
}

function evaluateTree(tree: Tree, { source, expected, paths, engine }: Facts, bound: Bound): Evaluation {
  const values: JsonObject = {};
  for (const { text, variable, segments } of paths) {
    const found = readPath(bound.json(variable), segments);
    values[text] = found === undefined ? MISSING : shown(found);
  }
  const fail = (message: string): Evaluation => ({ ok: false, message, values });
  try {
    const result = tree(bound);
    if (typeof result === 'boolean' && expected === 'bool') return { ok: true, value: result, values };
    const value = toJson(result);
    if (!isExpected(value, expected)) {
      return fail(`${source}: expected ${WANTED[expected]}, found ${describeFound(value)}`);
    }
    const unstorable = findUnstorable(value);
    return unstorable ? fail(`${source}: ${unstorable.message}`) : { ok: true, value, values };
  } catch (error) {
    if (error instanceof NotJson) return fail(`${source}: ${error.message}`);
    const fault = engine.faultOf(error);
    return fail(fault.node ? faultMessage(fault, source) : `${source}: ${fault.summary}`);
  }
}

function mismatchOf(type: CelType, expected: Expected): string | null {
  if (expected === 'any' || type.kind === 'dyn' || type.kind === expected) return null;
  return `gives ${type.kind}; expected ${WANTED[expected]}`;
}

function isExpected(value: Json, expected: Expected): boolean {
  switch (expected) {
    case 'any':
      return true;
    case 'bool':
      return typeof value === 'boolean';
    case 'list':
      return Array.isArray(value);
    case 'string':
      return typeof value === 'string';
  }
}

function refuse(message: string, offset: number): { ok: false; problem: ExpressionProblem } {
  return { ok: false, problem: { message, offset } };
}
