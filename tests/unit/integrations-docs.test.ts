/** What docs/integrations says of issue-core, State Hub and llm-connect is held to the clients, and to the stand-ins' own shapes. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createLlmConnectClient } from '../../src/clients/llm-connect.ts';
import { createStateHubClient } from '../../src/clients/state-hub.ts';
import { commentBodySchema, taskBodySchema } from '../../src/dev/stand-ins/issue-core-body.ts';
import { parseCompletionRequest } from '../../src/dev/stand-ins/llm-connect-request.ts';
import { progressBodySchema } from '../../src/dev/stand-ins/state-hub-progress.ts';
import { RUN_IDENTITY } from '../../src/reports/run-identity.ts';
import { createIssueCoreRestSink } from '../../src/sinks/issue-core-rest-sink.ts';
import { requestBody } from '../../src/sinks/request-body.ts';
import { answering, startHttpServer } from './http-server.ts';

const read = (name: string) => readFileSync(`docs/integrations/${name}.md`, 'utf8');
const jsonBlocks = (text: string) =>
  [...text.matchAll(/^```json\n(.*?)^```$/gms)].map(([, block]) => JSON.parse(block ?? ''));

/** Status codes that the rows of the first table with such a head name, with the second cell. */
function statusesOf(text: string, head: string): [status: number, said: string][] {
  const [, below = ''] = text.split(`\n| answer | ${head}`);
  const [table = ''] = below.split('\n\n');
  return [...table.matchAll(/^\| (\d[^|]*) \| ([^|]*) \|/gm)].flatMap(([, codes = '', said = '']) =>
    [...codes.matchAll(/\b\d{3}\b/g)].map(([status]): [number, string] => [Number(status), said.trim()]),
  );
}

describe('issue-core', () => {
  const text = read('issue-core');
  const [task, openTasks, comment] = jsonBlocks(text);
  const options = { token: 'a-token', timeoutMs: 60_000 };

  test('its task is what is posted, and what the stand-in takes', () => {
    const { source, ...spec } = taskBodySchema.parse(task);
    expect(JSON.parse(requestBody(spec, { traceparent: null, ...source }))).toEqual(task);
    expect(commentBodySchema.parse(comment)).toEqual(comment);
  });

  test('its answer about open tasks is understood', async () => {
    await using server = await startHttpServer(answering(200, openTasks));
    const sink = createIssueCoreRestSink({ ...options, url: server.url });
    expect(await sink.findOpen('K')).toEqual({ outcome: 'found', refs: ['ACT-9'] });
    expect(server.asked[0]?.url).toBe('/api/v1/tasks?dedupe_key=K&state=open');
  });

  const OUTCOMES: Record<string, string> = {
    created: 'created',
    duplicate: 'known',
    'as 200': 'known',
    failed: 'rejected',
  };

  test.each(statusesOf(text, 'the spec is'))(
    'what it says of %i is what the sink makes of it',
    async (status, said) => {
      await using server = await startHttpServer(answering(status, { ref: 'ACT-17' }));
      const sink = createIssueCoreRestSink({ ...options, url: server.url });
      const { outcome } = await sink.create('key', '{}');
      const pending = status === 401 || status === 403 ? ['unauthorized'] : ['not_taken', 'unknown'];
      const [word = ''] = said.replaceAll('`', '').split(/[,;]| of /);
      expect(word === 'pending' ? pending : [OUTCOMES[word]]).toContain(outcome);
    },
  );
});

describe('State Hub', () => {
  const text = read('state-hub');
  const [tasks, workstreams, engagement, progress, filed] = jsonBlocks(text);

  test('its answers are understood', async () => {
    await using server = await startHttpServer((asked, response) => {
      const answers: Record<string, unknown> = {
        '/tasks?status=open': tasks,
        '/tasks?status=open&cursor=T-101': { items: [], next_cursor: null },
        '/workstreams?status=active': workstreams,
        '/engagements/coulomb-loop': engagement,
        '/progress?event_type=daily_triage&since=2026-11-20T00%3A00%3A00Z': filed,
        '/progress': { id: 'PROGRESS-1' },
      };
      answering(
        answers[asked.url] === undefined ? 404 : asked.method === 'POST' ? 201 : 200,
        answers[asked.url] ?? {},
      )(asked, response);
    });
    const client = createStateHubClient({ url: server.url, token: undefined });
    expect((await client.listTasks()).items).toEqual(tasks.items);
    expect((await client.listWorkstreams()).items).toEqual(workstreams.items);
    expect(await client.getEngagement('coulomb-loop')).toEqual({ roster_path: engagement.roster_path });
    expect(await client.getEngagement('another')).toBeNull();
    expect(await client.postProgress(progress)).toEqual({ id: 'PROGRESS-1', created: true });
    const found = await client.listProgress({ event_type: 'daily_triage', since: '2026-11-20T00:00:00Z' });
    expect(found.items).toMatchObject(filed.items);
  });

  test('its progress is what is filed, with what identifies a run', () => {
    expect(progressBodySchema.parse(progress)).toEqual(progress);
    expect(Object.keys(progress.detail)).toEqual([...RUN_IDENTITY]);
  });
});

describe('llm-connect', () => {
  const text = read('llm-connect');
  const [request, answer] = jsonBlocks(text);
  const asking = { messages: request.messages, schema: { name: 'risks', schema: { type: 'object' } } };
  const clientOf = (url: string) => createLlmConnectClient({ url, timeoutMs: 60_000, model: 'a-model' });

  test('its request is what is sent, and what the stand-in takes', async () => {
    await using server = await startHttpServer(answering(200, answer));
    const { schema, name } = request.response_format.json_schema;
    const { temperature, max_tokens } = request;
    await clientOf(server.url).complete({ ...asking, schema: { name, schema }, temperature, max_tokens });
    expect(server.asked).toMatchObject([{ method: 'POST', url: '/v1/chat/completions' }]);
    expect(JSON.parse(server.asked[0]?.body ?? '')).toEqual(request);
    expect(parseCompletionRequest(JSON.stringify(request))).toMatchObject({ ok: true });
  });

  test('its answer is understood', async () => {
    await using server = await startHttpServer(answering(200, answer));
    expect(await clientOf(server.url).complete(asking)).toMatchObject({
      kind: 'answered',
      text: '{"summary": "Nothing to worry about."}',
      ending: 'complete',
      model: 'a-model',
      usage: { prompt_tokens: 812, completion_tokens: 9 },
    });
  });

  const refusals = statusesOf(text, 'what is made of it').filter(([status]) => status !== 200);

  test.each(refusals)('what it says of %i is what the client says', async (status, said) => {
    await using server = await startHttpServer(answering(status, {}));
    const completion = await clientOf(server.url).complete(asking);
    expect(completion).toMatchObject({ kind: 'refused', retryable: said.startsWith('asked again') });
    expect(refusals.length).toBeGreaterThan(10);
  });
});
