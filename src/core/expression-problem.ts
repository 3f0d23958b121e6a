/** What is told of an expression that does not check, or that failed: always with the part of it that is at fault. */
import type { CelNode } from './expression-node.ts';
import { filterHint, functionHint, overloadHint } from './expression-overload.ts';
import { SAFE_MATCHES } from './expression-tree.ts';
import type { CelType } from './expression-types.ts';
import { cut } from './expression-values.ts';
import { listNames, nearestName } from './wording.ts';

/** An error of the library, or of its host; `node` is the part at fault. */
export interface Fault {
  code: string | null;
  summary: string;
  node: CelNode | null;
  offset: number | null;
}

/** `offset`: in UTF-16 units from the expression's start. */
export interface ExpressionProblem {
  message: string;
  offset: number;
}

export interface Known {
  variables: ReadonlyMap<string, CelType>;
  /** Variables that exist elsewhere, with the reason why not here. */
  hidden: ReadonlyMap<string, string>;
  /** The element of `for_each`; null outside of one. */
  element: string | null;
  declaredFields: (typeName: string) => readonly string[];
  /** The field that a name there is compared with, and is a value of. */
  unquotedAt: (offset: number) => string | null;
}

const LONGEST_EXCERPT = 200;
const MOST_NAMES = 12;
/** What others call the attributes of an event. */
const OTHER_NAMES = ['body', 'data', 'payload'];
/** The element of a `for_each` without `as`. */
const UNNAMED = 'item';

export function problemOf(fault: Fault, source: string, known: Known): ExpressionProblem {
  const offset = fault.offset ?? fault.node?.start ?? 0;
  const { node } = fault;
  if (fault.code === 'unknown_variable' && node?.op === 'id') {
    return { message: unknownVariable(node.args, offset, known), offset };
  }
  if (fault.code === 'no_such_key' && (node?.op === '.' || node?.op === '[]')) {
    return { message: unknownField(node, source, known), offset };
  }
  const hint = node ? overloadHintOf(node, fault, source) : syntaxHint(source);
  return { message: faultMessage(fault, source) + hint, offset };
}

/** As in `context.metrics.summary.rate: No such key: rate`. */
export function faultMessage(fault: Fault, source: string): string {
  const part = fault.node ? excerpt(source, fault.node) : null;
  const summary = readable(fault.summary);
  return part === null ? summary : `${part}: ${summary}`;
}

function unknownVariable(
  name: string,
  offset: number,
  { variables, hidden, element, unquotedAt }: Known,
): string {
  const reason = hidden.get(name);
  if (reason !== undefined) return `${name} is not visible here: ${reason}`;
  const field = unquotedAt(offset);
  if (field !== null) return `unknown variable ${name}; a value of ${field} is a text: write '${name}'`;
  const context = variables.get('context');
  const isBound = context?.kind === 'object' && context.fields.has(name);
  const nearest = isBound ? `context.${name}` : nearestName(name, variables.keys());
  const visible = `visible are ${listNames([...variables.keys()])}`;
  const meant = nearest === null ? '' : `; did you mean ${nearest}?`;
  return `unknown variable ${name}; ${visible}${meant}${elementHint(name, nearest, element)}`;
}

/** Of `for_each`, whose element has a name of its own only with `as`. */
function elementHint(name: string, nearest: string | null, element: string | null): string {
  if (element === null) return name === UNNAMED ? '; only a rule with `for_each` has it' : '';
  if (element === UNNAMED) {
    return `; the element of \`for_each\` is called ${UNNAMED}, or what \`as\` says, as in \`as: ${name}\``;
  }
  return nearest === element ? '' : `; the element of \`for_each\` is called ${element} here, as \`as\` says`;
}

function unknownField(node: CelNode & { op: '.' | '[]' }, source: string, known: Known): string {
  const [object, key] = node.args;
  const name = typeof key === 'string' ? key : String(key.args);
  const declared = known.declaredFields(checkedTypeName(object) ?? '');
  const owner = excerpt(source, object);
  if (declared.length === 0) return `${owner} has no field ${name}: it declares none`;
  const isData = OTHER_NAMES.includes(name) && declared.includes('attributes');
  const nearest = isData ? 'attributes' : nearestName(name, declared);
  const some = declared.slice(0, MOST_NAMES);
  const listed = listNames(some) + (declared.length > some.length ? ', …' : '');
  const meant = nearest === null ? '' : `; did you mean ${nearest}?`;
  return `${owner} has no field ${name}; it declares ${listed}${meant}`;
}

/** The checker leaves the type at the node; the library's declarations do not tell. */
function checkedTypeName(node: CelNode): string | null {
  const type: unknown = Reflect.get(node, 'checkedType');
  return typeof type === 'object' && type !== null && 'name' in type ? String(type.name) : null;
}

function overloadHintOf(node: CelNode, { code, summary }: Fault, source: string): string {
  if (code === 'no_matching_overload') return functionHint(node);
  return overloadHint(node, readable(summary), (part) => excerpt(source, part));
}

/** Of an expression that cannot be parsed: what writers of other languages mean by it. */
function syntaxHint(source: string): string {
  if (source.includes('{{')) return ' (an expression stands here by itself: leave out {{ }})';
  const code = source.replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, (text) => '"'.repeat(text.length));
  const filtered = /(?<!\|)\|(?!\|)\s*(\w*)/.exec(code);
  if (filtered) return filterHint(source.slice(0, filtered.index).trim(), filtered[1] ?? '');
  if (/\b(and|or|not)\b/i.test(code)) return ' (write && for and, || for or, ! for not)';
  if (/[^=!<>]=[^=]/.test(code)) return ' (write == to compare)';
  return '';
}

function readable(summary: string): string {
  let text = summary.replaceAll(SAFE_MATCHES, 'matches');
  for (let before = ''; before !== text; ) {
    before = text;
    text = text.replaceAll(/dyn<((?:[^<>]|<[^<>]*>)*)>/g, '$1');
  }
  return text;
}

export function excerpt(source: string, node: CelNode): string {
  const text = source.slice(node.start, node.end).replaceAll(/\s+/g, ' ');
  return text.length > LONGEST_EXCERPT ? `${cut(text, LONGEST_EXCERPT)}…` : text;
}
