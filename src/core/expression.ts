/**
 * CEL: checked once, evaluated many times. The only file that runs the library; the others see an Engine.
 *
 * An expression lives in two trees. One is type-checked, against the schemas. The other is evaluated, without types:
 * it reads plain JSON as it is, so nothing is copied into typed objects. Where the library is silent or can be made
 * to hang, the second tree is guarded; so a double divided by zero is an error here, because NaN compares `false`.
 */
import {
  type ASTNode,
  Environment,
  EvaluationError,
  ParseError,
  TypeError as TypeMismatch,
} from '@marcbachmann/cel-js';
import { RE2JS, RE2JSException } from 're2js';
import { createChecker } from './expression-check.ts';
import { type Knowledge, NO_PATHS, placeOf } from './expression-places.ts';
import type { Fault } from './expression-problem.ts';
import { type Engine, type Scope, scopeOf } from './expression-scope.ts';
import {
  type GuardName,
  guardTree,
  isUnusableKey,
  SAFE_MATCHES,
  type TreeBuilder,
} from './expression-tree.ts';
import type { CelType } from './expression-types.ts';

export {
  type CompiledExpression,
  compileExpression,
  type Evaluation,
  type Expected,
  type Expression,
} from './expression-compile.ts';
export type { ExpressionProblem } from './expression-problem.ts';
export type { Bound, Scope } from './expression-scope.ts';

const LIMITS = {
  maxAstNodes: 2000,
  maxDepth: 100,
  maxListElements: 1000,
  maxMapEntries: 1000,
  maxCallArguments: 32,
};
const MOST_ELEMENTS = 100_000;
const LONGEST_TEXT = 1_048_576;
const MOST_PATTERNS = 100;

/** The variables that expressions may read. Make one per definition: it costs about a millisecond. */
export function createScope(
  variables: Readonly<Record<string, CelType>>,
  { sameAs = new Map(), nullable = new Set() }: Partial<Pick<Knowledge, 'sameAs' | 'nullable'>> = {},
): Scope {
  const types = Object.entries(variables);
  const places = new Map(types.map(([name, type]) => [name, placeOf(name, type)]));
  const known = { places, present: NO_PATHS, sameAs, nullable, element: null };
  return scopeOf(new Map(types), new Map(), createEngine(), known);
}

/** Why a variable cannot have this name, or null. */
export function variableNameProblem(name: string): string | null {
  const environment = newEnvironment('untyped');
  if (environment.hasVariable(name)) return `${name} is a name of CEL's own`;
  try {
    if (environment.parse(name).ast.op === 'id') return null;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
  }
  return `${name} is a word of CEL's own`;
}

function createEngine(): Engine {
  const patterns = new Map<string, RE2JS>();
  const blamed = new WeakMap<ASTNode, ASTNode>();
  const environment = newEnvironment('untyped');
  for (const [name, check] of Object.entries(GUARDS)) {
    environment.registerFunction(`${name}(dyn): dyn`, check, { async: false });
  }
  environment.registerFunction(
    `string.${SAFE_MATCHES}(string): bool`,
    (text: string, pattern: string) => compiledPattern(pattern).test(text),
    { async: false },
  );

  function compiledPattern(pattern: string): RE2JS {
    const known = patterns.get(pattern);
    if (known) return known;
    if (patterns.size >= MOST_PATTERNS) patterns.clear();
    const fault = patternFault(pattern);
    if (fault !== null) throw guardError('invalid_regular_expression', fault);
    const compiled = RE2JS.compile(pattern);
    patterns.set(pattern, compiled);
    return compiled;
  }

  const builder: TreeBuilder = {
    guard(name, operand, node) {
      const call = environment.parse(`${name}(null)`).ast;
      if (call.op !== 'call') throw new Error(`${name} did not parse as a call`);
      call.args[1][0] = operand;
      blamed.set(call, node);
      return call;
    },
    strict(op, operand, other) {
      const choice = environment.parse('true ? true : false').ast;
      if (choice.op !== '?:') throw new Error('a choice did not parse as one');
      const [, yes, no] = choice.args;
      choice.args[0] = operand;
      choice.args[op === '&&' ? 1 : 2] = other;
      return { first: choice, neutral: op === '&&' ? yes : no };
    },
  };

  return {
    newChecker: (variables) => createChecker(variables, () => newEnvironment('typed')),
    parse: (source) => environment.parse(source),
    guard: (tree) => {
      guardTree(tree.ast, builder);
      const checked = tree.check();
      return checked.valid ? null : (checked.error ?? new Error('does not check'));
    },
    patternFault,
    faultOf: (error) => faultOf(error, blamed),
  };
}

function newEnvironment(kind: 'typed' | 'untyped'): Environment {
  return new Environment({
    unlistedVariablesAreDyn: kind === 'untyped',
    homogeneousAggregateLiterals: false,
    limits: LIMITS,
  });
}

const GUARDS: Readonly<Record<GuardName, (operand: unknown) => unknown>> = {
  guardDivisor: (operand) => {
    if (operand === 0) throw guardError('division_by_zero', 'division by zero');
    return operand;
  },
  guardAddend: (operand) => {
    if (typeof operand === 'string' && operand.length > LONGEST_TEXT) {
      throw guardError('too_large', `a text longer than ${LONGEST_TEXT} characters`);
    }
    if (Array.isArray(operand) && operand.length > MOST_ELEMENTS) {
      throw guardError('too_large', `a list of more than ${MOST_ELEMENTS}`);
    }
    return operand;
  },
  guardOperand: (operand) => {
    if (typeof operand === 'boolean') return operand;
    throw guardError('invalid_logical_operand', `expected true or false, found ${kindOf(operand)}`);
  },
  guardKey: (operand) => {
    if (!isUnusableKey(operand)) return operand;
    throw guardError('unusable_key', `a map cannot have the key ${String(operand)}`);
  },
};

function guardError(code: string, message: string): EvaluationError {
  return new EvaluationError({ code, message });
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : `a ${typeof value}`;
}

function patternFault(pattern: string): string | null {
  try {
    RE2JS.compile(pattern);
    return null;
  } catch (error) {
    if (error instanceof RE2JSException) return `not a regular expression of RE2: ${error.message}`;
    throw error;
  }
}

function faultOf(error: unknown, blamed: WeakMap<ASTNode, ASTNode>): Fault {
  const isLibrarys =
    error instanceof EvaluationError || error instanceof TypeMismatch || error instanceof ParseError;
  if (!isLibrarys) {
    const summary = error instanceof Error ? error.message : String(error);
    return { code: null, summary, node: null, offset: null };
  }
  const { code, summary, range } = error;
  const node = isNode(error.node) ? error.node : null;
  const behind = node && blamed.get(node);
  return { code, summary, node: behind ?? node, offset: behind ? behind.start : (range?.start ?? null) };
}

function isNode(location: object | undefined): location is ASTNode {
  return location !== undefined && 'op' in location && typeof location.op === 'string';
}
