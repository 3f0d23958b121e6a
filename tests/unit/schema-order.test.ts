import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inDeclaredOrder, inOrderOf } from '../../src/core/schema-order.ts';

const schema = {
  type: 'object',
  required: ['headline', 'items'],
  properties: {
    more: { type: 'string' },
    items: {
      type: 'array',
      items: { type: 'object', required: ['task_id', 'why'], properties: { why: {}, task_id: {} } },
    },
    headline: { type: 'string' },
  },
};

test('members come in the order in which `required` names them, the others after, on every level', () => {
  const ordered = inDeclaredOrder(schema);
  expect(Object.keys(ordered.properties)).toEqual(['headline', 'items', 'more']);
  expect(Object.keys(ordered.properties.items.items.properties)).toEqual(['task_id', 'why']);
  const value = { items: [{ why: 'b', task_id: 'a' }], headline: 'c', unknown: 1 };
  const text = JSON.stringify(inOrderOf(value, ordered));
  expect(text).toBe('{"headline":"c","items":[{"task_id":"a","why":"b"}],"unknown":1}');
});

test('nothing but the order changes, whatever the value and the schema are', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (value, any) => {
      const json = JSON.parse(JSON.stringify(value));
      const other = JSON.parse(JSON.stringify(any));
      expect(inDeclaredOrder(json)).toEqual(json);
      expect(inOrderOf(json, other)).toEqual(json);
      expect(inOrderOf(json, schema)).toEqual(json);
    }),
  );
});
