/** Expressions and lists at their place in a definition: what is wrong with one is added to the problems of all. */
import {
  compileExpression,
  type Expected,
  type Expression,
  type Scope,
  variableNameProblem,
} from './expression.ts';
import { elementOf, NO_PATHS } from './expression-places.ts';
import { DYN } from './expression-types.ts';
import type { Problem } from './task-template.ts';

export function compileAt(
  source: string,
  scope: Scope,
  expected: Expected,
  path: (string | number)[],
  problems: Problem[],
): Expression | null {
  const compiled = compileExpression(source, scope, expected);
  for (const problem of compiled.ok ? compiled.warnings : [compiled.problem])
    problems.push({ path, ...problem });
  return compiled.ok ? compiled.expression : null;
}

/** `scope`: with the element. */
export interface CompiledList {
  list: Expression;
  as: string;
  scope: Scope;
}

/**
 * A `for_each` with its `as`; `taken` are the names that the element must not hide. Where the list or the name is wrong
 * the rest is still checked, with a dynamic element: `list` is null then.
 */
export function compileList(
  { for_each, as }: { for_each: string; as: string },
  scope: Scope,
  taken: readonly string[],
  path: (string | number)[],
  problems: Problem[],
): Omit<CompiledList, 'list'> & { list: Expression | null } {
  const list = compileAt(for_each, scope, 'list', [...path, 'for_each'], problems);
  const nameProblem = taken.includes(as) ? `${as} would hide the variable ${as}` : variableNameProblem(as);
  if (nameProblem !== null) {
    problems.push({ path: [...path, 'as'], offset: null, message: nameProblem });
    return { list, as, scope };
  }
  const element = list?.type.kind === 'list' ? list.type.element : DYN;
  const inner = scope.withElement(as, element, list && elementOf(list.implied.place));
  return { list, as, scope: inner.assuming(list?.implied.always ?? NO_PATHS) };
}
