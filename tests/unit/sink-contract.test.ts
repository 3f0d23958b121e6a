/** What every sink keeps to (contract 7), told by what really arrives on the other side. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TaskSpec } from '../../src/core/decision.ts';
import { createIssueCoreRestSink } from '../../src/sinks/issue-core-rest-sink.ts';
import { createNullSink } from '../../src/sinks/null-sink.ts';
import { requestBody } from '../../src/sinks/request-body.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { type Answering, type HttpServer, startHttpServer } from './http-server.ts';

const TOKEN = 'contract-suite-token';
const MEMBERS = ['title', 'description', 'labels', 'priority', 'target_repo', 'dedupe_key', 'source'];
const SOURCE_MEMBERS = ['system', 'definition_id', 'definition_hash', 'run_id', 'rule_id', 'event_id'];

const source = {
  definition_id: 'low-success-rate-review',
  definition_hash: 'c0ffee',
  run_id: '0198c6a2-0000-5000-8000-000000000001',
  rule_id: 'low-success-rate',
  event_id: null,
  traceparent: null,
};
const spec: TaskSpec = {
  title: 'Review coach in «pilot-a» 🌱',
  description: 'Success rate 0.62, "as measured"\n',
  labels: ['kaizen', 'quality'],
  priority: 'medium',
  target_repo: 'pilot-a',
  dedupe_key: 'low-success-rate:pilot-a:coach & more/?#',
};
const { traceparent: _, ...untraced } = source;
const body = requestBody(spec, source);

/** issue-core as contract 7 has it. */
interface Tasks {
  byKey: Map<string, { ref: string; dedupe_key: string | null }>;
  comments: Map<string, { ref: string; body: string }>;
}

let tasks: Tasks;
let server: HttpServer;
beforeEach(async () => {
  tasks = { byKey: new Map(), comments: new Map() };
  server = await startHttpServer(issueCore(tasks));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await server[Symbol.asyncDispose]();
});

describe.each<[Sink['type'], () => Sink]>([
  ['null', createNullSink],
  ['issue-core', () => createIssueCoreRestSink({ url: server.url, token: TOKEN, timeoutMs: 60_000 })],
])('the %s sink', (type, createSink) => {
  test('tells its type, and what becomes of a spec', async () => {
    const sink = createSink();
    expect(sink.type).toBe(type);
    const { outcome } = await sink.create('key-1', body);
    expect(outcome).toBe(type === 'null' ? 'audited' : 'created');
  });

  test('creates a task under the reference of the other side, where there is one', async () => {
    const answer = await createSink().create('key-1', body);
    const ref = tasks.byKey.get('key-1')?.ref;
    expect(answer).toEqual(ref === undefined ? { outcome: 'audited' } : { outcome: 'created', ref });
    expect(tasks.byKey.size).toBe(type === 'null' ? 0 : 1);
  });

  test('makes at most one task of one key, also for two at one moment', async () => {
    const sink = createSink();
    const answers = await Promise.all([sink.create('key-1', body), sink.create('key-1', body)]);
    answers.push(await sink.create('key-1', body));
    expect(tasks.byKey.size).toBeLessThanOrEqual(1);
    expect(answers.filter(({ outcome }) => outcome === 'created')).toHaveLength(tasks.byKey.size);
    const refs = new Set(answers.flatMap((answer) => ('ref' in answer ? [answer.ref] : [])));
    expect(refs.size).toBe(tasks.byKey.size);
  });

  test('sends the body byte for byte: the members of the contract and nothing else', async () => {
    await createSink().create('key-1', body);
    for (const asked of server.asked) {
      expect(asked.body).toBe(body);
      const sent = JSON.parse(asked.body);
      expect(Object.keys(sent)).toEqual(MEMBERS);
      expect(Object.keys(sent.source)).toEqual(SOURCE_MEMBERS);
      expect(sent).toEqual({ ...spec, source: { system: 'activity-core', ...untraced } });
    }
  });

  test('never sends a review_required, whatever the spec carries', async () => {
    const marked = { ...spec, review_required: true };
    const sink = createSink();
    await sink.findOpen('key');
    await sink.create('key-1', requestBody(marked, { ...source, ...{ review_required: true } }));
    await sink.comment('ACT-1', 'key-1', 'seen again');
    expect(JSON.stringify(server.asked)).not.toContain('review_required');
  });

  test('finds the open tasks of a dedupe key that it made, and none of another', async () => {
    const sink = createSink();
    await sink.create('key-1', body);
    const refs = [...tasks.byKey.values()].map(({ ref }) => ref);
    expect(await sink.findOpen(spec.dedupe_key ?? '')).toEqual({ outcome: 'found', refs });
    expect(await sink.findOpen('another')).toEqual({ outcome: 'found', refs: [] });
  });

  test('says commented for a comment, and again for the same one, which is there once', async () => {
    const sink = createSink();
    const ref = 'kaizen/ACT 1#2';
    expect(await sink.comment(ref, 'key-2', 'seen "again"')).toEqual({ outcome: 'commented' });
    expect(await sink.comment(ref, 'key-2', 'seen "again"')).toEqual({ outcome: 'commented' });
    const there = type === 'null' ? [] : [['key-2:comment', { ref, body: 'seen "again"' }]];
    expect([...tasks.comments]).toEqual(there);
  });

  test('asks nothing that is not asked of it', async () => {
    const fetching = vi.spyOn(globalThis, 'fetch');
    const sink = createSink();
    expect(fetching).not.toHaveBeenCalled();
    await sink.create('key-1', body);
    await sink.findOpen('key');
    await sink.comment('ACT-1', 'key-1', 'again');
    const requests = type === 'null' ? 0 : 3;
    expect(server.asked).toHaveLength(requests);
    expect(fetching).toHaveBeenCalledTimes(requests);
  });
});

function issueCore({ byKey, comments }: Tasks): Answering {
  return ({ method, url, headers, body: sent }, response) => {
    const answer = (status: number, content: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
    if (headers.authorization !== `Bearer ${TOKEN}`) return answer(401, {});
    const { pathname, searchParams } = new URL(url, 'http://issue-core');
    const key = String(headers['idempotency-key']);
    const [, encoded] = /^\/api\/v1\/tasks\/([^/]+)\/comments$/.exec(pathname) ?? [];
    if (method === 'POST' && encoded !== undefined) {
      if (comments.has(key)) return answer(409, {});
      comments.set(key, { ref: decodeURIComponent(encoded), ...JSON.parse(sent) });
      return answer(201, {});
    }
    if (pathname !== '/api/v1/tasks') return answer(404, {});
    if (method === 'GET') {
      const wanted = searchParams.get('dedupe_key');
      const open = [...byKey.values()].filter(({ dedupe_key }) => dedupe_key === wanted);
      return answer(searchParams.get('state') === 'open' ? 200 : 400, { items: open });
    }
    const known = byKey.get(key);
    if (known) return answer(200, known);
    const task = { ref: `ACT-${byKey.size + 1}`, dedupe_key: JSON.parse(sent).dedupe_key };
    byKey.set(key, task);
    return answer(201, { ...task, url: `http://issue-core/${task.ref}` });
  };
}
