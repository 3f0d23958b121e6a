/** Why an operator or a function does not take what it is given, and what to write instead. */
import type { CelNode } from './expression-node.ts';
import { nearestName } from './wording.ts';

const KINDS: ReadonlyMap<string, string> = new Map([
  ['string', 'a text (string)'],
  ['int', 'a whole number (int)'],
  ['uint', 'a whole number (uint)'],
  ['double', 'a number (double)'],
  ['bool', 'true or false (bool)'],
  ['null', 'null'],
  ['bytes', 'bytes'],
  ['google.protobuf.Timestamp', 'a time'],
  ['google.protobuf.Duration', 'a duration'],
]);
const COMPARING = new Set(['==', '!=', '<', '<=', '>', '>=']);

/** As in ` (a is a text (string), 3 a whole number (int): write "3")`; `summary` is the library's, `part` the text of a node. */
export function overloadHint(node: CelNode, summary: string, part: (node: CelNode) => string): string {
  const said = /^no such overload: (.*)$/.exec(summary)?.[1];
  if (said === undefined || !isOperation(node)) return '';
  const [leftType, rightType] = said.split(` ${node.op} `);
  if (leftType === undefined || rightType === undefined) return '';
  const [left, right] = node.args;
  const advice = adviceFor(node.op, { node: left, type: leftType }, { node: right, type: rightType }, part);
  const sides = `${part(left)} is ${kindOf(leftType)}, ${part(right)} ${kindOf(rightType)}`;
  return ` (${sides}${advice === null ? '' : `: ${advice}`})`;
}

interface Side {
  node: CelNode;
  type: string;
}

function adviceFor(op: string, left: Side, right: Side, part: (node: CelNode) => string): string | null {
  const text = left.type === 'string' ? left : right.type === 'string' ? right : null;
  const other = text === left ? right : left;
  if (op === 'in' && left.type === 'string' && right.type === 'string') {
    return `write ${part(right.node)}.contains(${part(left.node)})`;
  }
  const types = [left.type, right.type];
  if (types.includes('null')) return 'it is never null; where it may be missing, ask with has(…)';
  if (types.includes('int') && types.includes('double')) {
    return 'numbers without a fraction are int: write 2.0 for a double, or double(…) around an int';
  }
  if (!text || !['int', 'double', 'bool'].includes(other.type)) return null;
  if (op === '+') return `write string(${part(other.node)})`;
  if (!COMPARING.has(op)) return null;
  if (text.node.op === 'value') {
    const meant = literalMeant(String(text.node.args), other.type);
    return meant === null ? null : `write ${meant}, without quotes`;
  }
  return other.node.op === 'value'
    ? `write ${JSON.stringify(String(other.node.args))}`
    : `write string(${part(other.node)})`;
}

/** The text as a literal of this type; null where it is none. */
function literalMeant(text: string, type: string): string | null {
  if (type === 'bool') return text === 'true' || text === 'false' ? text : null;
  if (!/^-?\d+(\.\d+)?$/.test(text)) return null;
  if (type === 'int') return text.includes('.') ? null : text;
  return text.includes('.') ? text : `${text}.0`;
}

function kindOf(type: string): string {
  if (type.startsWith('list')) return 'a list';
  return KINDS.get(type) ?? 'an object';
}

function isOperation(node: CelNode): node is CelNode & { op: '==' | '+' | 'in' } {
  return COMPARING.has(node.op) || ['+', '-', '*', '/', '%', 'in'].includes(node.op);
}

const FUNCTIONS = [
  'all',
  'contains',
  'endsWith',
  'exists',
  'exists_one',
  'filter',
  'indexOf',
  'join',
  'lastIndexOf',
  'lowerAscii',
  'map',
  'matches',
  'size',
  'split',
  'startsWith',
  'substring',
  'trim',
  'upperAscii',
  'double',
  'duration',
  'int',
  'has',
  'string',
  'timestamp',
];
/** What other languages call them. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['any', 'exists'],
  ['count', 'size'],
  ['date', 'timestamp'],
  ['downcase', 'lowerAscii'],
  ['float', 'double'],
  ['includes', 'contains'],
  ['len', 'size'],
  ['length', 'size'],
  ['lower', 'lowerAscii'],
  ['number', 'double'],
  ['some', 'exists'],
  ['str', 'string'],
  ['strip', 'trim'],
  ['substr', 'substring'],
  ['test', 'matches'],
  ['tolowercase', 'lowerAscii'],
  ['tostring', 'string'],
  ['touppercase', 'upperAscii'],
  ['upcase', 'upperAscii'],
  ['upper', 'upperAscii'],
]);

/** Those that are called on a value and take nothing more, and those that are put around it. */
const CALLED_ALONE = new Set(['lowerAscii', 'trim', 'upperAscii']);
const PUT_AROUND = new Set(['double', 'duration', 'int', 'size', 'string', 'timestamp']);

/** Of `subject | name`, as in the templates of other languages. */
export function filterHint(subject: string, name: string): string {
  const instead = calledInstead(subject, name);
  const remedy = instead === null ? 'or is written ||' : `write ${instead}`;
  return ` (templates and expressions have no filters; ${remedy})`;
}

/** Null where it would be a guess: what a filter takes of a longer expression differs from language to language. */
function calledInstead(subject: string, name: string): string | null {
  if (!/^[a-z_]\w*(\.\w+)+$/i.test(subject)) return null;
  if (name === 'default') return `has(${subject}) ? ${subject} : …`;
  const called = OTHER_NAMES.get(name.toLowerCase()) ?? name;
  if (!FUNCTIONS.includes(called) || called === 'has') return null;
  if (PUT_AROUND.has(called)) return `${called}(${subject})`;
  return `${subject}.${called}(${CALLED_ALONE.has(called) ? '' : '…'})`;
}

/** `; did you mean size?` where there is no function of this name. */
export function functionHint(node: CelNode): string {
  if (node.op !== 'call' && node.op !== 'rcall') return '';
  const [name] = node.args;
  if (FUNCTIONS.includes(name)) return '';
  const near = OTHER_NAMES.get(name.toLowerCase()) ?? nearestName(name, FUNCTIONS);
  return near === null ? '' : `; did you mean ${near}?`;
}
