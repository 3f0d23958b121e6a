/**
 * One YAML document of an author: bytes → JSON value, with the place of each value in the text.
 *
 * Stricter than YAML, since these files come from many hands: UTF-8, one document, 256 KiB, 64 levels,
 * no duplicate keys, no unknown tags, nothing that JSON or PostgreSQL could not hold.
 */
import { createHash } from 'node:crypto';
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type ParsedNode,
  Parser,
} from 'yaml';
import { canonicalJson, isObject, type Json, type JsonObject } from './json.ts';
import { offsetInSource } from './scalar-position.ts';
import { findUnstorable } from './storable.ts';
import { complaintInWords, QUOTE_ALIAS } from './yaml-complaint.ts';

export const MAX_DOCUMENT_BYTES = 256 * 1024;
const MAX_DEPTH = 64;
/** Values after aliases are expanded; a file without aliases cannot reach it unnoticed, a bomb does at once. */
const MAX_VALUES = 50_000;
const MAX_FAULTS = 20;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const CONTROL_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

export type Path = (string | number)[];

/** Both count from 1; columns in UTF-16 units. */
export interface Position {
  line: number;
  column: number;
}

export interface Fault extends Position {
  path: Path;
  message: string;
}

export interface SourceDocument {
  value: JsonObject;
  /** The place of a value, or of its key; of the nearest parent where the path does not exist. `offset` counts in the scalar's text. */
  locate(path: Path, at?: 'value' | 'key', offset?: number | null): Position;
}

/** `spared`: the faults of values that the reader can do without. */
export type ParsedDocument =
  | { ok: true; document: SourceDocument; spared: Fault[] }
  | { ok: false; faults: Fault[] };

const SPARE_NOTHING = (): boolean => false;

/** The revision's name: SHA-256, in hex, of the canonical JSON (contract 3). */
export function contentSha256(document: unknown): string {
  return createHash('sha256').update(canonicalJson(document)).digest('hex');
}

/** `rules[0].task.title`; names that are no identifiers stand in quotes. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[\w$-]+$/.test(step)) return `[${JSON.stringify(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

/** Never throws, whatever the bytes are. A fault at a path that `spares` takes does not count against the document. */
export function parseDocument(
  bytes: Uint8Array,
  maxBytes = MAX_DOCUMENT_BYTES,
  spares: (path: Path) => boolean = SPARE_NOTHING,
): ParsedDocument {
  if (bytes.length > maxBytes) {
    return refuse(`the file is larger than the ${maxBytes} bytes allowed`);
  }
  const text = decodeUtf8(bytes);
  if (text === null) return refuse('the file is not UTF-8 text');

  const lines = new LineCounter();
  const composed = compose(text, lines);
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const refuseAt = (offset: number, message: string): ParsedDocument => ({
    ok: false,
    faults: [{ ...at(offset), path: [], message }],
  });

  const control = CONTROL_CHARACTER.exec(text);
  if (control) {
    const code = text.charCodeAt(control.index).toString(16).toUpperCase().padStart(4, '0');
    return refuseAt(control.index, `found the control character U+${code}, expected text`);
  }
  if ('tooDeepAt' in composed) return refuseAt(composed.tooDeepAt, `nested deeper than ${MAX_DEPTH} levels`);

  const [first, second] = composed.documents;
  // The first alone: what the parser says after it has lost its way misleads.
  const complaint = first?.errors.sort((a, b) => a.pos[0] - b.pos[0])[0] ?? first?.warnings[0];
  if (complaint) return refuseAt(complaint.pos[0], complaintInWords(complaint, text));
  if (second) return refuseAt(second.range[0], 'a second document begins here; expected one in a file');
  if (!first?.contents || (isScalar(first.contents) && first.contents.value === null)) {
    return refuse('the file is empty; expected a mapping of fields');
  }

  const tree = buildTree(first.contents, at, spares);
  if (tree.faults.length > 0) return { ok: false, faults: tree.faults.slice(0, MAX_FAULTS) };
  if (!isObject(tree.root.value)) {
    return refuseAt(first.contents.range[0], 'expected a mapping of fields at the top of the file');
  }
  return {
    ok: true,
    spared: tree.spared,
    document: {
      value: tree.root.value,
      locate: (path, kind = 'value', offset = null) => at(findOffset(tree.root, path, kind, offset, text)),
    },
  };
}

function refuse(message: string): ParsedDocument {
  return { ok: false, faults: [{ line: 1, column: 1, path: [], message }] };
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

type Composed = { documents: Document.Parsed[] } | { tooDeepAt: number };

/**
 * The parser is driven by hand because the composer recurses: without a look at the parser's stack in between,
 * a file of brackets overflows ours. Keys are compared in `buildTree`, where it does not take quadratic time.
 */
function compose(text: string, lines: LineCounter): Composed {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  const tokens: CST.Token[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > MAX_DEPTH + 3) return { tooDeepAt: parser.offset - lexeme.length };
  }
  for (const token of parser.end()) tokens.push(token);
  const composer = new Composer<ParsedNode>({
    schema: 'core',
    resolveKnownTags: false,
    stringKeys: true,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  return { documents: [...composer.compose(tokens, true, text.length)] };
}

/** A value with the node that it came from, and its members'. */
interface Place {
  value: Json;
  node: ParsedNode;
  keyOffset: number | null;
  members: Map<string | number, Place>;
}

function buildTree(
  contents: ParsedNode,
  at: (offset: number) => Position,
  spares: (path: Path) => boolean,
): { root: Place; faults: Fault[]; spared: Fault[] } {
  const faults: Fault[] = [];
  const spared: Fault[] = [];
  const anchors = new Map<string, ParsedNode>();
  let values = 0;
  const fault = (node: ParsedNode, path: Path, message: string) => {
    const list = spares(path) ? spared : faults;
    list.push({ ...at(node.range[0]), path, message });
  };

  const build = (node: ParsedNode, path: Path, keyOffset: number | null): Place => {
    const place: Place = { value: null, node, keyOffset, members: new Map() };
    values += 1;
    if (values > MAX_VALUES) {
      const message = `more than ${MAX_VALUES} values once its aliases are expanded`;
      // Never spared: what follows is not read.
      if (values === MAX_VALUES + 1) faults.push({ ...at(node.range[0]), path, message });
      return place;
    }
    if (path.length > MAX_DEPTH) {
      fault(node, path, `nested deeper than ${MAX_DEPTH} levels`);
      return place;
    }
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target) return build(target, path, keyOffset);
      const message = `the alias \`*${node.source}\` has no complete anchor \`&${node.source}\` before it`;
      fault(node, path, `${message}; ${QUOTE_ALIAS}`);
    } else if (isMap(node)) {
      place.value = buildMap(node, path, place.members);
    } else if (isSeq(node)) {
      place.value = node.items.map((item, index) => {
        const member = build(item, [...path, index], null);
        place.members.set(index, member);
        return member.value;
      });
    } else if (isScalar(node)) {
      const message = scalarFault(node);
      if (message) fault(node, path, message);
      else place.value = node.value as Json;
    }
    if (!isAlias(node) && node.anchor) anchors.set(node.anchor, node);
    return place;
  };

  const buildMap = (node: ParsedNode, path: Path, members: Map<string | number, Place>): JsonObject => {
    const object: JsonObject = {};
    if (!isMap<ParsedNode, ParsedNode | null>(node)) return object;
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : null;
      if (name === null) fault(key, path, 'expected a text as the key');
      else if (name === '__proto__') fault(key, [...path, name], 'the key `__proto__` is not allowed');
      else if (members.has(name)) {
        const first = at(members.get(name)?.keyOffset ?? node.range[0]).line;
        const message = `the key \`${name}\` stands here a second time; it stands in line ${first} already`;
        fault(key, [...path, name], `${message}, and only one of the two can stay`);
      } else {
        const member = value
          ? build(value, [...path, name], key.range[0])
          : { value: null, node: key, keyOffset: key.range[0], members: new Map() };
        members.set(name, member);
        object[name] = member.value;
      }
    }
    const unstorable = findUnstorable(Object.fromEntries([...members.keys()].map((name) => [name, null])));
    if (unstorable) fault(node, path, unstorable.message);
    return object;
  };

  return { root: build(contents, [], null), faults, spared };
}

function scalarFault(node: ParsedNode): string | null {
  if (!isScalar(node)) return null;
  // YAML would drop it, and turn a condition into its opposite.
  if (node.tag === '!') return '`!` with a space behind it is a tag for YAML; put the whole value in quotes';
  const { value, source } = node;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return `expected a finite number, found \`${source}\``;
    const whole = /^[-+]?(\d+|0[xo][\da-fA-F]+)$/.test(source ?? '');
    if (whole && !Number.isSafeInteger(value))
      return `\`${source}\` is too large to be kept exactly; quote it`;
    return null;
  }
  if (typeof value === 'string') {
    const unstorable = findUnstorable(value);
    return unstorable && `this text ${unstorable.message}`;
  }
  return value === null || typeof value === 'boolean'
    ? null
    : 'expected a text, a number, true, false or null';
}

function findOffset(
  root: Place,
  path: Path,
  at: 'value' | 'key',
  offset: number | null,
  text: string,
): number {
  let place = root;
  for (const [index, step] of path.entries()) {
    const member = place.members.get(step);
    if (!member) return place.node.range[0];
    place = member;
    if (index === path.length - 1 && at === 'key' && place.keyOffset !== null) return place.keyOffset;
  }
  if (offset !== null && isScalar(place.node)) return offsetInSource(place.node, offset, text);
  return place.node.range[0];
}
