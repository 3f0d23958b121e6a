import { expect, test } from 'vitest';
import { compileDefinition } from '../../src/core/compile.ts';
import { definitionSchema } from '../../src/core/definition.ts';
import { eventTypeSchema } from '../../src/core/event-type.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { matchEvent } from '../../src/core/match.ts';

const eventType = eventTypeSchema.parse({
  type: 'a.b',
  title: 'T',
  owner: 'o',
  attributes_schema: {
    type: 'object',
    properties: { project: { type: 'string' }, runs: { type: 'integer' } },
  },
});

function match(filter: string | undefined, attributes: JsonObject) {
  const trigger = { event: { type: 'a.b', ...(filter !== undefined && { filter }) } };
  const definition = definitionSchema.parse({ id: 'd', title: 'T', owner: 'o', trigger });
  const result = compileDefinition(definition, { eventType, contextTypes: {}, reportTexts: [] });
  if (!result.ok) throw new Error(result.problems[0]?.message);
  return matchEvent(result.compiled, { id: '1', type: 'a.b', source: 's', subject: null, attributes });
}

const filter = 'event.attributes.project != "sandbox"';

test('an event matches where there is no filter', () => {
  expect(match(undefined, {})).toEqual({ outcome: 'matched', values: {} });
});

test('an event that passes the filter matches, with what was read', () => {
  expect(match(filter, { project: 'x' })).toEqual({
    outcome: 'matched',
    values: { 'event.attributes.project': 'x' },
  });
});

test('an event that does not pass is filtered, with the filter and what was read', () => {
  expect(match(filter, { project: 'sandbox' })).toEqual({
    outcome: 'filtered',
    expression: filter,
    values: { 'event.attributes.project': 'sandbox' },
  });
});

test('a filter that fails is an error and never counts as false', () => {
  expect(match(filter, {})).toEqual({
    outcome: 'filter_error',
    message: 'event.attributes.project: No such key: project',
    expression: filter,
    values: { 'event.attributes.project': '(missing)' },
  });
});

test('integers of the event are ints in the filter', () => {
  expect(match('event.attributes.runs % 2 == 1', { runs: 3 })).toMatchObject({ outcome: 'matched' });
});
