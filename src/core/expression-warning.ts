/** What authors are told of an expression that checks, and will yet fail or never hold. */
import type { CelNode } from './expression-node.ts';
import { type ExpressionProblem, excerpt } from './expression-problem.ts';

/** Each has its line in docs/errors.md. */
export const WARNING_CODES = ['optional_field', 'no_event', 'impossible_value'] as const;
export type WarningCode = (typeof WARNING_CODES)[number];

export interface ExpressionWarning extends ExpressionProblem {
  warning: WarningCode;
}

/** `isList`: of the field's type; an empty list can stand for one. */
export function missingField(
  node: CelNode,
  source: string,
  field: string,
  isList: boolean,
): ExpressionWarning {
  const read = excerpt(source, node);
  const asked = questionFor(node, source, field);
  return {
    warning: 'optional_field',
    offset: node.start,
    message: `${read} may be missing, since its schema does not require \`${field}\`: without it this expression fails, and the run with it; write \`${asked} && …\`, or \`${asked} ? ${read} : ${isList ? '[]' : '…'}\` for a value instead`,
  };
}

/** Only `has(a.b.c)` is CEL: of an element or a computed object, the key is asked for. */
function questionFor(node: CelNode, source: string, field: string): string {
  const [owner] = node.op === '.' || node.op === '[]' ? node.args : [];
  if (node.op === '.' && isChain(node)) return `has(${excerpt(source, node)})`;
  return owner ? `${JSON.stringify(field)} in ${excerpt(source, owner)}` : `has(${excerpt(source, node)})`;
}

function isChain(node: CelNode): boolean {
  let at = node;
  while (at.op === '.') at = at.args[0];
  return at.op === 'id';
}

/** `variable`: null in runs of a schedule. */
export function missingVariable(node: CelNode, source: string, variable: string): ExpressionWarning {
  return {
    warning: 'no_event',
    offset: node.start,
    message: `${variable} is null in the runs of a schedule, so ${excerpt(source, node)} fails there; write \`${variable} != null && …\`, or give the definition a trigger of \`event\``,
  };
}
