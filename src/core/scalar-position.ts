/** From a place in a scalar's value to the place in the YAML text that wrote it. */
import type { ParsedNode, Scalar } from 'yaml';

type ScalarNode = Extract<ParsedNode, Scalar>;

/** Exact for what stands on one line and for `|` blocks; else the scalar's beginning. */
export function offsetInSource(node: ScalarNode, offset: number, text: string): number {
  const [start, end] = node.range;
  const value = String(node.value);
  if (node.type === 'BLOCK_LITERAL') return inLiteralBlock(text, start, value, offset) ?? start;
  const written = text.slice(start, end);
  if (written.includes('\n')) return start;
  if (node.type === 'QUOTE_SINGLE') return start + 1 + writtenLength(written.slice(1), /''/y, offset);
  if (node.type === 'QUOTE_DOUBLE') {
    return start + 1 + writtenLength(written.slice(1), /\\(x..|u.{4}|U.{8}|.)/y, offset);
  }
  return start + Math.min(offset, written.length);
}

/** How many characters were written for the first `count` of the value; `escaped` matches what stands for one. */
function writtenLength(written: string, escaped: RegExp, count: number): number {
  let at = 0;
  for (let seen = 0; seen < count && at < written.length; seen += 1) {
    escaped.lastIndex = at;
    at += escaped.exec(written)?.[0].length ?? 1;
  }
  return at;
}

function inLiteralBlock(text: string, start: number, value: string, offset: number): number | null {
  const before = value.slice(0, offset).split('\n');
  const column = before.at(-1)?.length ?? 0;
  const wanted = value.split('\n')[before.length - 1] ?? '';
  let lineStart = start;
  for (let line = 0; line < before.length; line += 1) {
    lineStart = text.indexOf('\n', lineStart) + 1;
    if (lineStart === 0) return null;
  }
  const lineEnd = text.indexOf('\n', lineStart);
  const written = text.slice(lineStart, lineEnd < 0 ? undefined : lineEnd).replace(/\r$/, '');
  return written.endsWith(wanted) ? lineStart + written.length - wanted.length + column : null;
}
