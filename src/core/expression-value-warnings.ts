/** Literals that are compared with a field whose schema does not know them. */
import type { CelNode } from './expression-node.ts';
import { elementOf, type Place } from './expression-places.ts';
import { excerpt } from './expression-problem.ts';
import type { ExpressionWarning } from './expression-warning.ts';
import type { Json } from './json.ts';
import { listNames, suggestion } from './wording.ts';

type Comparison = CelNode & { op: '==' | '!=' | 'in' };
type Literal = string | number | boolean;

const MOST_VALUES = 12;

/** `places`: of the two operands, where they are places. */
export function findForeignValues(
  node: Comparison,
  [left, right]: [Place | null, Place | null],
  source: string,
): ExpressionWarning[] {
  const [first, second] = node.args;
  if (node.op !== 'in') {
    const field = left && allowedAt(left) ? first : second;
    const [place, other] = field === first ? [left, second] : [right, first];
    return foreignIn([other], place, field, source, node.op === '==' ? 'never' : 'always');
  }
  if (second.op === 'list') return foreignIn(second.args, left, first, source, 'in vain');
  return foreignIn([first], elementOf(right), second, source, 'never');
}

function foreignIn(
  nodes: readonly CelNode[],
  place: Place | null,
  field: CelNode,
  source: string,
  holds: 'never' | 'always' | 'in vain',
): ExpressionWarning[] {
  const allowed = place && allowedAt(place);
  if (!allowed) return [];
  return nodes.flatMap((node) => {
    const value = literalOf(node);
    if (value === null || allowed.includes(value)) return [];
    const names = allowed.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
    const listed = listNames(names.slice(0, MOST_VALUES)) + (names.length > MOST_VALUES ? ', …' : '');
    const said = excerpt(source, node);
    const truth = holds === 'in vain' ? `${said} stands here in vain` : `this is ${holds} true`;
    const near = typeof value === 'string' ? suggestion(value, names) : '';
    const values = names.length === 1 ? listed : `one of ${listed}`;
    const message = `${truth}: by its schema ${excerpt(source, field)} is ${values}, and never ${said}${near}`;
    return [{ warning: 'impossible_value', offset: node.start, message }];
  });
}

function allowedAt({ type }: Place): readonly Json[] | null {
  return 'allowed' in type && type.allowed ? type.allowed : null;
}

function literalOf(node: CelNode): Literal | null {
  if (node.op !== 'value') return null;
  const { args } = node;
  if (typeof args === 'bigint') return Number(args);
  return typeof args === 'string' || typeof args === 'number' || typeof args === 'boolean' ? args : null;
}
