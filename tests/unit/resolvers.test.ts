import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compileDefinition } from '../../src/core/compile.ts';
import { definitionSchema } from '../../src/core/definition.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { contextTypesOf, createResolvers, type Resolvers } from '../../src/resolvers/registry.ts';
import { resolveContext } from '../../src/resolvers/resolve-context.ts';
import { type Resolver, ResolverError } from '../../src/resolvers/resolver.ts';

const run = { run_id: 'r', definition_id: 'd', scheduled_for: null, date: '2026-11-20' };
const event: JsonObject = {
  id: '1',
  type: 'kaizen.metrics.recorded',
  source: 'kaizen-agentic',
  time: '2026-11-20T08:15:00Z',
  attributes: { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: 0.62 } },
};

interface Source {
  type: string;
  bind_to: string;
  params?: Record<string, Json>;
}

function definitionWith(context_sources: Source[]) {
  return definitionSchema.parse({
    id: 'd',
    title: 't',
    owner: 'o',
    trigger: { manual: {} },
    context_sources,
  });
}

function compiled(sources: Source[]) {
  const result = compileDefinition(definitionWith(sources), {
    eventType: null,
    contextTypes: {},
    reportTexts: [],
  });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.compiled;
}

const resolve = (
  sources: Source[],
  given: JsonObject | null = event,
  resolvers: Resolvers = createResolvers(),
) => resolveContext(compiled(sources), resolvers, { event: given, run });

function withResolver<P>(resolver: Resolver<P>): Resolvers {
  return new Map([...createResolvers(), [resolver.type, resolver as Resolver]]);
}

test('event-payload binds the attributes of the envelope under the name after `context.`', async () => {
  expect(await resolve([{ type: 'event-payload', bind_to: 'context.metrics' }])).toEqual({
    ok: true,
    context: { metrics: event.attributes },
  });
});

test('event-payload without an event is an error, not an empty object', async () => {
  expect(await resolve([{ type: 'event-payload', bind_to: 'context.metrics' }], null)).toEqual({
    ok: false,
    error: {
      code: 'event_missing',
      message: 'context.metrics (event-payload): event-payload needs an event, the run has none',
      details: { source_type: 'event-payload', bind_to: 'context.metrics' },
    },
    retryable: false,
  });
});

test('an unknown type is an error while running too, never an empty object', async () => {
  expect(await resolve([{ type: 'event-paylod', bind_to: 'context.metrics' }])).toMatchObject({
    ok: false,
    error: {
      code: 'definition_invalid',
      message: expect.stringContaining(
        'unknown context source type `event-paylod`; did you mean `event-payload`?',
      ),
    },
  });
});

test('static binds its value, with templates rendered', async () => {
  const value = { teams: ['a', 'b'], day: '{{ run.date }}', by: '{{ event.attributes.agent }}' };
  expect(await resolve([{ type: 'static', bind_to: 'context.plan', params: { value } }])).toEqual({
    ok: true,
    context: { plan: { teams: ['a', 'b'], day: '2026-11-20', by: 'coach' } },
  });
});

test('several sources are bound side by side', async () => {
  const sources = [
    { type: 'event-payload', bind_to: 'context.metrics' },
    { type: 'static', bind_to: 'context.limit', params: { value: 3 } },
  ];
  expect(await resolve(sources)).toEqual({ ok: true, context: { metrics: event.attributes, limit: 3 } });
});

test('a template that fails while running fails the source, with the expression and the values', async () => {
  const params = { value: '{{ event.attributes.absent }}' };
  expect(await resolve([{ type: 'static', bind_to: 'context.x', params }])).toMatchObject({
    ok: false,
    error: {
      code: 'resolver_failed',
      message: expect.stringContaining('params.value'),
      details: { expression: 'event.attributes.absent', values: { 'event.attributes.absent': '(missing)' } },
    },
  });
});

describe('a resolver with a strict parameter', () => {
  const cadence: Resolver<{ cadence: 'daily' | 'weekly' }> = {
    type: 'cadence',
    io: 'remote',
    params: z.strictObject({ cadence: z.enum(['daily', 'weekly']) }),
    output: () => ({ type: 'string' }),
    resolve: ({ params }) => params.cadence,
  };
  const source = (value: string) => ({ type: 'cadence', bind_to: 'context.c', params: { cadence: value } });

  test('gets its parameters checked at validation', () => {
    const types = contextTypesOf(definitionWith([source('weekli')]), withResolver(cadence), null);
    expect(types).toMatchObject({
      ok: false,
      message: 'expected one of `daily`, `weekly`, found the text `weekli`; did you mean `weekly`?',
      problems: [{ path: ['context_sources', 0, 'params', 'cadence'] }],
    });
    expect(contextTypesOf(definitionWith([source('weekly')]), withResolver(cadence), null)).toEqual({
      ok: true,
      types: { c: { type: 'string' } },
    });
  });

  test('gets a rendered parameter checked while running', async () => {
    const templated = source('{{ event.attributes.agent }}');
    expect(contextTypesOf(definitionWith([templated]), withResolver(cadence), null)).toEqual({
      ok: true,
      types: { c: true },
    });
    expect(await resolve([templated], event, withResolver(cadence))).toMatchObject({
      ok: false,
      error: {
        code: 'resolver_failed',
        message: expect.stringContaining('params.cadence: expected one of `daily`, `weekly`'),
      },
    });
  });
});

test('what a resolver throws becomes the error of the run, also where it is no error of ours', async () => {
  const failing = (thrown: unknown): Resolver<object> => ({
    type: 'failing',
    io: 'local',
    params: z.strictObject({}),
    output: () => true,
    resolve: () => Promise.reject(thrown),
  });
  const code = async (thrown: unknown) =>
    resolve([{ type: 'failing', bind_to: 'context.x' }], event, withResolver(failing(thrown)));
  expect(await code(new TypeError('no'))).toMatchObject({
    ok: false,
    error: { code: 'resolver_failed', message: 'context.x (failing): no' },
  });
  expect(await code(new ResolverError('event_missing', 'gone'))).toMatchObject({
    ok: false,
    error: { code: 'event_missing' },
  });
  expect(await code(new ResolverError('resolver_failed', 'away', { retryable: true }))).toMatchObject({
    ok: false,
    error: { code: 'resolver_failed' },
    retryable: true,
  });
});

test('where several sources fail, the one that no retry mends is told', async () => {
  const away: Resolver<object> = {
    type: 'away',
    io: 'remote',
    params: z.strictObject({}),
    output: () => true,
    resolve: () => Promise.reject(new ResolverError('resolver_failed', 'away', { retryable: true })),
  };
  const sources = [
    { type: 'away', bind_to: 'context.x' },
    { type: 'event-payload', bind_to: 'context.y' },
  ];
  expect(await resolve(sources, null, withResolver(away))).toMatchObject({
    ok: false,
    error: { code: 'event_missing' },
    retryable: false,
  });
});
