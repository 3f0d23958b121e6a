/** What is read off an expression's syntax tree once, when it is compiled. */
import type { CelNode } from './expression-node.ts';
import type { PathSegment } from './expression-values.ts';

/** A field path from a variable, as in `event.attributes["a-b"]`; the longest one where paths are chained. */
export interface ReadPath {
  text: string;
  variable: string;
  segments: PathSegment[];
}

export interface TreeProblem {
  message: string;
  offset: number;
}

export interface TreeBuilder {
  /** Wraps an operand into a call of a checking function; errors in it are told of `blamed`. */
  guard(name: GuardName, operand: CelNode, blamed: CelNode): CelNode;
  /** `operand && other` or `operand || other` without the library's forgiveness: an error of the first operand stands. */
  strict(op: '&&' | '||', operand: CelNode, other: CelNode): { first: CelNode; neutral: CelNode };
}
export type GuardName = 'guardDivisor' | 'guardAddend' | 'guardOperand' | 'guardKey';

/** The name under which `matches` is registered anew, on RE2: the library's own can be made to hang. */
export const SAFE_MATCHES = 'matchesInLinearTime';

const MAX_DEPTH = 200;
const MAX_COMPREHENSIONS = 3;
const COMPREHENSIONS: Readonly<Record<string, readonly number[]>> = {
  all: [2],
  exists: [2],
  exists_one: [2],
  filter: [2],
  map: [2, 3],
};
const ALWAYS_BOOL = new Set(['has', 'all', 'exists', 'exists_one', 'startsWith', 'endsWith', 'contains']);
const MAYBE_NOT_BOOL = new Set(['id', '.', '[]', '?:', 'call', 'rcall']);
const UNUSABLE_KEYS = new Set<unknown>(['__proto__', 'constructor', 'prototype']);
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const KEYWORDS = new Set(['in', 'true', 'false', 'null']);

/** What the library would accept and then crash on, or quietly get wrong. Iterative: the tree may be deep. */
export function findTreeProblem(root: CelNode): TreeProblem | null {
  const open: [node: CelNode, depth: number, comprehensions: number][] = [[root, 1, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [node, depth, comprehensions] = next;
    if (depth > MAX_DEPTH) {
      return { message: `more than ${MAX_DEPTH} levels deep`, offset: node.start };
    }
    if (comprehensions > MAX_COMPREHENSIONS) {
      return { message: `more than ${MAX_COMPREHENSIONS} macros inside each other`, offset: node.start };
    }
    if (node.op === 'map') {
      const key = node.args
        .map(([name]) => name)
        .find((name) => name.op === 'value' && isUnusableKey(name.args));
      if (key) return { message: `a map cannot have the key ${String(key.args)}`, offset: key.start };
    }
    const inner = comprehensionVariable(node) === null ? comprehensions : comprehensions + 1;
    for (const child of childrenOf(node)) {
      const isReceiver = node.op === 'rcall' && child === node.args[1];
      open.push([child, depth + 1, isReceiver ? comprehensions : inner]);
    }
  }
  return null;
}

/** In the order in which they stand; variables that macros bind are no roots. */
export function readPaths(root: CelNode, variables: ReadonlySet<string>): ReadPath[] {
  const found = new Map<string, ReadPath>();

  function visit(node: CelNode, roots: ReadonlySet<string>): void {
    const path = pathOf(node, roots);
    if (path) {
      if (!found.has(path.text)) found.set(path.text, path);
      return;
    }
    const bound = comprehensionVariable(node) ?? boundVariable(node);
    if (bound === null || node.op !== 'rcall') {
      for (const child of childrenOf(node)) visit(child, roots);
      return;
    }
    const inner = new Set(roots);
    inner.delete(bound);
    const [name, receiver, [, ...parts]] = node.args;
    visit(receiver, roots);
    parts.forEach((part, i) => {
      visit(part, name === 'bind' && i === 0 ? roots : inner);
    });
  }

  visit(root, variables);
  return [...found.values()];
}

/** Every name that is read as a field, whatever of. */
export function fieldNames(root: CelNode): Set<string> {
  const names = new Set<string>();
  forEachNode(root, (node) => {
    if (node.op === '.') names.add(node.args[1]);
    if (node.op === '[]' && typeof node.args[1].args === 'string') names.add(node.args[1].args);
  });
  return names;
}

/** Where calls of `has` stand, and the patterns that `matches` is given as literals. */
export function findCalls(root: CelNode): { has: number[]; patterns: { text: string; offset: number }[] } {
  const has: number[] = [];
  const patterns: { text: string; offset: number }[] = [];
  forEachNode(root, (node) => {
    if (node.op === 'call' && node.args[0] === 'has') has.push(node.start);
    if (node.op !== 'rcall' || node.args[0] !== 'matches') return;
    const pattern = node.args[2][0];
    if (pattern?.op === 'value' && typeof pattern.args === 'string') {
      patterns.push({ text: pattern.args, offset: pattern.start });
    }
  });
  return { has, patterns };
}

/** Changes the tree in place (macros share its nodes): operands are guarded, `matches` runs on RE2. */
export function guardTree(root: CelNode, { guard, strict }: TreeBuilder): void {
  forEachNode(root, (node) => {
    switch (node.op) {
      case '/':
        if (node.args[1].op !== 'value' || node.args[1].args === 0) {
          node.args[1] = guard('guardDivisor', node.args[1], node);
        }
        break;
      case '+':
        for (const side of [0, 1] as const) {
          const operand = node.args[side];
          if (operand.op !== 'value') node.args[side] = guard('guardAddend', operand, node);
        }
        break;
      case '&&':
      case '||':
        for (const side of [0, 1] as const) {
          const operand = node.args[side];
          if (mayBeNoBool(operand)) node.args[side] = guard('guardOperand', operand, operand);
        }
        makeStrict(node.op, node.args, strict);
        break;
      case 'map':
        for (const entry of node.args) {
          if (entry[0].op !== 'value') entry[0] = guard('guardKey', entry[0], entry[0]);
        }
        break;
      case 'rcall':
        if (node.args[0] === 'matches') node.args[0] = SAFE_MATCHES;
        break;
    }
  });
}

/** A missing field must not turn into `false` because the other side happens to decide (contract 3). */
function makeStrict(op: '&&' | '||', operands: [CelNode, CelNode], strict: TreeBuilder['strict']): void {
  const { first, neutral } = strict(op, operands[0], operands[1]);
  operands[0] = first;
  operands[1] = neutral;
}

/** Keys that the library drops from a map without a word. */
export function isUnusableKey(key: unknown): boolean {
  return UNUSABLE_KEYS.has(key);
}

function mayBeNoBool(node: CelNode): boolean {
  if ((node.op === 'call' || node.op === 'rcall') && ALWAYS_BOOL.has(node.args[0])) return false;
  return MAYBE_NOT_BOOL.has(node.op);
}

/** Children are listed before the node is handed out: what `act` puts in their place is not visited. */
function forEachNode(root: CelNode, act: (node: CelNode) => void): void {
  const open: CelNode[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    open.push(...childrenOf(node).reverse());
    act(node);
  }
}

export function childrenOf(node: CelNode): CelNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case 'call':
      return [...node.args[1]];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case 'map':
      return node.args.flat();
    case '!_':
    case '-_':
      return [node.args];
    default:
      return [...node.args];
  }
}

function pathOf(node: CelNode, roots: ReadonlySet<string>): ReadPath | null {
  const segments: PathSegment[] = [];
  let at = node;
  while (at.op !== 'id') {
    if (at.op === '.') segments.unshift(at.args[1]);
    else if (at.op === '[]' && typeof at.args[1].args === 'string' && at.args[1].op === 'value') {
      segments.unshift(at.args[1].args);
    } else if (at.op === '[]' && typeof at.args[1].args === 'bigint') {
      segments.unshift(Number(at.args[1].args));
    } else return null;
    at = at.args[0];
  }
  if (!roots.has(at.args)) return null;
  return { text: at.args + segments.map(segmentText).join(''), variable: at.args, segments };
}

function segmentText(segment: PathSegment): string {
  if (typeof segment === 'number') return `[${segment}]`;
  return IDENTIFIER.test(segment) && !KEYWORDS.has(segment) ? `.${segment}` : `[${JSON.stringify(segment)}]`;
}

/** The variable of `list.exists(x, …)` and its like. */
export function comprehensionVariable(node: CelNode): string | null {
  if (node.op !== 'rcall') return null;
  const [name, , [variable, ...parts]] = node.args;
  if (!Object.hasOwn(COMPREHENSIONS, name) || variable?.op !== 'id') return null;
  return COMPREHENSIONS[name]?.includes(parts.length + 1) ? variable.args : null;
}

/** The variable of `cel.bind(x, value, …)`. */
export function boundVariable(node: CelNode): string | null {
  if (node.op !== 'rcall' || node.args[0] !== 'bind' || node.args[2].length !== 3) return null;
  const variable = node.args[2][0];
  return variable?.op === 'id' ? variable.args : null;
}
