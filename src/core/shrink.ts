/** What is too long for a prompt or a report: cut with a mark, always in the same way. */
import { TRUNCATED } from './expression-values.ts';
import type { Json } from './json.ts';

/** At most `maxBytes` of UTF-8; what is cut ends in `… [truncated]`. Never half of a character. */
export function cutToBytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  return firstBytes(text, maxBytes - Buffer.byteLength(TRUNCATED)) + TRUNCATED;
}

/** As much of it as UTF-8 takes `most` bytes for. Never half of a character. */
export function firstBytes(text: string, most: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(most));
  return text.slice(0, read);
}

/**
 * The value with its texts and names cut to `maxTextBytes`. Where it does not fit then, every list is cut after the same
 * number of elements, the largest with which it fits, and a last element says how many are left out: `… [37 left out]`.
 * Objects are cut too, by name, only where it does not fit without any element.
 */
export function shrunk(value: Json, maxTextBytes: number, fits: (value: Json) => boolean): Json {
  const short = cutTexts(value, maxTextBytes);
  if (fits(short)) return short;
  return largestThatFits(short, 'lists', fits) ?? largestThatFits(short, 'objects', fits) ?? TRUNCATED;
}

function cutTexts(value: Json, maxBytes: number): Json {
  if (typeof value === 'string') return cutToBytes(value, maxBytes);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((element) => cutTexts(element, maxBytes));
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    entries.map(([name, member]) => [cutToBytes(name, maxBytes), cutTexts(member, maxBytes)]),
  );
}

/** `objects`: lists too. */
type WhatToCut = 'lists' | 'objects';

function largestThatFits(value: Json, what: WhatToCut, fits: (value: Json) => boolean): Json | null {
  let best: Json | null = null;
  let [least, tooMany] = [0, longest(value) + 1];
  while (least < tooMany) {
    const middle = Math.floor((least + tooMany) / 2);
    const candidate = cutAfter(value, middle, what);
    if (fits(candidate)) [best, least] = [candidate, middle + 1];
    else tooMany = middle;
  }
  return best;
}

function longest(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0;
  const members = Object.values(value);
  return members.reduce<number>((most, member) => Math.max(most, longest(member)), members.length);
}

function cutAfter(value: Json, most: number, what: WhatToCut): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const kept = value.slice(0, most).map((element) => cutAfter(element, most, what));
    const leftOut = value.length - kept.length;
    return leftOut > 0 ? [...kept, `… [${leftOut} left out]`] : kept;
  }
  const entries = Object.entries(value);
  const kept = (what === 'objects' ? entries.slice(0, most) : entries).map(
    ([name, member]): [string, Json] => [name, cutAfter(member, most, what)],
  );
  const leftOut = entries.length - kept.length;
  return Object.fromEntries(leftOut > 0 ? [...kept, ['…', `[${leftOut} left out]`]] : kept);
}
