/** Whatever State Hub, llm-connect and issue-core answer over a real connection: a value, or a fault of the known kind. */
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIssueCoreClient } from '../../src/clients/issue-core.ts';
import { createLlmConnectClient } from '../../src/clients/llm-connect.ts';
import { createStateHubClient, StateHubError } from '../../src/clients/state-hub.ts';
import { findUnstorable } from '../../src/core/storable.ts';
import { useFuzzSeed } from '../setup/fuzz-seed.ts';
import { type HttpServer, startHttpServer } from './http-server.ts';

useFuzzSeed();

interface Reply {
  status: number;
  type: string;
  body: Buffer;
  /** Whether the connection breaks off before the announced end. */
  breaks: boolean;
}

let reply: Reply;
let server: HttpServer;

beforeAll(async () => {
  server = await startHttpServer((_asked, response) => {
    const { status, type, body, breaks } = reply;
    response.writeHead(status, {
      'content-type': type,
      'content-length': body.length + (breaks ? 10 : 0),
      'retry-after': type,
    });
    if (!breaks) response.end(body);
    else response.write(body, () => (response.socket as Socket).destroy());
  });
});
afterAll(() => server[Symbol.asyncDispose]());

const hard = fc.constantFrom<unknown>(
  ...[null, true, '', '\u0000', '\ud800', '__proto__', 0, -1, 0.5, 1e308, 2 ** 53, [], {}, 'x'.repeat(5_000)],
);
const anyValue = fc.oneof(hard, fc.jsonValue({ depthSize: 'small' }), fc.string({ unit: 'binary' }));

/** An answer as it should be, with some of its fields replaced by what does not belong there. */
const nearly = (whole: Record<string, unknown>) =>
  fc
    .array(fc.tuple(fc.constantFrom(...Object.keys(whole), '__proto__', 'more'), anyValue), { maxLength: 3 })
    .map((changes) => ({ ...whole, ...Object.fromEntries(changes) }));

const task = nearly({
  id: 'T-1',
  title: 'Renew',
  workstream_id: 'w',
  status: 'open',
  business_value: 3,
  job_size: 2,
  updated_at: '2026-11-20T00:00:00Z',
});
const page = fc.oneof(
  fc.array(task, { maxLength: 5 }).map((items) => ({ items, next_cursor: null })),
  fc.array(task, { maxLength: 2 }).chain((items) => nearly({ items, next_cursor: 'c-1' })),
);
const hubAnswer = fc.oneof(page, nearly({ id: 'p-1', roster_path: 'roster.yaml' }), anyValue);
const choice = nearly({ content: '{}', refusal: null }).chain((message) =>
  nearly({ message, finish_reason: 'stop' }),
);
const completion = fc.oneof(
  choice.chain((one) =>
    nearly({ model: 'm', choices: [one], usage: { prompt_tokens: 1, completion_tokens: 1 } }),
  ),
  anyValue,
);
const issueAnswer = fc.oneof(
  nearly({ ref: 'ISSUE-1', url: 'http://x' }),
  fc.array(nearly({ ref: 'ISSUE-1' }), { maxLength: 3 }).chain((items) => nearly({ items })),
  anyValue,
);

const statuses = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(200, 201, 409) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(202, 204, 206, 301, 304, 400, 401, 404, 408, 422, 429, 500, 503, 599),
  },
);

function replies(answer: fc.Arbitrary<unknown>): fc.Arbitrary<Reply> {
  const body = fc.oneof(
    { weight: 4, arbitrary: answer.map((value) => Buffer.from(JSON.stringify(value) ?? '')) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)) },
    {
      weight: 1,
      arbitrary: fc.nat(3_000).map((depth) => Buffer.from('['.repeat(depth) + ']'.repeat(depth))),
    },
  );
  return fc
    .record({
      status: statuses,
      type: fc.constantFrom(
        'application/json',
        'text/html',
        '-1',
        '99999999999',
        'Fri, 31 Feb 2026 99:00:00 GMT',
      ),
      body,
      breaks: fc.nat(9).map((n) => n === 0),
    })
    .map((one) => {
      const isBodiless = one.status === 204 || one.status === 304;
      return isBodiless ? { ...one, body: Buffer.alloc(0), breaks: false } : one;
    });
}

/** Every question is asked of every answer; whether one was ever understood shows that the generator is worth something. */
async function assertAnswers(
  answer: fc.Arbitrary<unknown>,
  questions: (() => Promise<boolean>)[],
): Promise<void> {
  const understood = questions.map(() => false);
  await fc.assert(
    fc.asyncProperty(replies(answer), async (one) => {
      reply = one;
      for (const [index, ask] of questions.entries()) if (await ask()) understood[index] = true;
    }),
    { numRuns: 300 },
  );
  expect(understood).toEqual(questions.map(() => true));
}

test('State Hub: what it answers is a value that can be stored, or a StateHubError', async () => {
  const hub = createStateHubClient({ url: server.url, token: 'hub-secret-token', timeoutMs: 60_000 });
  const progress = { event_type: 't', summary: 's', detail: {}, author: 'a', idempotency_key: 'k' };
  const asked = (question: () => Promise<object | null>) => async () => {
    try {
      expect(findUnstorable(await question())).toBeNull();
      return true;
    } catch (error) {
      if (!(error instanceof StateHubError)) throw error;
      expect(error.message).not.toContain('hub-secret-token');
      return false;
    }
  };
  await assertAnswers(hubAnswer, [
    asked(() => hub.listTasks()),
    asked(() => hub.listWorkstreams()),
    asked(() => hub.listProgress({ event_type: 't', since: '2026-11-20T00:00:00Z' })),
    asked(() => hub.postProgress(progress)),
    asked(() => hub.getEngagement('coulomb-loop')),
  ]);
});

test('llm-connect: what it answers is a text that can be stored, or one of the two faults', async () => {
  const client = createLlmConnectClient({ url: server.url, timeoutMs: 60_000, model: 'm' });
  const request = {
    messages: [{ role: 'user' as const, content: 'Go.' }],
    schema: { name: 's', schema: { type: 'object' } },
  };
  await assertAnswers(completion, [
    async () => {
      const found = await client.complete(request);
      expect(['answered', 'refused', 'unreadable']).toContain(found.kind);
      expect(findUnstorable(found)).toBeNull();
      return found.kind === 'answered';
    },
  ]);
});

test('issue-core: what it answers is a reference that can be stored, or one of the two faults', async () => {
  const client = createIssueCoreClient({ url: server.url, token: 'issue-secret-token', timeoutMs: 60_000 });
  const asked = (question: () => Promise<{ kind: string }>) => async () => {
    const found = await question();
    expect(['answered', 'refused', 'unreadable']).toContain(found.kind);
    expect(findUnstorable(found)).toBeNull();
    return found.kind === 'answered';
  };
  await assertAnswers(issueAnswer, [
    asked(() => client.createTask('key', '{}')),
    asked(() => client.findOpenTasks('dedupe')),
  ]);
});
