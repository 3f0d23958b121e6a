/** What all of the API has in common: health, the token, problems, the OpenAPI document. */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createTestApi, manualDefinition, type TestApi } from '../setup/api.ts';

const RESOURCES = ['definitions', 'runs', 'tasks', 'events', 'quarantine', 'event-types', 'ticks'];
const away = { ok: false, message: 'not connected' };

let api: TestApi;
let guarded: TestApi;
let workerOnly: TestApi;

beforeAll(async () => {
  const { database_url } = inject('servers');
  api = await createTestApi(database_url, { temporalMetrics: async () => 'temporal_request_total 7\n' });
  guarded = await createTestApi(database_url, {
    adminToken: 'correct horse',
    checks: async () => ({ postgres: { ok: true, message: 'ok' }, nats: away }),
  });
  workerOnly = await createTestApi(database_url, { roles: ['worker'] });
  await api.declare([manualDefinition()]);
});
afterAll(async () => {
  for (const each of [api, guarded, workerOnly]) await each[Symbol.asyncDispose]();
});

test('health answers while the process lives', async () => {
  expect(await api.get('/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
});

test('ready is 200 while every check holds, and 503 with the one that does not', async () => {
  expect(await api.get('/readyz')).toMatchObject({
    status: 200,
    body: { status: 'ready', checks: { postgres: { ok: true, message: 'ok' } }, expectations_breached: [] },
  });
  expect(await guarded.get('/readyz')).toMatchObject({
    status: 503,
    body: { status: 'not_ready', checks: { nats: away }, expectations_breached: [] },
  });
});

test('metrics are Prometheus text, with what the Temporal SDK exports', async () => {
  const { status, headers, text } = await api.get('/metrics');
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(text).toContain('activity_core_outbox_pending 0');
  expect(text).toContain('temporal_request_total 7');
});

test('a role other than the API serves health and metrics, and nothing of the API', async () => {
  expect((await workerOnly.get('/healthz')).status).toBe(200);
  expect((await workerOnly.get('/metrics')).status).toBe(200);
  expect(await workerOnly.get('/api/v1/runs')).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

test('with ADMIN_TOKEN every path under /api needs it, also one that does not exist', async () => {
  for (const path of [...RESOURCES, 'nothing-here', 'runs/8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11']) {
    const { status, body, headers } = await guarded.get(`/api/v1/${path}`);
    expect(status, path).toBe(401);
    expect(body, path).toMatchObject({ code: 'unauthorized', status: 401, title: 'Unauthorized' });
    expect(headers, path).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'www-authenticate': 'Bearer',
    });
  }
  const refused = [
    'Bearer wrong',
    'Bearer correct horse battery',
    'correct horse',
    'Basic correct horse',
    'Bearer ',
  ];
  for (const authorization of refused) {
    const response = await guarded.app.inject({ url: '/api/v1/runs', headers: { authorization } });
    expect(response.statusCode, authorization).toBe(401);
  }
});

test('the right token opens the API, and health, metrics and the document need none', async () => {
  const authorized = await guarded.app.inject({
    url: '/api/v1/runs',
    headers: { authorization: 'bearer correct horse' },
  });
  expect(authorized.statusCode).toBe(200);
  for (const url of ['/healthz', '/metrics', '/openapi.json']) {
    expect((await guarded.get(url)).status, url).toBe(200);
  }
});

test('an unknown path, and a known one with another method, is 404 not_found', async () => {
  for (const [method, url] of [
    ['GET', '/nothing'],
    ['GET', '/api/v1/nothing'],
    ['DELETE', '/api/v1/runs'],
    ['PUT', '/healthz'],
  ] as const) {
    const response = await api.app.inject({ method, url });
    expect(response.headers['content-type'], url).toBe('application/problem+json; charset=utf-8');
    expect(response.json(), url).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      code: 'not_found',
      detail: `${method} ${url} is not served here; see /openapi.json`,
    });
  }
});

test('a query parameter that is not known is refused by its name, not ignored', async () => {
  for (const resource of RESOURCES) {
    const { status, body } = await api.get(`/api/v1/${resource}?statsu=failed&limit=5`);
    expect(status, resource).toBe(400);
    expect(body, resource).toMatchObject({
      code: 'invalid_request',
      violations: [{ pointer: '/statsu', message: 'is not known here' }],
    });
  }
  expect((await api.get('/api/v1/definitions/by-hand?x=1')).status).toBe(400);
});

test('limits and cursors that cannot be are refused', async () => {
  const foreign = Buffer.from(JSON.stringify(['2026-11-20T08:15:00Z', 'f'.repeat(64)])).toString('base64url');
  const impossible = Buffer.from(
    JSON.stringify(['2026-99-99T08:15:00Z', '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11']),
  ).toString('base64url');
  const wrong = ['limit=0', 'limit=501', 'limit=-1', 'limit=ten', 'limit=', 'limit=1.5', 'limit=1&limit=2'];
  for (const query of [...wrong, 'cursor=', 'cursor=rubbish', 'cursor=bm90anNvbg']) {
    for (const resource of RESOURCES) {
      const { status, body } = await api.get(`/api/v1/${resource}?${query}`);
      expect(status, `${resource} ${query}`).toBe(400);
      expect(body.code, query).toBe('invalid_request');
      expect(body.violations, query).toHaveLength(1);
    }
  }
  for (const cursor of [foreign, impossible]) {
    expect(await api.get(`/api/v1/runs?cursor=${cursor}`)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', violations: [{ pointer: '/cursor' }] },
    });
  }
});

test('text that PostgreSQL cannot store is the caller’s fault, wherever it stands', async () => {
  for (const url of [
    '/api/v1/runs?definition_id=%00',
    '/api/v1/runs?event_id=a%00b',
    '/api/v1/tasks?dedupe_key=%00',
    '/api/v1/events?source=%00',
    '/api/v1/events/%00',
    '/api/v1/definitions/%00',
    '/api/v1/trust/%00',
  ]) {
    expect(await api.get(url), url).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  }
  for (const url of ['/api/v1/runs/%00', '/api/v1/quarantine/%00']) {
    expect(await api.get(url), url).toMatchObject({ status: 404, body: { code: 'not_found' } });
  }
});

test('a body that is no JSON, no object, of another type or too large is refused', async () => {
  const url = '/api/v1/definitions/by-hand/runs';
  const post = (payload: string, type = 'application/json') =>
    api.app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } });
  for (const payload of ['{', '[]', '"text"', '7', '{"__proto__": {"dry_run": true}}']) {
    const response = await post(payload);
    expect(response.json(), payload).toMatchObject({ status: 400, code: 'invalid_request' });
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    expect((await post('{"dry_run":true}', type)).json(), type).toMatchObject({
      status: 400,
      code: 'invalid_request',
      detail: expect.stringContaining('expected content-type: application/json'),
    });
  }
  const large = await post(JSON.stringify({ reason: 'x'.repeat(1024 * 1024) }));
  expect(large.json()).toMatchObject({ status: 413, code: 'too_large' });
});

test('a path that cannot be decoded or is far too long is a problem like any other', async () => {
  expect(await api.get('/api/v1/events/%E0%A4%A')).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', status: 400 },
  });
  const { status, headers } = await api.get(`/api/v1/events/${'x'.repeat(3000)}`);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(headers['content-type']).toBe('application/problem+json; charset=utf-8');
});

test('a database that is away is 503 unavailable, and back it answers again', async () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const query = api.servicePool.query.bind(api.servicePool);
  Object.assign(api.servicePool, { query: () => Promise.reject(refused) });
  try {
    for (const resource of RESOURCES) {
      expect(await api.get(`/api/v1/${resource}`), resource).toMatchObject({
        status: 503,
        body: { code: 'unavailable', status: 503 },
      });
    }
    expect((await api.get('/healthz')).status).toBe(200);
    expect((await api.get('/metrics')).status).toBe(200);
  } finally {
    Object.assign(api.servicePool, { query });
  }
  expect((await api.get('/api/v1/runs')).status).toBe(200);
});

test('a fault of the service is 500 with a request id, and tells nothing of its cause', async () => {
  const query = api.servicePool.query.bind(api.servicePool);
  Object.assign(api.servicePool, {
    query: () => Promise.reject(new Error('relation "secret" does not exist')),
  });
  try {
    const { status, body } = await api.get('/api/v1/runs');
    expect(status).toBe(500);
    expect(body).toEqual({
      type: 'about:blank',
      title: 'Internal Server Error',
      status: 500,
      code: 'internal',
      detail: 'the service failed; its log has the reason under request_id',
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  } finally {
    Object.assign(api.servicePool, { query });
  }
});

test('answers carry the security headers', async () => {
  const { headers } = await api.get('/api/v1/runs');
  expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' });
});

interface Operation {
  summary?: string;
  description?: string;
  tags?: string[];
  security?: object[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
}
type Media = { schema: object; example?: unknown; examples?: unknown };

test('the OpenAPI document describes every route, with its problems, and an example of each body and answer', async () => {
  const { status, body } = await api.get('/openapi.json');
  expect(status).toBe(200);
  const document = body as unknown as {
    openapi: string;
    info: { title: string; version: string };
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: object; securitySchemes: object };
  };
  expect(document.openapi).toMatch(/^3\.1\./);
  expect(document.info).toMatchObject({
    title: 'activity-core',
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
  });
  expect(document.components.securitySchemes).toMatchObject({ bearer: { type: 'http', scheme: 'bearer' } });
  expect(Object.keys(document.components.schemas)).toEqual(['Problem']);
  expect(
    Object.entries(document.paths)
      .flatMap(([path, item]) => Object.keys(item).map((m) => `${m} ${path}`))
      .sort(),
  ).toEqual(
    [
      'get /api/v1/backtest/{definition_id}',
      'get /api/v1/backtest/{definition_id}/events',
      'get /api/v1/backtest/{definition_id}/revisions/{definition_hash}',
      'get /api/v1/backtest/{definition_id}/ticks',
      'get /api/v1/definitions',
      'get /api/v1/definitions/{definition_id}',
      'get /api/v1/definitions/{definition_id}/promotion',
      'get /api/v1/event-types',
      'get /api/v1/events',
      'get /api/v1/events/{event}',
      'get /api/v1/overview',
      'get /api/v1/plan',
      'get /api/v1/quarantine',
      'get /api/v1/quarantine/{id}',
      'get /api/v1/runs',
      'get /api/v1/runs/{run_id}',
      'get /api/v1/tasks',
      'get /api/v1/ticks',
      'get /api/v1/trust/{definition_id}',
      'get /healthz',
      'get /metrics',
      'get /openapi.json',
      'get /readyz',
      'post /api/v1/definitions/{definition_id}/backfill',
      'post /api/v1/definitions/{definition_id}/pause',
      'post /api/v1/definitions/{definition_id}/resume',
      'post /api/v1/definitions/{definition_id}/runs',
      'post /api/v1/plan/apply',
      'post /api/v1/quarantine/{id}/discard',
      'post /api/v1/quarantine/{id}/redrive',
      'post /api/v1/runs/{run_id}/feedback',
      'post /api/v1/runs/{run_id}/retry',
      'post /api/v1/runs/{run_id}/review',
      'post /api/v1/tasks/discard',
      'post /api/v1/tasks/resume',
    ].sort(),
  );
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const name = `${method} ${path}`;
      expect(operation.summary, name).toBeTruthy();
      expect(operation.description, name).toBeTruthy();
      expect(operation.tags, name).toHaveLength(1);
      const media = Object.entries(operation.responses)
        .filter(([code]) => code.startsWith('2'))
        .flatMap(([, response]) => Object.values(response.content ?? {}));
      if (method === 'post') media.push(...Object.values(operation.requestBody?.content ?? {}));
      expect(media.length, name).toBeGreaterThan(method === 'post' ? 1 : 0);
      for (const each of media) expect(each.example ?? each.examples, name).toBeTruthy();
      if (!path.startsWith('/api/')) {
        expect(operation.security, name).toEqual([]);
        continue;
      }
      for (const code of ['400', '401', '500', '503']) {
        expect(operation.responses[code]?.content, `${name} ${code}`).toEqual({
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        });
      }
    }
  }
});

test('only what is linked in the document is referred to', async () => {
  const { body } = await api.get('/openapi.json');
  const references = JSON.stringify(body).match(/"\$ref":"[^"]+"/g) ?? [];
  expect([...new Set(references)]).toEqual(['"$ref":"#/components/schemas/Problem"']);
});
