/** Text from outside, made safe for a terminal: control sequences and direction overrides would be obeyed by it. */
import { stripVTControlCharacters } from 'node:util';

const INVISIBLE = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
const ESCAPED_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** One line: white space of every kind becomes a space. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/\s+/g, ' ').replaceAll(INVISIBLE, '');
}

/** Keeps line breaks. */
export function printableLines(text: string): string[] {
  return stripVTControlCharacters(text)
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) => line.replaceAll('\t', '  ').replaceAll(INVISIBLE, ''));
}

/** The same JSON value; what a terminal would obey is written as `\u….`. */
export function printableJson(value: unknown, indent = 2): string {
  return (JSON.stringify(value, null, indent) ?? 'null').replaceAll(
    ESCAPED_IN_JSON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
