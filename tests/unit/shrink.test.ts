import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, type Json } from '../../src/core/json.ts';
import { cutToBytes, shrunk } from '../../src/core/shrink.ts';

const sizeOf = (value: Json): number => Buffer.byteLength(canonicalJson(value));
const within =
  (bytes: number) =>
  (value: Json): boolean =>
    sizeOf(value) <= bytes;

test('a text is cut by bytes, with a mark, and never inside a character', () => {
  expect(cutToBytes('short', 100)).toBe('short');
  expect(cutToBytes('é'.repeat(50), 100)).toBe('é'.repeat(50));
  const cut = cutToBytes('😀'.repeat(50), 100);
  expect(cut).toMatch(/^(😀)+… \[truncated\]$/u);
  expect(Buffer.byteLength(cut)).toBeGreaterThan(96);
  expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(100);
});

test('what is short stays as it is', () => {
  const value = { list: [1, 'x', null, { a: true }], text: 'é' };
  expect(shrunk(value, 100, within(1000))).toEqual(value);
});

test('long texts and names are cut wherever they stand', () => {
  const value = { [`k${'k'.repeat(200)}`]: [{ deep: 'x'.repeat(200) }] };
  const [[name, member] = ['', null]] = Object.entries(shrunk(value, 100, within(1000)) as object);
  expect(name).toMatch(/^k+… \[truncated\]$/);
  expect(member).toEqual([{ deep: expect.stringMatching(/^x+… \[truncated\]$/) }]);
});

test('lists lose their ends, and say how many they lost', () => {
  const tasks = Array.from({ length: 1000 }, (_, n) => ({ id: `T-${n}` }));
  const short = shrunk({ tasks, few: [1, 2, 3] }, 100, within(500)) as { tasks: Json[]; few: Json[] };
  const kept = short.tasks.length - 1;
  expect(short.tasks).toEqual([...tasks.slice(0, kept), `… [${1000 - kept} left out]`]);
  expect(short.few).toEqual([1, 2, 3]);
  expect(sizeOf(short)).toBeGreaterThan(450);
});

test('a list inside the only element of a list loses its end', () => {
  const short = shrunk([{ runs: Array(1000).fill('abc') }], 100, within(200));
  expect(short).toEqual([{ runs: expect.arrayContaining([expect.stringMatching(/^… \[\d+ left out\]$/)]) }]);
});

test('an object of very many members loses some, and says how many', () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`k${n}`, n]));
  const short = shrunk(many, 100, within(300)) as Record<string, Json>;
  expect(Object.keys(short).length).toBeGreaterThan(10);
  expect(short['…']).toBe(`[${1000 - (Object.keys(short).length - 1)} left out]`);
});

test('whatever it is, it fits, is valid JSON, and is the same again whatever the order of members', () => {
  const reversed = (value: Json): Json => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(reversed);
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([name, member]) => [name, reversed(member)]),
    );
  };
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 120, max: 400 }), (generated, bytes) => {
      const value: Json = JSON.parse(JSON.stringify(generated));
      const short = shrunk(value, 64, within(bytes));
      expect(sizeOf(short)).toBeLessThanOrEqual(bytes);
      expect(JSON.parse(canonicalJson(short))).toEqual(short);
      expect(canonicalJson(shrunk(reversed(value), 64, within(bytes)))).toBe(canonicalJson(short));
    }),
    { numRuns: 500 },
  );
});
