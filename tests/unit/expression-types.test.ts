import { describe, expect, test } from 'vitest';
import { type CelType, DYN, typeOfSchema } from '../../src/core/expression-types.ts';
import {
  conversionOf,
  MISSING,
  readPath,
  shown,
  TRUNCATED,
  toJson,
} from '../../src/core/expression-values.ts';
import type { JsonSchema } from '../../src/core/json.ts';

const kindOf = (schema: JsonSchema): string => typeOfSchema(schema).kind;
const fieldOf = (type: CelType, name: string): CelType | undefined =>
  type.kind === 'object' ? type.fields.get(name) : undefined;

describe('a JSON Schema as a type', () => {
  test('scalars, lists and maps have their types', () => {
    expect(kindOf({ type: 'integer' })).toBe('int');
    expect(kindOf({ type: 'number' })).toBe('double');
    expect(kindOf({ type: 'string' })).toBe('string');
    expect(kindOf({ type: 'boolean' })).toBe('bool');
    expect(typeOfSchema({ type: 'array', items: { type: 'integer' } })).toEqual({
      kind: 'list',
      element: { kind: 'int' },
    });
    expect(typeOfSchema({ type: 'object', additionalProperties: { type: 'number' } })).toEqual({
      kind: 'map',
      value: { kind: 'double' },
    });
    expect(kindOf({ enum: ['a', 'b'] })).toBe('string');
    expect(kindOf({ const: 'a' })).toBe('string');
  });

  test('what may be several things is dynamic', () => {
    const schemas: JsonSchema[] = [
      true,
      {},
      { type: ['string', 'null'] },
      { oneOf: [{ type: 'string' }, { type: 'integer' }] },
      { enum: ['a', 1] },
      { type: 'object' },
      { type: 'object', additionalProperties: true },
      { type: 'object', properties: { a: { type: 'integer' } }, allOf: [{ properties: { b: true } }] },
      { $ref: 'https://example.org/schema' },
      { $ref: '#/$defs/absent' },
    ];
    for (const schema of schemas) expect(typeOfSchema(schema), JSON.stringify(schema)).toEqual(DYN);
  });

  test('combiners that only constrain leave the type as it is', () => {
    const type = typeOfSchema({
      type: 'object',
      properties: { a: { type: 'integer' }, kind: { type: 'string' } },
      anyOf: [{ required: ['a'] }, { properties: { kind: { const: 'b' } } }],
      if: { properties: { kind: { const: 'c' } } },
      // biome-ignore lint/suspicious/noThenProperty: a JSON Schema keyword
      then: { required: ['kind'] },
    });
    expect(fieldOf(type, 'a')).toEqual({ kind: 'int' });
  });

  test('an object is closed unless it allows additional properties', () => {
    const properties = { a: { type: 'integer' } };
    expect(typeOfSchema({ type: 'object', properties })).toMatchObject({ rest: null });
    expect(typeOfSchema({ type: 'object', properties, additionalProperties: true })).toMatchObject({
      rest: DYN,
    });
    expect(
      typeOfSchema({ type: 'object', properties, additionalProperties: { type: 'integer' } }),
    ).toMatchObject({ rest: { kind: 'int' } });
  });

  test('references are followed within the document, and a recursive one is dynamic', () => {
    const type = typeOfSchema({
      $defs: {
        node: { type: 'object', properties: { n: { type: 'integer' }, next: { $ref: '#/$defs/node' } } },
      },
      definitions: { 'a/b': { type: 'string' } },
      type: 'object',
      properties: { head: { $ref: '#/$defs/node' }, name: { $ref: '#/definitions/a~1b' } },
    });
    const head = fieldOf(type, 'head')!;
    expect(fieldOf(head, 'n')).toEqual({ kind: 'int' });
    expect(fieldOf(head, 'next')).toEqual(DYN);
    expect(fieldOf(type, 'name')).toEqual({ kind: 'string' });
  });

  test('references that double at every level are resolved once each', () => {
    const $defs: Record<string, JsonSchema & object> = { d30: { type: 'integer' } };
    for (let i = 0; i < 30; i++) {
      const next = { $ref: `#/$defs/d${i + 1}` };
      $defs[`d${i}`] = { type: 'object', properties: { a: next, b: next } };
    }
    const type = typeOfSchema({ $defs, $ref: '#/$defs/d0' });
    expect(fieldOf(type, 'a')).toBe(fieldOf(type, 'b'));
    expect(conversionOf(type)({})).toEqual({});
  });
});

test('a large object that many references require something of is not copied for each', () => {
  const properties = Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [`f${i}`, { type: 'string' }]),
  );
  const references = Array.from({ length: 2000 }, (_, i) => [
    `r${i}`,
    { $ref: '#/$defs/large', required: ['f1'] },
  ]);
  const type = typeOfSchema({
    $defs: { large: { type: 'object', properties } },
    type: 'object',
    properties: Object.fromEntries(references),
  });
  const distinct = new Set(type.kind === 'object' ? type.fields.values() : []);
  expect(distinct.size).toBeLessThan(20);
});

describe('conversion of bound values', () => {
  const type = typeOfSchema({
    type: 'object',
    properties: {
      n: { type: 'integer' },
      rate: { type: 'number' },
      open: { type: 'object', additionalProperties: true, properties: { n: { type: 'integer' } } },
    },
  });

  test('declared integers become ints, and everything else stays the same object', () => {
    const open = { n: 1, other: 2 };
    const given = { n: 3, rate: 3, open, undeclared: { deep: 1 } };
    const converted = conversionOf(type)(given);
    expect(converted).toEqual({ n: 3n, rate: 3, open: { n: 1n, other: 2 }, undeclared: { deep: 1 } });
    expect((converted as typeof given).undeclared).toBe(given.undeclared);
    expect(given.n).toBe(3);
  });

  test('a value without integers is not copied', () => {
    const given = { rate: 0.5, open: { a: [1, { b: 2 }] } };
    expect(conversionOf(type)(given)).toBe(given);
  });

  test('what is no exact integer stays a double', () => {
    expect(conversionOf(type)({ n: 3.5 })).toEqual({ n: 3.5 });
    expect(conversionOf(type)({ n: 2 ** 53 })).toEqual({ n: 2 ** 53 });
    expect(conversionOf(type)({ n: 'three' })).toEqual({ n: 'three' });
  });
});

describe('values as they are shown', () => {
  test('a value of more than 2 KiB is cut to a text', () => {
    const cut = shown({ list: Array.from({ length: 1000 }, (_, i) => ({ i })) });
    expect(cut).toMatch(/^\{"list":\[\{"i":0\},/);
    expect(String(cut).endsWith(TRUNCATED)).toBe(true);
    expect(String(cut).length).toBe(2048 + TRUNCATED.length);
    expect(shown('x'.repeat(3000))).toBe('x'.repeat(2048) + TRUNCATED);
  });

  test('a surrogate pair is never cut in half', () => {
    const cut = shown(`x${'😀'.repeat(2000)}`);
    expect(String(cut).isWellFormed()).toBe(true);
  });

  test('a small value is shown as it is', () => {
    const small = { a: [1, null, 'x'] };
    expect(shown(small)).toBe(small);
  });

  test('only own members are read', () => {
    expect(readPath({ a: {} }, ['a', 'constructor'])).toBeUndefined();
    expect(readPath({ a: [1] }, ['a', 'length'])).toBeUndefined();
    expect(readPath(JSON.parse('{"__proto__": {"x": 1}}'), ['__proto__', 'x'])).toBe(1);
    expect(MISSING).toBe('(missing)');
  });

  test('a map with the key __proto__ keeps it as data', () => {
    const json = toJson(new Map<string, unknown>([['__proto__', { polluted: true }]]));
    expect(JSON.stringify(json)).toBe('{"__proto__":{"polluted":true}}');
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});
