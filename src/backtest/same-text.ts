/**
 * Texts with JSON in them. PostgreSQL keeps a value and not the order of its members: `{{ item }}` of what a source bound is
 * written in another order when it comes from the record.
 */
import { canonicalJson } from '../core/json.ts';

/** Equal but for the order of members. */
export function isSameText(one: string, other: string): boolean {
  if (one === other) return true;
  if (one.length !== other.length || !one.includes('{')) return false;
  return inOneOrder(one) === inOneOrder(other);
}

function inOneOrder(text: string): string {
  let written = '';
  for (let at = 0; at < text.length; ) {
    const end = text[at] === '{' ? endOfObject(text, at) : -1;
    const object = end < 0 ? null : parsed(text.slice(at, end));
    written += object === null ? text[at] : canonicalJson(object);
    at = object === null ? at + 1 : end;
  }
  return written;
}

/** Behind the brace that closes this one; -1 where none does. */
function endOfObject(text: string, start: number): number {
  let depth = 0;
  let isString = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (isString && character === '\\') at++;
    else if (character === '"') isString = !isString;
    else if (!isString && character === '{') depth++;
    else if (!isString && character === '}' && --depth === 0) return at + 1;
  }
  return -1;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
