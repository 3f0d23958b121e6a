/**
 * Texts with JSON in them. PostgreSQL keeps a value and not the order of its members: `{{ item }}` of what a source bound is
 * written in another order when it comes from the record. Nothing else may differ, so no number is parsed and no member dropped.
 */
import { canonicalJson, type Json } from '../core/json.ts';

/** Equal for values whose texts are equal but for the order of members in the JSON that they hold. */
export function comparableJson(value: Json): string {
  return canonicalJson(withOrderedTexts(value));
}

export const isSameText = (one: string, other: string): boolean =>
  one === other || (one.length === other.length && orderedText(one) === orderedText(other));

function withOrderedTexts(value: Json): Json {
  if (typeof value === 'string') return orderedText(value);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(withOrderedTexts);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withOrderedTexts(one)]));
}

/** Deeper ones are left as they are written. */
const MOST_DEPTH = 100;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** Every character is read once: what turns out to be no JSON is not begun again inside of what was read of it. */
function orderedText(text: string): string {
  let written = '';
  let at = 0;
  for (let start = text.indexOf('{'); start >= 0; start = text.indexOf('{', at)) {
    const read = readList(text, start, 0);
    written += text.slice(at, start) + read.written;
    at = read.end;
  }
  return at === 0 ? text : written + text.slice(at);
}

/** From where it began to `end`, in order. Not whole: at `end` stands what is no JSON. */
interface Read {
  end: number;
  written: string;
  isWhole: boolean;
}

function readList(text: string, start: number, depth: number): Read {
  const opening = text[start];
  const closing = opening === '{' ? '}' : ']';
  const members: Member[] = [];
  let end = start + 1;
  let isWhole = text[end] === closing;
  while (!isWhole) {
    const member = opening === '{' ? readMember(text, end, depth) : readElement(text, end, depth);
    members.push(member);
    end = member.end;
    if (!member.isWhole || (text[end] !== ',' && text[end] !== closing)) break;
    isWhole = text[end] === closing;
    if (!isWhole) end += 1;
  }
  // Of one name several keep their order, for it says which of them counts.
  if (isWhole && opening === '{') members.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const written = `${opening}${members.map((member) => member.written).join(',')}`;
  return isWhole ? { end: end + 1, written: written + closing, isWhole } : { end, written, isWhole };
}

/** `name` as it is written, with its quotes. */
interface Member extends Read {
  name: string;
}

function readMember(text: string, start: number, depth: number): Member {
  const name = text.slice(start, endOfString(text, start));
  const at = start + name.length;
  if (name === '' || text[at] !== ':') return { name, end: at, written: name, isWhole: false };
  const value = readElement(text, at + 1, depth);
  return { ...value, name, written: `${name}:${value.written}` };
}

function readElement(text: string, start: number, depth: number): Member {
  const isList = text[start] === '{' || text[start] === '[';
  if (isList && depth < MOST_DEPTH) return { ...readList(text, start, depth + 1), name: '' };
  const end = text[start] === '"' ? endOfString(text, start) : endOfScalar(text, start);
  return { name: '', end, written: text.slice(start, end), isWhole: end > start };
}

/** Behind its closing quote; where it begins, if it is none. */
function endOfString(text: string, start: number): number {
  if (text[start] !== '"') return start;
  for (let at = start + 1; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '"') return at + 1;
    if (character < ' ') return start;
    if (character === '\\') at++;
  }
  return start;
}

function endOfScalar(text: string, start: number): number {
  SCALAR.lastIndex = start;
  return SCALAR.test(text) ? SCALAR.lastIndex : start;
}
