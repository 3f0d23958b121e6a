/** What each answer of issue-core, and each lack of one, means for the outbox (contract 7). */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { findUnstorable } from '../../src/core/storable.ts';
import { createIssueCoreRestSink } from '../../src/sinks/issue-core-rest-sink.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { type Answering, answering, startHttpServer } from './http-server.ts';

const TOKEN = 'tok+en/with=signs&"quotes"-0123456789';
const ref = 'ACT-1';

async function withSink(answer: Answering, { timeoutMs = 60_000, token = TOKEN }: Partial<Options> = {}) {
  const server = await startHttpServer(answer);
  const sink = createIssueCoreRestSink({ url: server.url, token, timeoutMs });
  return { ...server, server, sink, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

interface Options {
  timeoutMs: number;
  token: string | undefined;
}

const create = (sink: Sink) => sink.create('key-1', '{"title":"a"}');
const findOpen = (sink: Sink) => sink.findOpen('a b&c=d/ü');
const comment = (sink: Sink) => sink.comment('../a b#1', 'key-1', 'again');

describe('the requests', () => {
  test('a task is posted with its key, the token and its body as it is', async () => {
    await using there = await withSink(answering(201, { ref }));
    const body = '{ "title" : "ü" }';
    await there.sink.create('key-1', body);
    expect(there.asked).toMatchObject([{ method: 'POST', url: '/api/v1/tasks', body }]);
    expect(there.asked[0]?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      'idempotency-key': 'key-1',
      'content-type': 'application/json',
      accept: 'application/json',
    });
  });

  test('keys and references are data, never a part of the path or of the query', async () => {
    await using there = await withSink(answering(200, { items: [] }));
    await findOpen(there.sink);
    await comment(there.sink);
    expect(there.asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /api/v1/tasks?dedupe_key=a%20b%26c%3Dd%2F%C3%BC&state=open',
      'POST /api/v1/tasks/..%2Fa%20b%231/comments',
    ]);
    expect(there.asked[0]?.headers).not.toHaveProperty('idempotency-key');
    expect(there.asked[1]).toMatchObject({ body: '{"body":"again"}' });
    expect(there.asked[1]?.headers['idempotency-key']).toBe('key-1:comment');
  });

  test('without a token no Authorization is sent; a user in the URL is neither sent nor told', async () => {
    await using server = await startHttpServer(answering(401, ''));
    const url = `${server.url.replace('//', '//operator:pass-word@')}/`;
    const answer = await create(createIssueCoreRestSink({ url, token: undefined, timeoutMs: 60_000 }));
    expect(answer).toMatchObject({ outcome: 'unauthorized', fault: { request: 'POST /api/v1/tasks' } });
    expect(server.asked).toMatchObject([{ url: '/api/v1/tasks' }]);
    expect(server.asked[0]?.headers).not.toHaveProperty('authorization');
    expect(JSON.stringify(answer)).not.toMatch(/operator|pass-word/);
  });
});

describe('the answers', () => {
  test.each([
    ['201 with a reference', 201, { ref, url: 'http://x' }, { outcome: 'created', ref }],
    ['200 with a reference', 200, { ref, more: [1] }, { outcome: 'known', ref }],
    ['409 with a reference', 409, { ref }, { outcome: 'known', ref }],
    ['a reference of 500 characters', 201, { ref: 'r'.repeat(500) }, { ref: 'r'.repeat(500) }],
  ])('%s to a task brings the reference', async (_what, status, body, expected) => {
    await using there = await withSink(answering(status, body));
    expect(await create(there.sink)).toMatchObject(expected);
  });

  test.each<[string, number, unknown]>([
    ['201 without a reference', 201, {}],
    ['409 without a reference', 409, { error: 'conflict' }],
    ['201 that is no JSON', 201, '<html>'],
    ['201 that is empty', 201, ''],
    ['201 that is a list', 201, [{ ref }]],
    ['202 with a reference', 202, { ref }],
    ['a number as reference', 201, { ref: 7 }],
    ['an empty reference', 201, { ref: '' }],
    ['a reference of 501 characters', 201, { ref: 'r'.repeat(501) }],
    ['a reference with U+0000', 201, '{"ref":"a\\u0000"}'],
    ['a reference with a lone surrogate', 201, '{"ref":"a\\ud800"}'],
    ['a reference that climbs out of its path', 201, { ref: '..' }],
    ['a reference that is the token', 201, { ref: `x ${TOKEN}` }],
    ['more than 1 MiB', 201, `{"ref":"${ref}"}${' '.repeat(1024 * 1024)}`],
    ['a redirect', 307, ''],
    ['500', 500, { ref }],
    ['502 with a page', 502, '<html>bad gateway</html>'],
  ])('after %s it is unknown whether a task was made', async (_what, status, body) => {
    await using there = await withSink(answering(status, body));
    const answer = await create(there.sink);
    expect(answer).toMatchObject({ outcome: 'unknown', retry_after_ms: null, fault: { status } });
    expect(there.asked).toHaveLength(1);
  });

  test.each([
    [401, 'unauthorized', 'set a valid ISSUE_CORE_TOKEN'],
    [403, 'unauthorized', 'ISSUE_CORE_TOKEN'],
    [400, 'rejected', 'its answer says why'],
    [404, 'rejected', 'is ISSUE_CORE_URL right?'],
    [408, 'rejected', 'its answer says why'],
    [422, 'rejected', 'its answer says why'],
    [429, 'not_taken', 'later'],
    [302, 'unknown', 'not followed; set ISSUE_CORE_URL'],
    [503, 'unknown', 'later'],
  ])('%i means the same to a task, a question and a comment: %s', async (status, outcome, message) => {
    await using there = await withSink(answering(status, 'because', { location: '/elsewhere' }));
    const requests = [
      'POST /api/v1/tasks',
      'GET /api/v1/tasks',
      'POST /api/v1/tasks/..%2Fa%20b%231/comments',
    ];
    for (const [index, ask] of [create, findOpen, comment].entries()) {
      expect(await ask(there.sink)).toMatchObject({
        outcome,
        fault: {
          request: requests[index],
          status,
          message: expect.stringContaining(message),
          answer: 'because',
        },
      });
    }
    expect(there.asked).toHaveLength(3);
  });

  test('a question is answered by 200 with the open tasks, and by nothing else', async () => {
    let [status, body]: [number, unknown] = [
      200,
      { items: [{ ref, state: 'open' }, { ref: 'ACT-2' }], n: 2 },
    ];
    await using there = await withSink((asked, response) => answering(status, body)(asked, response));
    expect(await findOpen(there.sink)).toEqual({ outcome: 'found', refs: [ref, 'ACT-2'] });
    for ([status, body] of [
      [200, { items: [{ ref: 1 }] }],
      [200, {}],
      [201, { items: [] }],
    ] as const) {
      expect(await findOpen(there.sink)).toMatchObject({ outcome: 'unknown' });
    }
    [status, body] = [409, { items: [] }];
    expect(await findOpen(there.sink)).toMatchObject({ outcome: 'rejected' });
  });

  test.each([200, 201, 202, 204, 409])(
    'a comment is there after %i, whatever the answer says',
    async (status) => {
      await using there = await withSink(answering(status, status === 204 ? '' : 'noted'));
      expect(await comment(there.sink)).toEqual({ outcome: 'commented' });
    },
  );
});

describe('Retry-After', () => {
  const date = 'Fri, 20 Nov 2026 08:15:00 GMT';
  test.each([
    ['7', 7000],
    ['0', 0],
    ['86400', 86_400_000],
    ['9'.repeat(400), 86_400_000],
    ['Fri, 20 Nov 2026 08:15:30 GMT', 30_000],
    ['Fri, 20 Nov 2026 20:00:00 GMT', 42_300_000],
    ['Mon, 23 Nov 2026 20:00:00 GMT', 86_400_000],
    ['Fri, 20 Nov 2026 08:00:00 GMT', 0],
    ['1.5', null],
    ['-3', null],
    ['soon', null],
  ])('%s is a wait of %s ms', async (value, retry_after_ms) => {
    for (const [status, outcome] of [
      [429, 'not_taken'],
      [503, 'unknown'],
    ] as const) {
      await using there = await withSink(answering(status, '', { 'retry-after': value, date }));
      expect(await create(there.sink)).toMatchObject({ outcome, retry_after_ms, fault: { answer: null } });
    }
  });
});

describe('no answer', () => {
  const status = null;
  test('nobody listens', async () => {
    const server = await startHttpServer(answering(201, { ref }));
    await server[Symbol.asyncDispose]();
    const sink = createIssueCoreRestSink({ url: server.url, token: TOKEN, timeoutMs: 60_000 });
    const message = 'issue-core: connection refused; is ISSUE_CORE_URL right?';
    for (const ask of [create, findOpen, comment]) {
      expect(await ask(sink)).toMatchObject({
        outcome: 'not_taken',
        fault: { status, message, answer: null },
      });
    }
  });

  const short = 2_000;
  test.each<[string, Answering, number | null, string, number?]>([
    ['closes after accepting', (_, response) => response.destroy(), null, 'the connection broke off'],
    ['hangs', () => undefined, null, 'no answer within 2 s', short],
    [
      'hangs in its answer',
      (_, response) => void response.writeHead(201).write('{"ref":'),
      201,
      '2 s',
      short,
    ],
    [
      'closes in its answer',
      (_, response) => {
        response.writeHead(201, { 'content-length': '100' });
        response.write('{"ref":"ACT-1"}', () => response.destroy());
      },
      201,
      'the connection broke off',
    ],
  ])('a server that %s leaves it unknown', async (_what, answer, statusRead, message, timeoutMs = 60_000) => {
    await using there = await withSink(answer, { timeoutMs });
    expect(await create(there.sink)).toMatchObject({
      outcome: 'unknown',
      retry_after_ms: null,
      fault: { status: statusRead, message: expect.stringContaining(message), answer: null },
    });
    expect(there.asked).toHaveLength(1);
  });

  test('something that does not speak HTTP leaves it unknown', async () => {
    const open = new Set<Socket>();
    const server = createServer((socket) => {
      open.add(socket.on('error', () => open.delete(socket)));
      socket.end('+OK ready\r\n');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const sink = createIssueCoreRestSink({
      url: `http://127.0.0.1:${port}`,
      token: TOKEN,
      timeoutMs: 60_000,
    });
    expect(await create(sink)).toMatchObject({ outcome: 'unknown', fault: { status } });
    for (const socket of open) socket.destroy();
    server.close();
  });

  test('a token that no header can hold is told as such, without it', async () => {
    const sink = createIssueCoreRestSink({
      url: 'http://127.0.0.1:9',
      token: 'long…secret',
      timeoutMs: 60_000,
    });
    const answer = await create(sink);
    expect(answer).toMatchObject({ outcome: 'unknown', fault: { status } });
    expect(JSON.stringify(answer)).not.toContain('secret');
  });
});

describe('the kept answer', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  test.each<[string, (authorization: string) => string]>([
    ['as it is', (it) => `you sent ${it}!`],
    ['in JSON', (it) => JSON.stringify({ headers: { authorization: it } })],
    ['in JSON in JSON', (it) => JSON.stringify(JSON.stringify({ authorization: it }))],
    ['with escaped signs', (it) => it.replace(/[^\w ]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)],
    ['in a URL', (it) => encodeURIComponent(it)],
    ['in a URL in a URL', (it) => encodeURIComponent(encodeURIComponent(it))],
    [
      'in HTML',
      (it) =>
        it
          .replaceAll('&', '&amp;')
          .replaceAll('"', '&quot;')
          .replace(/[+=]/g, (c) => `&#${c.charCodeAt(0)};`),
    ],
    ['in base64, alone', (it) => base64(it.slice('Bearer '.length))],
    ['in base64, with what is before', (it) => `${base64(it)} ${base64(`x${it}`)} ${base64(`xy${it}`)}`],
    ['in base64 for URLs', (it) => Buffer.from(it).toString('base64url')],
    ['across the cut', (it) => `${'x'.repeat(4060)}${it}${'y'.repeat(2000)}`],
    ['across 1 MiB, after many', (it) => `${' '.repeat(5)}${it.slice(7).repeat(40_000)}`],
  ])('never holds the token that a server sends back %s', async (_what, echo) => {
    await using there = await withSink(({ headers }, response) =>
      answering(400, echo(headers.authorization ?? ''))({ method: '', url: '', headers, body: '' }, response),
    );
    const answer = await create(there.sink);
    const kept = 'fault' in answer ? answer.fault.answer : null;
    expect(kept).toContain('[redacted]');
    const inBase64 = base64(TOKEN).slice(8, 24);
    for (const part of [TOKEN, '0123456789', 'quotes', 'with', inBase64]) {
      expect(kept).not.toContain(part);
    }
  });

  test('is cut to 4 KiB, whole characters only, and says so', async () => {
    await using there = await withSink(answering(400, `é${'🌱'.repeat(600_000)}`));
    const answer = await create(there.sink);
    const text = 'fault' in answer ? (answer.fault.answer ?? '') : '';
    expect(text).toMatch(/^é🌱+… \[truncated\]$/u);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096);
    expect(Buffer.byteLength(text)).toBeGreaterThan(4090);
  });

  test('is as it came where it is short, and always storable', async () => {
    await using there = await withSink(answering(400, 'a\u0000b'));
    const answer = await create(there.sink);
    expect(answer).toMatchObject({ outcome: 'rejected', fault: { answer: 'a\ufffdb' } });
    expect(findUnstorable(answer)).toBeNull();
  });
});
