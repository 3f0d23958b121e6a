/** What stands between the network and the API: limits of bodies and rates, the token, headers. */
import { Readable } from 'node:stream';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { WRONG_TOKENS_PER_MINUTE } from '../../src/api/rate-limit.ts';
import { createTestApi, manualDefinition, type TestApi } from '../setup/api.ts';

/** Before anything is imported: the plugin takes the function when it is loaded. */
const comparisons = vi.hoisted(() => {
  const crypto = process.getBuiltinModule('node:crypto');
  const compare = crypto.timingSafeEqual;
  const seen: { theirs: string; equal: boolean }[] = [];
  crypto.timingSafeEqual = (a, b) => {
    const equal = compare(a, b);
    seen.push({ theirs: Buffer.from(b as Uint8Array).toString(), equal });
    return equal;
  };
  return seen;
});

const TOKEN = 'a-token-of-a-fitting-length-7f3a';
const OPEN = ['/healthz', '/readyz', '/metrics', '/openapi.json'];
const MIB = 1024 * 1024;

let api: TestApi;
let guarded: TestApi;
let slow: TestApi;
const logged: string[] = [];

beforeAll(async () => {
  const { database_url } = inject('servers');
  const logger = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) });
  api = await createTestApi(database_url);
  guarded = await createTestApi(database_url, { adminToken: TOKEN, logger });
  slow = await createTestApi(database_url, { requestsPerMinute: 5 });
  await api.declare([manualDefinition()]);
});
afterAll(async () => {
  for (const each of [api, guarded, slow]) await each[Symbol.asyncDispose]();
});

/** Every path that takes a body. */
async function posts(): Promise<string[]> {
  const { paths } = (await api.get('/openapi.json')).body as { paths: Record<string, object> };
  return Object.entries(paths)
    .filter(([, item]) => 'post' in item)
    .map(([path]) => path.replaceAll(/\{[^}]+\}/g, '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11'));
}

test('a body beyond 1 MiB is 413 on every route, also where its length is not told or is a lie', async () => {
  const urls = await posts();
  expect(urls.length).toBeGreaterThan(10);
  const headers = { 'content-type': 'application/json' };
  const tooLarge = { status: 413, code: 'too_large', title: 'Payload Too Large' };
  for (const url of urls) {
    const chunks = Readable.from(Array.from({ length: 17 }, () => Buffer.alloc(64 * 1024, ' ')));
    const streamed = await api.app.inject({ method: 'POST', url, headers, payload: chunks });
    expect(streamed.json(), url).toMatchObject(tooLarge);
    expect(streamed.headers['content-type'], url).toBe('application/problem+json; charset=utf-8');
    const announced = await api.app.inject({
      method: 'POST',
      url,
      headers: { ...headers, 'content-length': String(MIB + 1) },
      payload: '{}',
    });
    expect(announced.json(), url).toMatchObject(tooLarge);
  }
});

test('over a socket, too, the sender of an endless body gets its answer', async () => {
  const url = await guarded.app.listen({ host: '127.0.0.1', port: 0 });
  const chunk = new Uint8Array(64 * 1024).fill(0x20);
  const answer = await fetch(`${url}/api/v1/plan/apply`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
    body: ReadableStream.from(Array.from({ length: 17 }, () => chunk)),
    duplex: 'half',
  });
  expect(answer.status).toBe(413);
  expect(await answer.json()).toMatchObject({ code: 'too_large' });
});

test('past its limit an address gets 429 with Retry-After, others do not, and health and metrics stay open', async () => {
  const ask = (remoteAddress: string, url = '/api/v1/runs') => slow.app.inject({ url, remoteAddress });
  for (let n = 0; n < 4; n++) expect((await ask('10.0.0.1')).statusCode).toBe(200);
  // What does not exist counts as well.
  expect((await ask('10.0.0.1', '/api/v1/nothing')).statusCode).toBe(404);
  for (const url of ['/api/v1/runs', '/api/v1/nothing']) {
    const refused = await ask('10.0.0.1', url);
    const seconds = Number(refused.headers['retry-after']);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(refused.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(refused.json()).toEqual({
      type: 'about:blank',
      title: 'Too Many Requests',
      status: 429,
      code: 'too_many_requests',
      detail: `more than 5 requests a minute from this address; again in ${seconds} s`,
      retry_after_seconds: seconds,
    });
  }
  expect((await ask('10.0.0.2')).statusCode).toBe(200);
  for (const url of OPEN) {
    for (let n = 0; n < 10; n++) expect((await ask('10.0.0.1', url)).statusCode, url).toBe(200);
  }
});

test('another address cannot be claimed in a header', async () => {
  const ask = (n: number) =>
    slow.app.inject({
      url: '/api/v1/runs',
      remoteAddress: '10.0.0.3',
      headers: { 'x-forwarded-for': `10.1.0.${n}`, forwarded: `for=10.1.0.${n}` },
    });
  for (let n = 0; n < 5; n++) expect((await ask(n)).statusCode).toBe(200);
  expect((await ask(6)).statusCode).toBe(429);
});

const ask = (authorization: string | undefined, remoteAddress = '127.0.0.1') =>
  guarded.app.inject({
    url: '/api/v1/runs',
    remoteAddress,
    headers: authorization === undefined ? {} : { authorization },
  });

const WRONG: [string, string][] = [
  ['empty', ''],
  ['cut', TOKEN.slice(0, -1)],
  ['longer', `${TOKEN}x`],
  ['of the same length', TOKEN.replace('7', '8')],
  ['in capitals', TOKEN.toUpperCase()],
  ['not ASCII', 'ü'.repeat(TOKEN.length)],
  ['far too long', 'x'.repeat(12_000)],
  ['the token twice', `${TOKEN}, Bearer ${TOKEN}`],
  ['the token in another scheme', ''],
];

test.each(WRONG)('a token that is %s is 401', async (what, token) => {
  const scheme = what.endsWith('another scheme') ? `Basic ${TOKEN}` : `Bearer ${token}`;
  const refused = await ask(scheme);
  expect(refused.statusCode).toBe(401);
  expect(refused.json()).toMatchObject({ code: 'unauthorized' });
});

test('the token is compared in constant time, whether it is right, wrong, or of another length', async () => {
  const before = comparisons.length;
  expect((await ask(`Bearer ${TOKEN}`)).statusCode).toBe(200);
  expect((await ask(`Bearer ${TOKEN.replace('7', '8')}`)).statusCode).toBe(401);
  expect((await ask('Bearer short')).statusCode).toBe(401);
  expect(comparisons.slice(before)).toEqual([
    { theirs: TOKEN, equal: true },
    { theirs: TOKEN.replace('7', '8'), equal: false },
    // Of another length it is compared with itself, which takes as long, and the answer is no.
    { theirs: TOKEN, equal: true },
  ]);
});

test('who guesses is told to wait after a while, only that address, and the right token passes from there, too', async () => {
  const guesser = '10.0.0.9';
  for (let n = 0; n < WRONG_TOKENS_PER_MINUTE; n++) {
    expect((await ask(`Bearer guess-${n}`, guesser)).statusCode).toBe(401);
  }
  for (let n = 0; n < 2; n++) {
    const refused = await ask('Bearer one-more-guess', guesser);
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toMatchObject({ code: 'too_many_requests' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await ask(`Bearer ${TOKEN}`, guesser)).statusCode).toBe(200);
  }
  expect((await ask('Bearer guess', '10.0.0.8')).statusCode).toBe(401);
});

test('a request without a token is no guess', async () => {
  const address = '10.0.0.7';
  for (let n = 0; n <= WRONG_TOKENS_PER_MINUTE; n++) {
    expect((await ask(undefined, address)).statusCode).toBe(401);
  }
  expect((await ask('Bearer the first guess', address)).statusCode).toBe(401);
});

test('no token, right or wrong, is in an answer or in the log at its most talkative', async () => {
  const wrong = 'a-wrong-token-91c2';
  const authorization = `Bearer ${TOKEN}`;
  const query = guarded.servicePool.query.bind(guarded.servicePool);
  Object.assign(guarded.servicePool, { query: () => Promise.reject(new Error('it broke')) });
  const failed = await ask(authorization);
  Object.assign(guarded.servicePool, { query });
  expect(failed.statusCode).toBe(500);
  const url = '/api/v1/plan/apply';
  const answers = [
    failed,
    await ask(`Bearer ${wrong}`),
    await guarded.app.inject({ method: 'POST', url, headers: { authorization }, payload: [] }),
    await guarded.app.inject({ url: '/api/v1/nothing', headers: { authorization } }),
  ];
  expect(logged.join('')).toContain('a request failed');
  for (const text of [...answers.map(({ body, headers }) => body + JSON.stringify(headers)), ...logged]) {
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain(wrong);
  }
});

test('every answer has the security headers, is kept nowhere, and does not say what serves it', async () => {
  const answers = [
    ...(await Promise.all(OPEN.map((url) => api.app.inject({ url })))),
    await api.app.inject({ url: '/api/v1/runs' }),
    await api.app.inject({ url: '/nothing' }),
    await guarded.app.inject({ url: '/api/v1/runs' }),
    await api.app.inject({ method: 'POST', url: '/api/v1/tasks/resume', payload: [] }),
    // The router refuses these two: no hook sees them.
    await guarded.app.inject({ url: '/api/v1/runs/%zz' }),
    await guarded.app.inject({ url: `/api/v1/runs/${'x'.repeat(1801)}` }),
  ];
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([
    200, 200, 200, 200, 200, 404, 401, 400, 400, 400,
  ]);
  for (const { headers } of answers) {
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("object-src 'none'");
    expect(policy).not.toContain('upgrade-insecure-requests');
    for (const name of [
      'server',
      'x-powered-by',
      'access-control-allow-origin',
      'strict-transport-security',
    ]) {
      expect(headers).not.toHaveProperty(name);
    }
  }
});
