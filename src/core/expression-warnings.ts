/**
 * What an expression may stumble over although it checks: a field that may be missing and is not asked for, a value that
 * the schema does not know. It follows `&&`, `||`, `!`, `?:` and the macros from left to right, as the evaluation does,
 * and keeps silent where it does not know.
 */
import type { CelNode } from './expression-node.ts';
import {
  below,
  elementOf,
  hasPath,
  type Implied,
  indexedOf,
  intersection,
  type Knowledge,
  NOTHING,
  type Paths,
  type Place,
  union,
  withPath,
} from './expression-places.ts';
import { excerpt } from './expression-problem.ts';
import { boundVariable, childrenOf, comprehensionVariable } from './expression-tree.ts';
import type { CelType } from './expression-types.ts';
import { findForeignValues, findUnquoted } from './expression-value-warnings.ts';
import { type ExpressionWarning, missingField, missingVariable } from './expression-warning.ts';

type Variables = ReadonlyMap<string, Implied>;
type Binary = [CelNode, CelNode];

/** `implied`: what is known once the expression was evaluated. `unquoted`: by its place, a name that is a value of this field. */
export function findWarnings(
  root: CelNode,
  source: string,
  known: Knowledge,
): { warnings: ExpressionWarning[]; implied: Implied; unquoted: ReadonlyMap<number, string> } {
  const warnings: ExpressionWarning[] = [];
  const unquoted = new Map<number, string>();

  function visit(node: CelNode, present: Paths, variables: Variables): Implied {
    switch (node.op) {
      case 'value':
        return literal(node.args);
      case 'id':
        return variables.get(node.args) ?? NOTHING;
      case '.':
        return select(visit(node.args[0], present, variables), node.args[1], node, present);
      case '[]':
        return index(node, present, variables);
      case '!_':
        return negated(visit(node.args, present, variables));
      case '&&':
        return both(node.args, present, variables);
      case '||':
        return either(node.args, present, variables);
      case '?:':
        return choice(node.args, present, variables);
      case '==':
      case '!=':
        return comparison(node, present, variables);
      case 'in':
        return membership(node, present, variables);
      case 'call':
        return isHas(node) ? has(node.args[1][0], present, variables) : inOrder(node, present, variables);
      case 'rcall':
        return receiverCall(node, present, variables);
      default:
        return inOrder(node, present, variables);
    }
  }

  function inOrder(node: CelNode, present: Paths, variables: Variables): Implied {
    let always: Paths = NOTHING.always;
    for (const child of childrenOf(node)) {
      always = union(always, visit(child, union(present, always), variables).always);
    }
    return told(always);
  }

  function select(owner: Implied, field: string, node: CelNode, present: Paths): Implied {
    const { place, always } = owner;
    if (!place) return told(always);
    const there = union(union(present, always), place.present);
    if (known.nullable.has(place.path) && !hasPath(there, place.path)) {
      warnings.push(missingVariable(node, source, place.path));
    }
    const type = typeOfField(place.type, field);
    if (!type) return told(always);
    const path = pathOfField(place, field);
    const isOptional = place.type.kind === 'object' && place.type.optional?.has(field) === true;
    if (isOptional && !hasPath(there, path))
      warnings.push(missingField(node, source, field, type.kind === 'list'));
    const read = withPath(withPath(always, place.path), path);
    return told(read, { type, path, present: place.present, element: null });
  }

  function pathOfField(place: Place, field: string): string {
    const path = `${place.path}.${field}`;
    return known.sameAs.get(path) ?? path;
  }

  function index(node: CelNode & { op: '[]' }, present: Paths, variables: Variables): Implied {
    const [owner, key] = node.args;
    const of = visit(owner, present, variables);
    const name = textOf(key);
    if (name !== null) return select(of, name, node, present);
    const always = union(of.always, visit(key, union(present, of.always), variables).always);
    return told(always, indexedOf(of.place));
  }

  /** `has(a.b.c)` fails where `a.b` is missing, so that is looked at as any other. */
  function has(asked: CelNode | undefined, present: Paths, variables: Variables): Implied {
    if (asked?.op !== '.') return asked ? told(visit(asked, present, variables).always) : NOTHING;
    const [owner, field] = asked.args;
    const { place, always } = visit(owner, present, variables);
    if (!place) return told(always);
    return { ...told(always), whenTrue: withPath(withPath(always, place.path), pathOfField(place, field)) };
  }

  function both([left, right]: Binary, present: Paths, variables: Variables): Implied {
    const first = visit(left, present, variables);
    const second = visit(right, union(present, first.whenTrue), variables);
    const whenTrue = union(first.whenTrue, second.whenTrue);
    const whenFalse = intersection(first.whenFalse, union(first.whenTrue, second.whenFalse));
    return { always: intersection(whenTrue, whenFalse), whenTrue, whenFalse, place: null };
  }

  function either([left, right]: Binary, present: Paths, variables: Variables): Implied {
    const first = visit(left, present, variables);
    const second = visit(right, union(present, first.whenFalse), variables);
    const whenFalse = union(first.whenFalse, second.whenFalse);
    const whenTrue = intersection(first.whenTrue, union(first.whenFalse, second.whenTrue));
    return { always: intersection(whenTrue, whenFalse), whenTrue, whenFalse, place: null };
  }

  function choice(
    [condition, yes, no]: [CelNode, CelNode, CelNode],
    present: Paths,
    variables: Variables,
  ): Implied {
    const asked = visit(condition, present, variables);
    const first = visit(yes, union(present, asked.whenTrue), variables);
    const second = visit(no, union(present, asked.whenFalse), variables);
    const joined = (which: 'always' | 'whenTrue' | 'whenFalse'): Paths =>
      intersection(union(asked.whenTrue, first[which]), union(asked.whenFalse, second[which]));
    return {
      always: joined('always'),
      whenTrue: joined('whenTrue'),
      whenFalse: joined('whenFalse'),
      place: null,
    };
  }

  function compared(node: CelNode & { op: '==' | '!=' | 'in' }, present: Paths, variables: Variables) {
    const [left, right] = node.args;
    const first = visit(left, present, variables);
    const second = visit(right, union(present, first.always), variables);
    const places = [first.place, second.place] as const;
    warnings.push(...findForeignValues(node, places, source));
    for (const { offset, field } of findUnquoted(node, places)) unquoted.set(offset, excerpt(source, field));
    return { first, second, always: union(first.always, second.always) };
  }

  function comparison(node: CelNode & { op: '==' | '!=' }, present: Paths, variables: Variables): Implied {
    const { first, second, always } = compared(node, present, variables);
    const [left, right] = node.args;
    const equal = comparedWith(right, first) ?? comparedWith(left, second) ?? told(always);
    return node.op === '==' ? equal : negated(equal);
  }

  function membership(node: CelNode & { op: 'in' }, present: Paths, variables: Variables): Implied {
    const { second, always } = compared(node, present, variables);
    const name = textOf(node.args[0]);
    const { place } = second;
    if (name === null || !place || place.type.kind === 'list') return told(always);
    return { ...told(always), whenTrue: withPath(always, pathOfField(place, name)) };
  }

  function receiverCall(node: CelNode & { op: 'rcall' }, present: Paths, variables: Variables): Implied {
    const [name, receiver, [, ...parts]] = node.args;
    const bound = boundVariable(node);
    const [value, body] = parts;
    if (bound !== null && value && body) {
      const given = visit(value, present, variables);
      const inner = visit(body, union(present, given.always), new Map([...variables, [bound, given]]));
      return after(given.always, inner);
    }
    const variable = comprehensionVariable(node);
    if (variable === null) return inOrder(node, present, variables);
    const list = visit(receiver, present, variables);
    const element = elementOf(list.place);
    const inner = new Map([...variables, [variable, { ...NOTHING, place: element }]]);
    let reached = union(present, list.always);
    let last = NOTHING;
    for (const part of parts) {
      last = visit(part, reached, inner);
      reached = union(reached, last.whenTrue);
    }
    return macro(name, list, element, last, reached);
  }

  const roots: Variables = new Map(
    [...known.places].map(([name, place]): [string, Implied] => [name, { ...NOTHING, place }]),
  );
  const implied = visit(root, known.present, roots);
  return { warnings, implied, unquoted };
}

/** `last`: of its last part, for any element; `reached`: what is there for an element that has passed. */
function macro(name: string, list: Implied, element: Place | null, last: Implied, reached: Paths): Implied {
  const result = told(list.always);
  if (!element || !list.place) return result;
  switch (name) {
    case 'all':
      return { ...result, whenTrue: union(list.always, below(last.whenTrue, element.path)) };
    case 'exists':
      return { ...result, whenFalse: union(list.always, below(last.whenFalse, element.path)) };
    case 'filter':
      return { ...result, place: { ...list.place, present: union(list.place.present, reached) } };
    case 'map': {
      const { place } = last;
      const kept = place && { ...place, present: union(place.present, reached) };
      return kept
        ? { ...result, place: { ...list.place, type: { kind: 'list', element: kept.type }, element: kept } }
        : result;
    }
    default:
      return result;
  }
}

function told(always: Paths, place: Place | null = null): Implied {
  return { always, whenTrue: always, whenFalse: always, place };
}

/** `later`, and what was read before it. */
function after(read: Paths, { always, whenTrue, whenFalse, place }: Implied): Implied {
  return {
    always: union(read, always),
    whenTrue: union(read, whenTrue),
    whenFalse: union(read, whenFalse),
    place,
  };
}

function negated({ always, whenTrue, whenFalse }: Implied): Implied {
  return { always, whenTrue: whenFalse, whenFalse: whenTrue, place: null };
}

function literal(value: unknown): Implied {
  if (value === true) return { ...NOTHING, whenFalse: 'all' };
  return value === false ? { ...NOTHING, whenTrue: 'all' } : NOTHING;
}

/** What `other == node` tells where `node` is `true`, `false` or `null`. */
function comparedWith(node: CelNode, other: Implied): Implied | null {
  if (node.op !== 'value') return null;
  if (node.args === true) return other;
  if (node.args === false) return negated(other);
  if (node.args !== null || !other.place) return null;
  return { ...told(other.always), whenFalse: withPath(other.always, other.place.path) };
}

function typeOfField(type: CelType, field: string): CelType | null {
  switch (type.kind) {
    case 'dyn':
      return type;
    case 'map':
      return type.value;
    case 'object':
      return type.fields.get(field) ?? type.rest;
    default:
      return null;
  }
}

function textOf(node: CelNode): string | null {
  return node.op === 'value' && typeof node.args === 'string' ? node.args : null;
}

function isHas(node: CelNode & { op: 'call' }): boolean {
  return node.args[0] === 'has';
}
