import { describe, expect, test } from 'vitest';
import { createStateHubClient, type StateHubClient } from '../../src/clients/state-hub.ts';
import { type Answering, answering, type HttpServer, startHttpServer } from './http-server.ts';

const TOKEN = 'hub-secret-token';

interface Hub extends HttpServer {
  client: StateHubClient;
}

async function hubWith(answer: Answering, timeoutMs = 60_000): Promise<Hub> {
  const server = await startHttpServer(answer);
  return { ...server, client: createStateHubClient({ url: server.url, token: TOKEN, timeoutMs }) };
}

/** The pages by cursor; the first has the cursor ''. */
const paging =
  (pages: Record<string, unknown>): Answering =>
  (asked, response) =>
    answering(200, pages[new URL(asked.url, 'http://hub').searchParams.get('cursor') ?? ''])(asked, response);

const whole = {
  id: 'T-1',
  title: 'Renew',
  workstream_id: 'w',
  status: 'open',
  business_value: 3,
  time_criticality: 2,
  risk_reduction: 1,
  job_size: 2,
  updated_at: '2026-11-20T00:00:00Z',
};

describe('lists', () => {
  test('open tasks and active workstreams are asked for, with the token, page after page', async () => {
    await using hub = await hubWith(
      paging({
        '': { items: [{ id: 'a' }], next_cursor: 'x&y=1' },
        'x&y=1': { items: [{ id: 'b' }], next_cursor: null },
      }),
    );
    expect((await hub.client.listTasks()).items.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(await hub.client.listWorkstreams()).toMatchObject({
      items: [{ id: 'a' }, { id: 'b' }],
      truncated: false,
    });
    expect(hub.asked.map(({ url }) => url)).toEqual([
      '/tasks?status=open',
      '/tasks?status=open&cursor=x%26y%3D1',
      '/workstreams?status=active',
      '/workstreams?status=active&cursor=x%26y%3D1',
    ]);
    for (const { headers } of hub.asked) expect(headers.authorization).toBe(`Bearer ${TOKEN}`);
  });

  test('a task keeps what State Hub says, odd values count as missing, and a page without a cursor is the last', async () => {
    const odd = {
      id: 17,
      title: 5,
      status: [],
      workstream_id: {},
      business_value: '3',
      updated_at: 0,
      url: 'u',
    };
    await using hub = await hubWith(answering(200, { items: [{ ...whole, owner: { name: 'ines' } }, odd] }));
    expect(await hub.client.listTasks()).toEqual({
      items: [
        { ...whole, owner: { name: 'ines' } },
        {
          id: '17',
          title: null,
          workstream_id: null,
          status: null,
          business_value: null,
          time_criticality: null,
          risk_reduction: null,
          job_size: null,
          updated_at: null,
          url: 'u',
        },
      ],
      truncated: false,
    });
  });

  test('foreign text becomes storable and short, and no name reaches a prototype', async () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const text = `{"items": [{"id": "a", "title": "\\u0000 \\ud83d ${'é'.repeat(500_000 / 2)}", "__proto__": {"polluted": 1},
      "constructor": "c", "huge": 1e999, "deep": ${deep}, "x\\u0000": {"__proto__": 1, "y": "\\u0000"}}]}`;
    await using hub = await hubWith(answering(200, text));
    const [item] = (await hub.client.listTasks()).items;
    expect(item).toMatchObject({ id: 'a', constructor: 'c', huge: null, 'x\ufffd': { y: '\ufffd' } });
    expect(item?.title).toMatch(/^\ufffd \ufffd é+… \[truncated\]$/);
    expect(Buffer.byteLength(item?.title ?? '')).toBeLessThanOrEqual(4096);
    expect(Object.keys(item ?? {})).not.toContain('__proto__');
    expect('polluted' in (item ?? {})).toBe(false);
    expect(JSON.stringify(item)).toContain('… [truncated]');
  });

  test.each([
    ['no id', { title: 'x' }],
    ['an empty id', { id: '' }],
    ['an id of another kind', { id: {} }],
    ['no object', 'T-1'],
    ['nothing', null],
  ])('an item with %s makes the answer unreadable; it is not dropped', async (_what, item) => {
    await using hub = await hubWith(answering(200, { items: [whole, item], next_cursor: null }));
    await expect(hub.client.listTasks()).rejects.toMatchObject({
      name: 'StateHubError',
      message: expect.stringMatching(/^State Hub, GET \/tasks: the answer cannot be read \(items\.1/),
      status: 200,
      retryable: true,
    });
  });

  test('an item that comes twice, because the list changed, is there once', async () => {
    const pages = {
      '': { items: [{ id: 'a', title: 'old' }, { id: 'b' }], next_cursor: 'n' },
      n: { items: [{ id: 'a', title: 'new' }], next_cursor: '' },
    };
    await using hub = await hubWith(paging(pages));
    const { items, truncated } = await hub.client.listTasks();
    expect(items.map(({ id, title }) => [id, title])).toEqual([
      ['a', 'new'],
      ['b', null],
    ]);
    expect(truncated).toBe(false);
  });

  test('a cursor that comes again is a fault', async () => {
    const pages = {
      '': { items: [], next_cursor: 'x' },
      x: { items: [], next_cursor: 'y' },
      y: { items: [], next_cursor: 'x' },
    };
    await using hub = await hubWith(paging(pages));
    await expect(hub.client.listTasks()).rejects.toMatchObject({
      message: 'State Hub, GET /tasks: its pages go in a circle: a next_cursor came twice',
      retryable: true,
    });
    expect(hub.asked).toHaveLength(3);
  });

  test('a list without an end is read for two hundred pages, or ten thousand items', async () => {
    let page = 0;
    await using hub = await hubWith((asked, response) => {
      page += 1;
      answering(200, { items: [{ id: `${page}` }], next_cursor: `${page}` })(asked, response);
    });
    const many = await hub.client.listTasks();
    expect([many.items.length, many.truncated, hub.asked.length]).toEqual([200, true, 200]);

    const items = Array.from({ length: 10_001 }, (_, id) => ({ id: id + 1 }));
    await using large = await hubWith(answering(200, { items }));
    const first = await large.client.listTasks();
    expect([first.items.length, first.truncated]).toEqual([10_000, true]);
    await using exact = await hubWith(answering(200, { items: items.slice(1) }));
    expect((await exact.client.listTasks()).truncated).toBe(false);
  });
});

describe('progress', () => {
  const progress = {
    event_type: 'daily_triage',
    summary: 'Thirty tasks',
    detail: { run_id: 'r', review_required: true },
    author: 'activity-core',
    idempotency_key: 'k',
  };

  test.each([
    [201, true],
    [200, false],
  ])('a %i tells the id, and whether it was created', async (status, created) => {
    await using hub = await hubWith(answering(status, { id: 'P-1' }));
    expect(await hub.client.postProgress(progress)).toEqual({ id: 'P-1', created });
    expect(hub.asked).toMatchObject([{ method: 'POST', url: '/progress' }]);
    expect(hub.asked[0]?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      'content-type': 'application/json',
    });
    expect(JSON.parse(hub.asked[0]?.body ?? '')).toEqual(progress);
  });

  test('what was filed is listed by type and time, with details as long as they are', async () => {
    const item = { id: 'P-1', event_type: 'daily_triage', detail: { run_id: 'r', text: 'x'.repeat(10_000) } };
    await using hub = await hubWith(answering(200, { items: [item, { id: 'P-2', detail: 'odd' }] }));
    const filter = { event_type: 'daily_triage', since: '2026-11-20T00:00:00+01:00' };
    expect((await hub.client.listProgress(filter)).items).toEqual([
      { ...item, summary: null },
      { id: 'P-2', event_type: null, summary: null, detail: {} },
    ]);
    expect(hub.asked[0]?.url).toBe(
      '/progress?event_type=daily_triage&since=2026-11-20T00%3A00%3A00%2B01%3A00',
    );
  });

  test('a created progress without an id cannot be read, and may be posted again under its key', async () => {
    await using hub = await hubWith(answering(201, {}));
    await expect(hub.client.postProgress(progress)).rejects.toMatchObject({ status: 201, retryable: true });
  });
});

test.each([
  [500, {}, true, '500'],
  [429, {}, true, '429'],
  [408, {}, true, '408'],
  [204, '', true, '204'],
  [400, {}, false, '400'],
  [401, {}, false, 'STATE_HUB_TOKEN'],
  [403, {}, false, 'STATE_HUB_TOKEN'],
  [404, {}, false, 'STATE_HUB_URL'],
  [302, {}, false, 'redirect'],
  [200, '<html>', true, 'not JSON'],
  [200, { items: 'x' }, true, 'items'],
  [200, { items: [], next_cursor: {} }, true, 'next_cursor'],
  [200, 'x'.repeat(8 * 1024 * 1024 + 1), true, '8 MiB'],
])('an answer of %i %j is an error; retryable: %s', async (status, body, retryable, said) => {
  await using hub = await hubWith(answering(status, body));
  for (const ask of [hub.client.listTasks, hub.client.listWorkstreams]) {
    await expect(ask()).rejects.toMatchObject({
      name: 'StateHubError',
      retryable,
      message: expect.stringContaining(said),
    });
  }
});

test('a State Hub that does not answer, or is not there, may be asked again; no message holds the token', async () => {
  const silent = await hubWith(() => undefined, 50);
  const failing = silent.client.listTasks();
  await expect(failing).rejects.toMatchObject({
    message: 'State Hub, GET /tasks: no answer within 0.05 s',
    status: null,
    retryable: true,
  });
  await silent[Symbol.asyncDispose]();
  const gone = await silent.client.listTasks().catch((error: Error) => error.message);
  expect(gone).toContain('is STATE_HUB_URL right?');
  const malformed = createStateHubClient({ url: silent.url, token: `${TOKEN}\n` });
  const message = await malformed.listTasks().catch((error: Error) => error.message);
  expect(message).toContain('State Hub, GET /tasks');
  expect(message).not.toContain(TOKEN);
});
