import { describe, expect, test } from 'vitest';
import { createAttributesSchemaCheck, createAttributesValidator } from '../../src/core/attributes.ts';
import type { JsonObject } from '../../src/core/json.ts';

const validator = (schema: JsonObject) =>
  createAttributesValidator({ type: 'a.b', title: 'A', owner: 'o', attributes_schema: schema });

const metrics: JsonObject = {
  type: 'object',
  required: ['agent', 'project', 'summary'],
  properties: {
    agent: { type: 'string', pattern: '^[a-z]+$' },
    project: { type: 'string', pattern: '^[0-9]+$' },
    summary: {
      type: 'object',
      required: ['success_rate'],
      additionalProperties: false,
      properties: { success_rate: { type: 'number', maximum: 1 } },
    },
  },
};

test('attributes that fit have no violation', () => {
  expect(validator(metrics)({ agent: 'coach', project: '7', summary: { success_rate: 1 } })).toEqual([]);
});

test('each missing member is a violation of its own, at its own pointer', () => {
  expect(validator(metrics)({})).toEqual([
    { pointer: '/attributes/agent', message: 'is required' },
    { pointer: '/attributes/project', message: 'is required' },
    { pointer: '/attributes/summary', message: 'is required' },
  ]);
  expect(validator(metrics)({ agent: 'coach', project: '7', summary: {} })).toEqual([
    { pointer: '/attributes/summary/success_rate', message: 'is required' },
  ]);
});

test('an undeclared member is told at its own pointer, escaped', () => {
  const attributes = { agent: 'coach', project: '7', summary: { success_rate: 1, 'a/b~c': 1 } };
  expect(validator(metrics)(attributes)).toEqual([
    { pointer: '/attributes/summary/a~1b~0c', message: 'is not declared by the schema' },
  ]);
});

test('all violations are told, each pattern being its own', () => {
  const violations = validator(metrics)({ agent: '7', project: 'coach', summary: { success_rate: 2 } });
  expect(violations).toEqual([
    { pointer: '/attributes/agent', message: 'must match pattern "^[a-z]+$"' },
    { pointer: '/attributes/project', message: 'must match pattern "^[0-9]+$"' },
    { pointer: '/attributes/summary/success_rate', message: 'must be <= 1' },
  ]);
});

test('a great many violations are cut short', () => {
  const schema: JsonObject = { properties: { list: { type: 'array', items: { type: 'string' } } } };
  const violations = validator(schema)({ list: Array(5000).fill(1) });
  expect(violations).toHaveLength(101);
  expect(violations.at(-1)).toEqual({ pointer: '/attributes', message: 'and 4900 more' });
});

test('a pattern that hangs V8 is decided', () => {
  const check = validator({ properties: { text: { type: 'string', pattern: '^(a+)+$' } } });
  expect(check({ text: `${'a'.repeat(50_000)}!` })).toHaveLength(1);
  expect(check({ text: 'a'.repeat(50_000) })).toEqual([]);
});

test('elements of a large list are compared by value', () => {
  const check = validator({ properties: { list: { type: 'array', uniqueItems: true } } });
  const list = Array.from({ length: 40_000 }, (_, n) => ({ n }));
  expect(check({ list })).toEqual([]);
  expect(check({ list: [...list, { n: 7 }] })).toEqual([
    { pointer: '/attributes/list', message: 'must not hold the same element twice' },
  ]);
});

test('formats are checked', () => {
  const check = validator({ properties: { at: { type: 'string', format: 'date-time' } } });
  expect(check({ at: '2026-11-20T08:15:00Z' })).toEqual([]);
  expect(check({ at: 'yesterday' })).toEqual([
    { pointer: '/attributes/at', message: 'must match format "date-time"' },
  ]);
});

describe('a schema that is not usable is refused at its place', () => {
  test.each<[string, JsonObject, (string | number)[]]>([
    ['an unknown format', { properties: { a: { format: 'emial' } } }, ['properties', 'a', 'format']],
    ['an older dialect', { $schema: 'http://json-schema.org/draft-07/schema#' }, ['$schema']],
    ['a reference to nowhere', { properties: { a: { $ref: '#/$defs/x' } } }, ['properties', 'a', '$ref']],
    ['an element of a list', { anyOf: [{}, { minimum: 'x' }] }, ['anyOf', 1, 'minimum']],
    ['a name of patternProperties', { patternProperties: { '(?!a)': {} } }, ['patternProperties']],
    ['an asynchronous schema', { $async: true }, ['$async']],
  ])('%s', (_name, schema, path) => {
    expect(createAttributesSchemaCheck()(schema)).toMatchObject([{ path }]);
  });

  test('while references into itself are fine', () => {
    expect(
      createAttributesSchemaCheck()({
        properties: { a: { $ref: '#/$defs/x' } },
        $defs: { x: { type: 'string' } },
      }),
    ).toEqual([]);
  });
});
