import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLlmConnectClient } from '../../src/clients/llm-connect.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createOutputCheck } from '../../src/core/output-schema.ts';
import { fencedData } from '../../src/core/prompt-data.ts';
import { type LlmConnectStandIn, startLlmConnectStandIn } from '../../src/dev/stand-ins/llm-connect.ts';
import { FAULTS } from '../../src/dev/stand-ins/llm-connect-faults.ts';

let standIn: LlmConnectStandIn;
beforeEach(async () => {
  standIn = await startLlmConnectStandIn();
});
afterEach(() => standIn.close());

const checkOutput = createOutputCheck();
const SCHEMA: JsonObject = { type: 'object', required: ['a'], properties: { a: { type: 'string' } } };

interface Asking {
  content?: string;
  max_tokens?: number;
  timeoutMs?: number;
}

function ask(schema: JsonObject, { content = 'Go.', max_tokens, timeoutMs = 60_000 }: Asking = {}) {
  const client = createLlmConnectClient({ url: standIn.url, timeoutMs, model: 'any' });
  return client.complete({
    messages: [{ role: 'user', content }],
    schema: { name: 'answer', schema },
    max_tokens,
  });
}

async function textFor(schema: JsonObject, asking?: Asking): Promise<string> {
  const completion = await ask(schema, asking);
  if (completion.kind !== 'answered') throw new Error(`${completion.message} ${completion.answer}`);
  return completion.text;
}

async function http(method: string, path: string, body?: unknown) {
  const sent = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`${standIn.url}${path}`, {
    method,
    ...(body !== undefined && { body: sent }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

describe('answers', () => {
  test.each<[string, JsonObject]>([
    ['an empty schema', {}],
    ['text within lengths', { type: 'string', minLength: 200, maxLength: 210 }],
    ['short text', { type: 'string', maxLength: 3 }],
    ['one of a few', { enum: ['low', 'high', 3, null] }],
    ['the one thing', { const: { a: [1] } }],
    ['whole numbers', { type: 'integer', minimum: -3, maximum: -2 }],
    ['numbers between', { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 }],
    ['numbers below', { type: 'number', maximum: -1000 }],
    ['multiples', { type: 'integer', minimum: 7, multipleOf: 5 }],
    ['truth', { type: 'boolean' }],
    ['nothing', { type: 'null' }],
    ['something or nothing', { type: ['null', 'integer'] }],
    ['lists', { type: 'array', items: { type: 'string' }, minItems: 5, maxItems: 6 }],
    ['no list', { type: 'array', items: { type: 'string' }, maxItems: 0 }],
    [
      'pairs',
      { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false, maxItems: 2 },
    ],
    [
      'times',
      { type: 'object', required: ['at'], properties: { at: { type: 'string', format: 'date-time' } } },
    ],
    [
      'what is required and not declared',
      { type: 'object', required: ['a', 'b'], properties: { a: { type: 'null' } } },
    ],
    ['any names', { type: 'object', minProperties: 2, additionalProperties: { type: 'integer' } }],
    ['either', { anyOf: [{ type: 'integer', minimum: 5 }, { type: 'string' }] }],
    ['both', { allOf: [SCHEMA, { required: ['b'], properties: { b: { type: 'boolean' } } }] }],
    ['a pattern with an example', { type: 'string', pattern: '^[A-Z]+-\\d+$', examples: ['ACT-1'] }],
    [
      'a schema that contains itself',
      {
        $ref: '#/$defs/node',
        $defs: {
          node: {
            type: 'object',
            required: ['name', 'children'],
            properties: {
              name: { type: 'string' },
              children: { type: 'array', items: { $ref: '#/$defs/node' } },
            },
          },
        },
      },
    ],
  ])('%s: the answer fits the schema', async (_what, schema) => {
    const checked = checkOutput(schema, await textFor(schema));
    expect(checked).toMatchObject({ ok: true });
  });

  test('the same question has the same answer, another may have another', async () => {
    const schema: JsonObject = { type: 'integer', minimum: 0, maximum: 1_000_000 };
    expect(await textFor(schema)).toBe(await textFor(schema));
    expect(await textFor(schema)).not.toBe(await textFor(schema, { content: 'Go on.' }));
  });

  test('ranked tasks of the prompt are what it talks of, in their order', async () => {
    const ranked = [
      { id: 'T-2', title: 'Second {{ run.run_id }}', wsjf: 9, updated_at: '2026-02-01T00:00:00Z' },
      { id: 'T-1', title: 'First "}', wsjf: 4, updated_at: '2026-01-01T00:00:00Z' },
    ];
    const unranked = [{ id: 'T-9', missing: ['job_size'] }];
    const item: JsonObject = {
      type: 'object',
      properties: {
        id: { type: 'string' },
        title: { type: 'string' },
        wsjf: { type: 'number' },
        reason: { type: 'string' },
      },
    };
    const schema: JsonObject = {
      type: 'object',
      properties: {
        top: { type: 'array', items: item },
        stale_ids: { type: 'array', items: { enum: ['T-1', 'T-2'] } },
        questions: { type: 'array', items: { type: 'string' }, maxItems: 1 },
      },
    };
    const content = `Braces { of no JSON, and:\n${fencedData('triage', { ranked, unranked })}`;
    const { top, stale_ids, questions } = JSON.parse(await textFor(schema, { content }));
    expect(top).toMatchObject(ranked.map(({ id, title, wsjf }) => ({ id, title, wsjf })));
    expect(top[0].reason).toContain('number 1 of 2 by WSJF (9)');
    expect(stale_ids).toEqual(['T-1', 'T-2']);
    expect(questions).toEqual(['What is job_size of T-9?']);
  });

  test('a prompt of a million braces is answered', async () => {
    expect(checkOutput(SCHEMA, await textFor(SCHEMA, { content: '{"a'.repeat(333_333) }))).toMatchObject({
      ok: true,
    });
  });

  test('an answer longer than max_tokens is cut off', async () => {
    const completion = await ask({ type: 'string', minLength: 500 }, { max_tokens: 10 });
    expect(completion).toMatchObject({ ending: 'truncated', usage: { completion_tokens: 10 } });
  });

  test('a schema for which it finds nothing is refused, and so is one that is none', async () => {
    const impossible = await ask({ type: 'string', pattern: '^[A-Z]+-\\d+$' });
    expect(impossible).toMatchObject({
      kind: 'refused',
      status: 400,
      answer: expect.stringContaining('examples'),
    });
    const remote = await ask({ $ref: 'https://example.org/schema.json' });
    expect(remote).toMatchObject({ status: 400, answer: expect.stringContaining('invalid_json_schema') });
  });

  test.each<[string, unknown, string]>([
    ['no JSON', '{', 'not JSON'],
    ['no messages', { messages: [] }, 'body.messages'],
    ['a role that is none', { messages: [{ role: 'wizard', content: 'a' }] }, 'body.messages.0.role'],
    [
      'a temperature out of range',
      { messages: [{ role: 'user', content: 'a' }], temperature: 3 },
      'body.temperature',
    ],
    ['a stream', { messages: [{ role: 'user', content: 'a' }], stream: true }, 'body.stream'],
    [
      'a schema without a name',
      {
        messages: [{ role: 'user', content: 'a' }],
        response_format: { type: 'json_schema', json_schema: { schema: {} } },
      },
      'json_schema.name',
    ],
  ])('a request with %s is refused, and told why', async (_what, body, why) => {
    const answer = await http('POST', '/v1/chat/completions', body);
    expect(answer).toMatchObject({ status: 400, body: { error: { message: expect.stringContaining(why) } } });
  });
});

describe('faults', () => {
  test.each<[(typeof FAULTS)[number], object]>([
    ['slow', { kind: 'answered', ending: 'complete' }],
    ['http_500', { kind: 'refused', status: 500, retryable: true }],
    ['http_429', { kind: 'refused', status: 429, retryable: true, retry_after_ms: 1000 }],
    ['truncated', { kind: 'answered', ending: 'truncated' }],
    ['refusal', { kind: 'answered', ending: 'declined' }],
    ['hang', { kind: 'unreadable', status: null }],
  ])('%s', async (fault, expected) => {
    await http('PUT', '/stand-in/faults', { faults: [fault], slow_ms: 20 });
    const timeoutMs = fault === 'hang' ? 2_000 : 60_000;
    expect(await ask(SCHEMA, { timeoutMs })).toMatchObject(expected);
    expect(standIn.requests()).toMatchObject([{ fault }]);
    standIn.setFaults({ faults: [] });
    expect(await ask(SCHEMA)).toMatchObject({ kind: 'answered', ending: 'complete' });
  });

  test.each<[string, JsonObject]>([
    ['an object', SCHEMA],
    ['an open object', { type: 'object' }],
    ['a list', { type: 'array', items: { type: 'integer' } }],
    ['a text', { type: 'string' }],
  ])('schema_breaking answers JSON that %s is not', async (_what, schema) => {
    standIn.setFaults({ faults: ['schema_breaking'] });
    const text = await textFor(schema);
    expect(() => JSON.parse(text)).not.toThrow();
    expect(checkOutput(schema, text).ok).toBe(false);
  });

  test('schema_breaking_once strikes once', async () => {
    standIn.setFaults({ faults: ['schema_breaking_once'] });
    expect(checkOutput(SCHEMA, await textFor(SCHEMA)).ok).toBe(false);
    expect(checkOutput(SCHEMA, await textFor(SCHEMA)).ok).toBe(true);
    expect((await http('GET', '/stand-in/faults')).body).toMatchObject({ faults: [] });
  });

  test('not_json answers prose', async () => {
    standIn.setFaults({ faults: ['not_json'] });
    const checked = checkOutput(SCHEMA, await textFor(SCHEMA));
    expect(checked).toMatchObject({
      ok: false,
      violations: [{ message: expect.stringContaining('not JSON') }],
    });
  });

  test('the same seed strikes at the same requests', async () => {
    const struck = async () => {
      standIn.setFaults({ faults: ['http_500', 'http_429'], rate: 0.5, seed: 7 });
      const from = standIn.requests().length;
      for (let at = 0; at < 12; at++) await ask(SCHEMA);
      return standIn
        .requests()
        .slice(from)
        .map(({ fault }) => fault);
    };
    const first = await struck();
    expect(new Set(first).size).toBe(3);
    expect(await struck()).toEqual(first);
  });

  test('a fault that is none is refused, and nothing changes', async () => {
    const answer = await http('PUT', '/stand-in/faults', { faults: ['rude'] });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining('faults.0') } },
    });
    expect((await http('GET', '/stand-in/faults')).body).toMatchObject({ faults: [] });
  });

  test('closing ends what hangs and what is slow', async () => {
    standIn.setFaults({ faults: ['hang', 'slow'], slow_ms: 3_600_000 });
    const asked = Promise.all([ask(SCHEMA), ask(SCHEMA), ask(SCHEMA), ask(SCHEMA)]);
    await expect.poll(() => standIn.requests().length).toBe(4);
    await standIn.close();
    await standIn.close();
    expect((await asked).map(({ kind }) => kind)).toEqual(Array(4).fill('unreadable'));
  });
});

test('a person can see the models, the prompts that were sent, and every fault', async () => {
  expect((await http('GET', '/v1/models')).body).toMatchObject({ data: [{ id: 'activity-core-stand-in' }] });
  await ask(SCHEMA, { content: 'first' });
  await ask(SCHEMA, { content: 'second' });
  const sent: { items: { body: { messages: object[] } }[] } = (await http('GET', '/stand-in/requests')).body;
  expect(sent.items.map(({ body }) => body.messages)).toEqual([
    [{ role: 'user', content: 'second' }],
    [{ role: 'user', content: 'first' }],
  ]);
  expect((await http('GET', '/')).body).toMatchObject({ faults: FAULTS });
  expect((await http('GET', '/v2')).status).toBe(404);
  expect((await http('DELETE', '/v1/models')).status).toBe(405);
});
