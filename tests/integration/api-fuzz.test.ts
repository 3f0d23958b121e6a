/** Requests made of the OpenAPI document, well-formed and not: never a fault of the service, always a problem with a code. */

import fc from 'fast-check';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { PROBLEMS } from '../../src/api/problem.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { TemporalUnavailableError } from '../../src/schedules/temporal-schedules.ts';
import {
  bytesOf,
  createTestApi,
  METRICS_TYPE,
  manualDefinition,
  reviewDefinition,
  runOfEvent,
  type TestApi,
} from '../setup/api.ts';
import { useFuzzSeed } from '../setup/fuzz-seed.ts';
import { createRecordedSchedules } from '../setup/recorded-schedules.ts';

useFuzzSeed();

interface Schema {
  type?: string | string[];
  format?: string;
  pattern?: string;
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  examples?: unknown[];
}
interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  schema: Schema;
}
interface Operation {
  parameters?: Parameter[];
  requestBody?: {
    content: Record<
      string,
      { schema: Schema; example?: unknown; examples?: Record<string, { value: unknown }> }
    >;
  };
  responses: Record<string, unknown>;
}

let api: TestApi;
let operations: [string, Operation][];
/** Ids of what is there, so that requests reach beyond `not_found`. */
let known: string[];

beforeAll(async () => {
  const away = () => Promise.reject(new TemporalUnavailableError('Temporal is away', null));
  api = await createTestApi(inject('servers').database_url, {
    temporalSchedules: { ...createRecordedSchedules(), apply: away },
  });
  await api.declare([reviewDefinition(), manualDefinition()], [METRICS_TYPE]);
  const run = await runOfEvent(api, 'e-1');
  await api.receive({ bytes: bytesOf('{') });
  const { rows } = await api.pool.query(
    'SELECT id::text FROM quarantined_events UNION ALL SELECT event_uid::text FROM events',
  );
  known = [run, 'e-1', 'by-hand', 'low-success-rate-review', ...rows.map(({ id }) => id)];
  const paths = (await api.get('/openapi.json')).body.paths as unknown as Record<
    string,
    Record<string, Operation>
  >;
  operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation]),
  );
  // It replaces the definitions that the others ask for.
  operations.sort(([a], [b]) => Number(a.endsWith('/plan/apply')) - Number(b.endsWith('/plan/apply')));
});
afterAll(() => api[Symbol.asyncDispose]());

const HARD: unknown[] = [
  ...[
    '',
    ' ',
    '\u0000',
    '\ud800',
    '__proto__',
    '../..',
    "'; DROP TABLE events; --",
    '%00',
    '💥',
    'x'.repeat(2_000),
  ],
  ...[null, true, -1, 0, 1.5, 1e308, 2 ** 53, [], {}, [[]], '2026-02-30T00:00:00Z', '0000-01-01T00:00:00Z'],
  ...['+275760-09-13T00:00:00Z', '99999999999999999999', '00000000-0000-0000-0000-000000000000', 'NaN', '-0'],
  ...['9999-12-31T23:59:59Z', '0001-01-01T00:00:00+14:00', 'eyJhIjoxfQ', 'WzEsMl0', 'WyIyMDI2IiwieCJd'],
];
const hard = fc.oneof(
  fc.constantFrom(...HARD),
  fc.string({ unit: 'binary' }),
  fc.jsonValue({ depthSize: 'small' }),
);

/** What the schema allows, roughly: what is not quite allowed is as good. */
function allowed(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(allowed));
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === 'boolean') return fc.boolean();
  if (type === 'integer' || type === 'number') return fc.integer({ min: -1, max: 600 });
  if (type === 'array') return fc.array(schema.items ? allowed(schema.items) : hard, { maxLength: 3 });
  if (type === 'object' || schema.properties) {
    const fields = Object.entries(schema.properties ?? {}).map(([name, one]) => [name, value(one)] as const);
    return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
  }
  return fc.oneof(
    fc.constantFrom(...known),
    fc.date({ noInvalidDate: true }).map((at) => at.toISOString()),
    fc.string(),
  );
}

const value = (schema: Schema): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 5, arbitrary: allowed(schema) }, { weight: 1, arbitrary: hard });

const textOf = (one: unknown): string => (typeof one === 'string' ? one : JSON.stringify(one)).toWellFormed();

function bodyOf({ requestBody }: Operation): fc.Arbitrary<string | undefined> {
  const media = requestBody?.content['application/json'];
  if (!media) return fc.constantFrom(undefined, undefined, '{}', '[', 'null');
  const examples = [
    media.example,
    ...(media.schema.examples ?? []),
    ...Object.values(media.examples ?? {}).map((one) => one.value),
  ];
  const given = examples.filter((one) => one !== undefined);
  const base = given.length > 0 ? fc.constantFrom(...given) : fc.constant({});
  const mixed = fc
    .tuple(base, allowed(media.schema), fc.dictionary(fc.string(), hard, { maxKeys: 1 }), fc.nat(3))
    .map(([example, generated, more, n]) =>
      JSON.stringify({ ...(example as object), ...(generated as object), ...(n === 0 ? more : {}) }),
    );
  return fc.oneof(
    { weight: 5, arbitrary: mixed },
    { weight: 1, arbitrary: hard.map((one) => JSON.stringify(one)) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

function requestOf(name: string, operation: Operation): fc.Arbitrary<InjectOptions> {
  const [method = '', path = ''] = name.split(' ');
  const parameters = operation.parameters ?? [];
  const inPath = parameters.filter((one) => one.in === 'path');
  const inQuery = parameters.filter((one) => one.in === 'query');
  const inHeader = parameters.filter((one) => one.in === 'header');
  const values = (those: Parameter[], requiredKeys: string[]) =>
    fc.record(Object.fromEntries(those.map((one) => [one.name, value(one.schema)])), { requiredKeys });
  return fc
    .record({
      path: values(
        inPath,
        inPath.map((one) => one.name),
      ),
      query: values(inQuery, []),
      more: fc.oneof(
        { weight: 6, arbitrary: fc.constant('') },
        fc.constantFrom('&x=1', '&limit=1&limit=2', '&%', '&='),
      ),
      headers: values(inHeader, []),
      type: fc.oneof(
        { weight: 8, arbitrary: fc.constant('application/json') },
        fc.constantFrom('text/plain', 'x', ''),
      ),
      body: bodyOf(operation),
    })
    .map(({ path: params, query, more, headers, type, body }) => {
      const filled = path.replaceAll(/\{(\w+)\}/g, (_all, key: string) =>
        // A client resolves `.` and `..` itself: the path would be another operation's.
        encodeURIComponent(textOf(params[key]).replace(/^\.{1,2}$/, 'dots')),
      );
      const search = Object.entries(query).map(([key, one]) => `${key}=${encodeURIComponent(textOf(one))}`);
      const sent = Object.entries(headers).map(([key, one]) => [
        key,
        textOf(one).replaceAll(/[^\x20-\x7e]/g, '?'),
      ]);
      return {
        method: method.toUpperCase() as 'GET' | 'POST',
        url: `${filled}?${search.join('&')}${more}`,
        headers: { ...Object.fromEntries(sent), ...(body === undefined ? {} : { 'content-type': type }) },
        ...(body === undefined ? {} : { payload: body }),
      };
    });
}

test('whatever is asked of any operation, the answer is a described one, and a refusal has a code', async () => {
  const statuses = new Map<string, Set<number>>();
  for (const [name, operation] of operations) {
    const seen = new Set<number>();
    statuses.set(name, seen);
    await fc.assert(
      fc.asyncProperty(requestOf(name, operation), async (request) => {
        const response = await api.app.inject(request);
        const { statusCode: status } = response;
        const about = `${name}: ${status} ${response.body.slice(0, 300)}`;
        seen.add(status);
        expect(status < 500 || status === 503, about).toBe(true);
        if (status < 400) return;
        expect(response.headers['content-type'], about).toBe('application/problem+json; charset=utf-8');
        const { code, status: told, detail } = response.json() as JsonObject;
        expect(Object.keys(PROBLEMS), about).toContain(code);
        expect(told, about).toBe(status);
        expect(detail, about).not.toMatch(/is not served here/);
      }),
      { numRuns: 30 },
    );
  }
  const reached = [...statuses.values()].filter((seen) => [...seen].some((status) => status < 300));
  const refused = [...statuses.values()].filter((seen) => [...seen].some((status) => status >= 400));
  expect(reached.length).toBeGreaterThan(statuses.size / 3);
  expect(refused.length).toBeGreaterThan(statuses.size / 3);
});
