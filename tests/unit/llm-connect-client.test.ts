import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type CompletionRequest, createLlmConnectClient } from '../../src/clients/llm-connect.ts';
import { findUnstorable } from '../../src/core/storable.ts';
import { type Answering, answering, startHttpServer } from './http-server.ts';

const schema = { name: 'triage', schema: { type: 'object' } };
const REQUEST: CompletionRequest = { messages: [{ role: 'user', content: 'Go.' }], schema };

async function ask(answer: Answering, request: Partial<CompletionRequest> = {}, timeoutMs = 60_000) {
  await using server = await startHttpServer(answer);
  const client = createLlmConnectClient({ url: server.url, timeoutMs, model: 'm-1' });
  return { completion: await client.complete({ ...REQUEST, ...request }), asked: server.asked };
}

const choice = (message: object, finish_reason: unknown = 'stop') => ({ index: 0, message, finish_reason });
const said = (content: string | null, finish_reason?: string) => ({
  model: 'm-1-2026',
  choices: [choice({ role: 'assistant', content }, finish_reason)],
  usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
});

describe('the request', () => {
  test('it is an OpenAI chat completion with the schema, and without credentials', async () => {
    const { asked } = await ask(answering(200, said('{}')), { temperature: 0.2, max_tokens: 500 });
    expect(asked).toMatchObject([{ method: 'POST', url: '/v1/chat/completions' }]);
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({
      model: 'm-1',
      messages: REQUEST.messages,
      temperature: 0.2,
      max_tokens: 500,
      response_format: { type: 'json_schema', json_schema: { ...schema, strict: true } },
    });
    expect(asked[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      accept: 'application/json',
    });
    expect(asked[0]?.headers).not.toHaveProperty('authorization');
  });

  test('what is not set is not sent, a user in the URL neither', async () => {
    await using server = await startHttpServer(answering(401, ''));
    const url = `${server.url.replace('//', '//operator:pass-word@')}/gateway/`;
    const client = createLlmConnectClient({ url, timeoutMs: 60_000, model: undefined });
    const completion = await client.complete(REQUEST);
    expect(server.asked[0]?.url).toBe('/gateway/v1/chat/completions');
    expect(Object.keys(JSON.parse(server.asked[0]?.body ?? ''))).toEqual(['messages', 'response_format']);
    expect(server.asked[0]?.headers).not.toHaveProperty('authorization');
    expect(JSON.stringify(completion)).not.toMatch(/operator|pass-word/);
  });

  test('a prompt with what no server takes is sent all the same', async () => {
    const { asked } = await ask(answering(200, said('{}')), {
      messages: [{ role: 'user', content: 'a\u0000b\ud800' }],
    });
    expect(JSON.parse(asked[0]?.body ?? '').messages[0].content).toBe('a\ufffdb\ufffd');
  });
});

describe('an answer', () => {
  test('its text, model, tokens and how long it took are told', async () => {
    const { completion } = await ask(answering(200, said('{"a":1}')));
    expect(completion).toEqual({
      kind: 'answered',
      text: '{"a":1}',
      ending: 'complete',
      model: 'm-1-2026',
      usage: { prompt_tokens: 7, completion_tokens: 3 },
      finish_reason: 'stop',
      latency_ms: expect.any(Number),
    });
  });

  test.each<[string, object, object]>([
    ['one that was cut off', said('{"a":', 'length'), { text: '{"a":', ending: 'truncated' }],
    ['one that thought until the limit', said(null, 'length'), { text: '', ending: 'truncated' }],
    [
      'a refusal',
      { choices: [choice({ content: null, refusal: 'I will not.' })] },
      { text: 'I will not.', ending: 'declined' },
    ],
    ['a filter', said('', 'content_filter'), { text: '', ending: 'declined' }],
    ['a call of a tool', said(null, 'tool_calls'), { text: '', ending: 'complete' }],
    ['prose', said('Of course!'), { text: 'Of course!', ending: 'complete' }],
    [
      'one without anything but the message',
      { choices: [{ message: { content: '{}' } }] },
      { text: '{}', ending: 'complete', model: null, usage: null, finish_reason: null },
    ],
    [
      'one whose remarks are of another shape',
      { choices: [choice({ content: '{}' }, 7)], model: 7, usage: { prompt_tokens: 'many' } },
      { text: '{}', model: null, usage: null, finish_reason: null },
    ],
  ])('%s is an answer', async (_what, body, expected) => {
    const { completion } = await ask(answering(200, body));
    expect(completion).toMatchObject({ kind: 'answered', ...expected });
  });

  test('what it holds can be stored', async () => {
    const { completion } = await ask(answering(200, { ...said('a\u0000b\ud800'), model: 'm\u0000' }));
    expect(completion).toMatchObject({ text: 'a\ufffdb\ufffd', model: 'm\ufffd' });
    expect(findUnstorable(completion)).toBeNull();
  });
});

describe('no answer', () => {
  test.each<[string, unknown, string]>([
    ['no choices', { choices: [] }, 'choices: '],
    ['a fault in the place of choices', { error: { message: 'overloaded' } }, 'choices: '],
    ['a choice without a message', { choices: [{}] }, 'choices.0.message: '],
    [
      'a message of parts',
      { choices: [choice({ content: [{ text: 'a' }] })] },
      'choices.0.message.content: ',
    ],
    ['a page', '<html>', 'it is not JSON'],
    ['nothing', '', 'it is not JSON'],
    ['null', 'null', 'answer: '],
  ])('200 with %s cannot be read, and may be asked again', async (_what, body, what) => {
    const { completion } = await ask(answering(200, body));
    expect(completion).toMatchObject({
      kind: 'unreadable',
      status: 200,
      retryable: true,
      may_have_worked: false,
    });
    expect(completion).toHaveProperty('message', expect.stringContaining(`no chat completion (${what}`));
    expect(findUnstorable(completion)).toBeNull();
  });

  test('200 with more than 1 MiB is an answer that is too long', async () => {
    const { completion } = await ask(answering(200, said('x'.repeat(1024 * 1024))));
    expect(completion).toMatchObject({ kind: 'answered', ending: 'oversized', model: null });
    expect(completion).toHaveProperty('text', expect.stringMatching(/… \[truncated\]$/));
  });

  test.each<[number, boolean, string]>([
    [400, false, 'its answer says why'],
    [401, false, 'activity-core sends none'],
    [403, false, 'set LLM_CONNECT_URL to a gateway'],
    [404, false, 'LLM_CONNECT_MODEL'],
    [413, false, 'less data'],
    [422, false, 'json_schema'],
    [302, false, 'not followed; set LLM_CONNECT_URL'],
    [204, false, 'is LLM_CONNECT_URL right?'],
    [408, true, 'later'],
    [429, true, 'later'],
    [500, true, 'later'],
    [503, true, 'later'],
  ])('%i is a refusal that says what to do', async (status, retryable, advice) => {
    const { completion, asked } = await ask(answering(status, status === 204 ? '' : 'w\u0000hy'));
    expect(completion).toMatchObject({ kind: 'refused', status, retryable, retry_after_ms: null });
    expect(completion).toHaveProperty('message', expect.stringContaining(advice));
    expect(completion).toHaveProperty('answer', status === 204 ? null : 'w\ufffdhy');
    expect(asked).toHaveLength(1);
  });

  test.each([
    [400, false],
    [429, false],
    [500, false],
    [503, false],
    [408, true],
    [502, true],
    [504, true],
  ])(
    '%i: whether the model may have worked is %s, also where the answer breaks off',
    async (status, worked) => {
      const { completion } = await ask(answering(status, 'why'));
      expect(completion).toMatchObject({ kind: 'refused', status, may_have_worked: worked });
      const broken = await ask((_asked, response) => {
        response.writeHead(status, { 'content-length': 100 }).write('w', () => response.destroy());
      });
      expect(broken.completion).toMatchObject({ kind: 'unreadable', status, may_have_worked: worked });
    },
  );

  test('Retry-After is told, and a long answer is kept in part', async () => {
    const { completion } = await ask(answering(429, 'x'.repeat(10_000), { 'retry-after': '7' }));
    expect(completion).toMatchObject({
      retry_after_ms: 7000,
      answer: expect.stringMatching(/… \[truncated\]$/),
    });
  });

  test('a URL that ends in /v1 is told of', async () => {
    await using server = await startHttpServer(answering(404, ''));
    const client = createLlmConnectClient({ url: `${server.url}/v1`, timeoutMs: 60_000, model: undefined });
    expect(await client.complete(REQUEST)).toHaveProperty(
      'message',
      expect.stringContaining('without the `/v1`'),
    );
  });

  test('silence ends with the time-out, also in the middle of an answer', async () => {
    const silent = await ask(() => undefined, {}, 2_000);
    expect(silent.completion).toMatchObject({
      kind: 'unreadable',
      status: null,
      retryable: true,
      may_have_worked: true,
      message: 'llm-connect: no answer within 2 s',
    });
    const halfway = await ask((_asked, response) => response.writeHead(200).write('{"choices":'), {}, 2_000);
    expect(halfway.completion).toMatchObject({ status: 200, message: 'llm-connect: no answer within 2 s' });
  });

  test('the asker may give up', async () => {
    const giveUp = new AbortController();
    const { completion } = await ask(() => giveUp.abort(new Error('cancelled')), { signal: giveUp.signal });
    expect(completion).toMatchObject({
      kind: 'unreadable',
      may_have_worked: true,
      message: 'llm-connect: the request was given up',
    });
    const before = await ask(answering(200, said('{}')), { signal: AbortSignal.abort() });
    expect(before.completion).toMatchObject({ kind: 'unreadable', may_have_worked: false });
    expect(before.asked).toEqual([]);
  });

  test('a connection that is refused, or breaks, is told', async () => {
    const server = createServer((socket: Socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{');
        socket.destroySoon();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const client = createLlmConnectClient({
      url: `http://127.0.0.1:${port}`,
      timeoutMs: 60_000,
      model: undefined,
    });
    expect(await client.complete(REQUEST)).toMatchObject({
      status: 200,
      may_have_worked: true,
      message: 'llm-connect: the connection broke off',
    });
    await new Promise((resolve) => server.close(resolve));
    expect(await client.complete(REQUEST)).toMatchObject({
      kind: 'unreadable',
      status: null,
      may_have_worked: false,
      message: 'llm-connect: connection refused; is LLM_CONNECT_URL right?',
    });
  });

  test.each<[string, (socket: Socket) => void]>([
    ['is refused', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['breaks off', (socket) => socket.destroy()],
    ['is never answered', () => undefined],
  ])('of TLS that %s, nothing has reached a model', async (_what, onData) => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined).once('data', () => onData(socket));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const url = `https://127.0.0.1:${port}`;
    const client = createLlmConnectClient({ url, timeoutMs: 500, model: undefined });
    expect(await client.complete(REQUEST)).toMatchObject({
      kind: 'unreadable',
      status: null,
      may_have_worked: false,
    });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test('an address that is none does not throw', async () => {
    const client = createLlmConnectClient({ url: 'nonsense', timeoutMs: 60_000, model: undefined });
    expect(await client.complete(REQUEST)).toMatchObject({
      kind: 'unreadable',
      may_have_worked: false,
      message: expect.stringContaining('LLM_CONNECT_URL'),
    });
  });
});
