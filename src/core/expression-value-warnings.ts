/** Literals that are compared with a field whose schema does not know them. */
import type { CelNode } from './expression-node.ts';
import { elementOf, type Place } from './expression-places.ts';
import { excerpt } from './expression-problem.ts';
import type { ExpressionWarning } from './expression-warning.ts';
import type { Json } from './json.ts';
import { listNames, suggestion } from './wording.ts';

type Comparison = CelNode & { op: '==' | '!=' | 'in' };
type Literal = string | number | boolean;
type Places = readonly [Place | null, Place | null];
type Holds = 'never' | 'always' | 'in vain';

/** What a field is compared with; `place` is the field's. */
interface Sides {
  others: readonly CelNode[];
  field: CelNode;
  place: Place | null;
  holds: Holds;
}

const MOST_VALUES = 12;

/** `places`: of the two operands, where they are places. */
export function findForeignValues(node: Comparison, places: Places, source: string): ExpressionWarning[] {
  const { others, field, place, holds } = sidesOf(node, places);
  const allowed = place && allowedAt(place);
  if (!allowed) return [];
  return others.flatMap((node) => {
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

/** Names that are values of the field which they are compared with, and perhaps meant so: their places in the source. */
export function findUnquoted(node: Comparison, places: Places): { offset: number; field: CelNode }[] {
  const { others, field, place } = sidesOf(node, places);
  const allowed = place && allowedAt(place);
  return others
    .filter((other) => other.op === 'id' && allowed?.includes(other.args))
    .map(({ start }) => ({ offset: start, field }));
}

function sidesOf(node: Comparison, [left, right]: Places): Sides {
  const [first, second] = node.args;
  if (node.op !== 'in') {
    const holds = node.op === '==' ? 'never' : 'always';
    return left && allowedAt(left)
      ? { others: [second], field: first, place: left, holds }
      : { others: [first], field: second, place: right, holds };
  }
  if (second.op === 'list') return { others: second.args, field: first, place: left, holds: 'in vain' };
  return { others: [first], field: second, place: elementOf(right), holds: 'never' };
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
