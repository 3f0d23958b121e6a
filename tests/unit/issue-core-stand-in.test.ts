import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type IssueCoreStandIn,
  type IssueCoreStandInOptions,
  startIssueCoreStandIn,
} from '../../src/dev/stand-ins/issue-core.ts';
import type { TaskBody } from '../../src/dev/stand-ins/issue-core-body.ts';
import { FAULTS } from '../../src/dev/stand-ins/issue-core-faults.ts';
import { until } from '../setup/until.ts';

const TOKEN = 'a-token';
const BODY: TaskBody = {
  title: 'Review coach',
  description: 'Success rate 0.62',
  labels: ['kaizen'],
  priority: 'medium',
  target_repo: 'kaizen-agentic',
  dedupe_key: 'low:coach',
  source: {
    system: 'activity-core',
    definition_id: 'low-success-rate-review',
    definition_hash: 'abc',
    run_id: 'run-1',
    rule_id: 'low-success-rate',
    event_id: null,
  },
};

interface Item {
  ref: string;
  title: string;
  state: string;
  dedupe_key: string | null;
}

let folder: string;
let standIn: IssueCoreStandIn;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'issue-core-stand-in-'));
  standIn = await start();
});
afterEach(async () => {
  await standIn.close();
  rmSync(folder, { recursive: true });
});

const start = (options: Partial<IssueCoreStandInOptions> = {}) =>
  startIssueCoreStandIn({ token: TOKEN, ...options });

async function restart(options: Partial<IssueCoreStandInOptions>): Promise<void> {
  await standIn.close();
  standIn = await start(options);
}

async function request(
  method: string,
  path: string,
  { key, body, token = TOKEN }: { key?: string; body?: unknown; token?: string | null } = {},
) {
  const response = await fetch(`${standIn.url}${path}`, {
    method,
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, retryAfter: response.headers.get('retry-after') };
}

const post = (key: string, body: unknown = BODY) => request('POST', '/api/v1/tasks', { key, body });
const comment = (ref: string, key: string, body: unknown) =>
  request('POST', `/api/v1/tasks/${ref}/comments`, { key, body });
const itemsAt = async (path: string): Promise<Item[]> => JSON.parse((await request('GET', path)).text).items;
const refsAt = async (path: string) => (await itemsAt(path)).map(({ ref }) => ref);
const lastRequest = () => standIn.requests().at(-1);

describe('tasks', () => {
  test('a task is made once for its key, and told again with its reference', async () => {
    const first = await post('k1');
    expect(first.status).toBe(201);
    const url = `${standIn.url}/stand-in/tasks/ISSUE-1`;
    expect(JSON.parse(first.text)).toEqual({ ref: 'ISSUE-1', url });
    expect((await fetch(url)).status).toBe(200);
    const again = await post('k1');
    expect([again.status, JSON.parse(again.text).ref]).toEqual([200, 'ISSUE-1']);
    expect(JSON.parse((await post('k2')).text).ref).toBe('ISSUE-2');
    expect(standIn.tasks()).toMatchObject([
      { ref: 'ISSUE-1', idempotency_key: 'k1', body: BODY, state: 'open', comments: [] },
      { ref: 'ISSUE-2', idempotency_key: 'k2' },
    ]);
  });

  test('two requests with one key at one moment make one task', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('k1')));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(19).fill(200), 201]);
    expect(standIn.tasks()).toHaveLength(1);
  });

  test('a known key with another body is refused, and changes nothing', async () => {
    await post('k1');
    const answer = await post('k1', { ...BODY, title: 'Another' });
    expect(answer).toMatchObject({ status: 422, text: expect.stringContaining('idempotency_conflict') });
    expect(standIn.tasks().map(({ body }) => body.title)).toEqual(['Review coach']);
  });

  test.each<[string, string | undefined, unknown, string]>([
    ['no key', undefined, BODY, 'Idempotency-Key'],
    ['no JSON', 'k1', '{', 'not JSON'],
    ['a list', 'k1', [], 'body: '],
    ['an unknown member', 'k1', { ...BODY, colour: 'red' }, 'colour'],
    ['an unknown priority', 'k1', { ...BODY, priority: 'huge' }, 'body.priority: '],
    ['another system', 'k1', { ...BODY, source: { ...BODY.source, system: 'x' } }, 'body.source.system: '],
    ['review_required', 'k1', { ...BODY, review_required: false }, 'review_required_refused'],
    [
      'review_required deep inside',
      'k1',
      { ...BODY, labels: [{ review_required: true }] },
      'review_required_refused',
    ],
  ])('%s is refused with 400 that says so', async (_, key, body, said) => {
    const answer = await request('POST', '/api/v1/tasks', { key, body });
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining(said) });
    expect(standIn.tasks()).toEqual([]);
  });

  test.each([null, 'another', ''])('the token %j is not let in', async (token) => {
    const answer = await request('POST', '/api/v1/tasks', { key: 'k1', body: BODY, token });
    expect(answer).toMatchObject({ status: 401, text: expect.stringContaining('unauthorized') });
    expect((await request('GET', '/api/v1/tasks', { token })).status).toBe(401);
    expect(standIn.tasks()).toEqual([]);
  });

  test('open tasks are found by their dedupe_key, closed and reopened ones accordingly', async () => {
    await post('k1');
    await post('k2', { ...BODY, dedupe_key: 'a&b=c' });
    await post('k3', { ...BODY, dedupe_key: null });
    expect(await itemsAt('/api/v1/tasks?dedupe_key=low:coach&state=open')).toMatchObject([
      { ref: 'ISSUE-1', title: 'Review coach', state: 'open', dedupe_key: 'low:coach' },
    ]);
    expect(await refsAt(`/api/v1/tasks?dedupe_key=${encodeURIComponent('a&b=c')}`)).toEqual(['ISSUE-2']);
    expect(await refsAt('/api/v1/tasks')).toEqual(['ISSUE-1', 'ISSUE-2', 'ISSUE-3']);
    const closed = await request('POST', '/stand-in/tasks/ISSUE-1/close', { token: null });
    expect(JSON.parse(closed.text)).toMatchObject({ ref: 'ISSUE-1', state: 'closed' });
    expect(await refsAt('/api/v1/tasks?dedupe_key=low:coach&state=open')).toEqual([]);
    expect(await refsAt('/api/v1/tasks?state=closed')).toEqual(['ISSUE-1']);
    await request('POST', '/stand-in/tasks/ISSUE-1/reopen', { token: null });
    expect(await refsAt('/api/v1/tasks?dedupe_key=low:coach&state=open')).toEqual(['ISSUE-1']);
    expect((await request('GET', '/api/v1/tasks?dedup_key=x')).status).toBe(400);
    expect((await request('GET', '/api/v1/tasks?state=done')).status).toBe(400);
  });

  test('a task is told by its reference', async () => {
    await post('k1');
    const task = JSON.parse((await request('GET', '/api/v1/tasks/ISSUE-1')).text);
    expect(task).toMatchObject({ ref: 'ISSUE-1', state: 'open', ...BODY });
    expect((await request('GET', '/api/v1/tasks/ISSUE-2')).status).toBe(404);
    expect((await request('DELETE', '/api/v1/tasks/ISSUE-1')).status).toBe(405);
  });

  test('a comment is made once for its key', async () => {
    await post('k1');
    expect((await comment('ISSUE-1', 'k2:comment', { body: 'again' })).status).toBe(201);
    expect((await comment('ISSUE-1', 'k2:comment', { body: 'again' })).status).toBe(200);
    expect((await comment('ISSUE-1', 'k2:comment', { body: 'else' })).status).toBe(422);
    expect((await comment('ISSUE-1', 'k3:comment', { body: '', review_required: true })).status).toBe(400);
    expect((await comment('ISSUE-9', 'k3:comment', { body: 'lost' })).status).toBe(404);
    expect(await itemsAt('/api/v1/tasks/ISSUE-1/comments')).toMatchObject([
      { body: 'again', idempotency_key: 'k2:comment' },
    ]);
  });
});

describe('faults', () => {
  const always = (fault: (typeof FAULTS)[number]) => standIn.setFaults({ faults: [fault], rate: 1 });

  test('http_500 comes before or after accepting', async () => {
    always('http_500');
    for (let n = 0; n < 20; n++) expect((await post(`k${n}`)).status).toBe(500);
    expect(standIn.tasks().length).toBeGreaterThan(0);
    expect(standIn.tasks().length).toBeLessThan(20);
    expect((await request('GET', '/api/v1/tasks')).status).toBe(500);
  });

  test('http_429 says when to come again, and takes nothing', async () => {
    always('http_429');
    expect(await post('k1')).toMatchObject({ status: 429, retryAfter: '1' });
    expect(standIn.tasks()).toEqual([]);
  });

  test('http_409_known makes a new task as ever, and answers 409 with the reference of a known one', async () => {
    always('http_409_known');
    expect((await post('k1')).status).toBe(201);
    const again = await post('k1');
    expect([again.status, JSON.parse(again.text).ref]).toEqual([409, 'ISSUE-1']);
    expect(await refsAt('/api/v1/tasks')).toEqual(['ISSUE-1']);
  });

  test.each([
    ['close_after_accepting', 1],
    ['close_before_accepting', 0],
  ] as const)('%s ends the connection without an answer', async (fault, made) => {
    always(fault);
    await expect(post('k1')).rejects.toThrow();
    expect(standIn.tasks()).toHaveLength(made);
    expect(lastRequest()).toMatchObject({ fault, answered: 'closed', idempotency_key: 'k1' });
  });

  test('hang never answers, and close cuts it off', async () => {
    always('hang');
    const hanging = post('k1').then(
      () => 'answered',
      () => 'cut',
    );
    await until('the request is there', async () => lastRequest()?.answered === 'hung');
    await standIn.close();
    expect(await hanging).toBe('cut');
  });

  test('rubbish makes the task and answers what names none', async () => {
    always('rubbish');
    for (let n = 1; n <= 12; n++) {
      const { status, text } = await post(`k${n}`);
      expect(status).toBe(201);
      expect(text).not.toContain(`ISSUE-${n}"`);
    }
    expect(standIn.tasks()).toHaveLength(12);
  });

  test('reject_400 may be meant for some titles alone', async () => {
    standIn.setFaults({ faults: ['reject_400'], rate: 1, reject_title: 'bad' });
    expect((await post('k1')).status).toBe(201);
    expect(await post('k2', { ...BODY, title: 'A bad one' })).toMatchObject({
      status: 400,
      text: expect.stringMatching(/"error".*"message"/),
    });
    expect(standIn.tasks()).toHaveLength(1);
    always('reject_400');
    expect((await post('k3')).status).toBe(400);
  });

  test('unauthorized refuses the right token, look-ups too', async () => {
    always('unauthorized');
    expect((await post('k1')).status).toBe(401);
    expect((await request('GET', '/api/v1/tasks?dedupe_key=x&state=open')).status).toBe(401);
    expect(standIn.tasks()).toEqual([]);
  });

  test('are switched over HTTP, told, and never strike what is under /stand-in', async () => {
    const settings = { faults: ['close_before_accepting'], rate: 1, seed: 7 };
    const put = await request('PUT', '/stand-in/faults', { body: settings, token: null });
    expect(JSON.parse(put.text)).toEqual({ ...settings, reject_title: null });
    const got = await request('GET', '/stand-in/faults', { token: null });
    expect(JSON.parse(got.text)).toEqual({ ...settings, reject_title: null });
    expect(await itemsAt('/stand-in/tasks')).toEqual([]);
    await expect(post('k1')).rejects.toThrow();
    const off = await request('PUT', '/stand-in/faults', { body: { faults: [] }, token: null });
    expect(off.status).toBe(200);
    expect((await post('k1')).status).toBe(201);
  });

  test.each([{ faults: ['explode'], rate: 1 }, { faults: [], rate: 2 }, {}, '{'])(
    'settings like %j are refused and change nothing',
    async (body) => {
      const before = (await request('GET', '/stand-in/faults')).text;
      expect((await request('PUT', '/stand-in/faults', { body })).status).toBe(400);
      expect((await request('GET', '/stand-in/faults')).text).toBe(before);
    },
  );

  test('the same seed gives the same faults, and a rate is about that', async () => {
    const faults = ['http_500', 'http_429', 'reject_400', 'unauthorized', 'rubbish'] as const;
    const struck = async () => {
      standIn.setFaults({ faults: [...faults], rate: 0.5, seed: 42 });
      for (let n = 0; n < 100; n++) await post('k');
      return standIn
        .requests()
        .slice(-100)
        .map(({ fault }) => fault);
    };
    const first = await struck();
    expect(new Set(first)).toEqual(new Set([...faults, null]));
    const count = first.filter(Boolean).length;
    expect(count).toBeGreaterThan(30);
    expect(count).toBeLessThan(70);
    expect(await struck()).toEqual(first);
  });

  test('whatever strikes, a key that is sent until it is answered makes one task', async () => {
    standIn.setFaults({ faults: FAULTS.filter((fault) => fault !== 'hang'), rate: 0.7, seed: 3 });
    for (let n = 0; n < 20; n++) {
      await until('it is answered', async () => {
        const answer = await post(`k${n}`).catch(() => null);
        return answer !== null && [200, 201, 409].includes(answer.status);
      });
    }
    expect(standIn.tasks().map(({ idempotency_key }) => idempotency_key)).toEqual(
      Array.from({ length: 20 }, (_, n) => `k${n}`),
    );
  });
});

describe('what is kept', () => {
  const stateFile = () => join(folder, 'state.jsonl');

  test('tasks, keys, comments and states survive a restart', async () => {
    await restart({ stateFile: stateFile() });
    await post('k1');
    await post('k2');
    await comment('ISSUE-1', 'k3:comment', { body: 'again' });
    standIn.closeTask('ISSUE-2');
    const before = standIn.tasks();
    await restart({ stateFile: stateFile() });
    expect(standIn.warnings).toEqual([]);
    expect(standIn.tasks()).toEqual(before);
    expect(before.map(({ state }) => state)).toEqual(['open', 'closed']);
    expect((await post('k1')).status).toBe(200);
    expect((await comment('ISSUE-1', 'k3:comment', { body: 'again' })).status).toBe(200);
    expect(JSON.parse((await post('k4')).text).ref).toBe('ISSUE-3');
  });

  test.each(['{"change":"task","ref":"ISS', 'é', '\0\0\n'])(
    'a last line torn to %j is dropped with a warning, and what follows is kept',
    async (torn) => {
      await restart({ stateFile: stateFile() });
      await post('k1', { ...BODY, title: 'Prüfen' });
      await standIn.close();
      appendFileSync(stateFile(), torn);
      await restart({ stateFile: stateFile() });
      expect(standIn.warnings).toEqual([expect.stringContaining('torn')]);
      await post('k2');
      await restart({ stateFile: stateFile() });
      expect(standIn.warnings).toEqual([]);
      expect(standIn.tasks().map(({ body }) => body.title)).toEqual(['Prüfen', 'Review coach']);
    },
  );

  test('damage before the last line is an error that names it', async () => {
    await restart({ stateFile: stateFile() });
    await post('k1');
    writeFileSync(stateFile(), `rubbish\n${readFileSync(stateFile(), 'utf8')}`);
    await expect(start({ stateFile: stateFile() })).rejects.toThrow('state.jsonl:1 is damaged');
  });
});

test('what came is on record as it came, without the token', async () => {
  await post('k1', '{"title": 1 }');
  await request('GET', '/api/v1/tasks?dedupe_key=x', { token: 'another' });
  await request('GET', '/stand-in/tasks');
  expect(standIn.requests()).toEqual([
    {
      method: 'POST',
      path: '/api/v1/tasks',
      idempotency_key: 'k1',
      body: '{"title": 1 }',
      fault: null,
      answered: 400,
    },
    {
      method: 'GET',
      path: '/api/v1/tasks?dedupe_key=x',
      idempotency_key: null,
      body: '',
      fault: null,
      answered: 401,
    },
  ]);
});

test.each(['/', '/stand-in'])('%s says what it is without a token, on loopback alone', async (path) => {
  const { status, text } = await request('GET', path, { token: null });
  expect(status).toBe(200);
  expect(text).toContain('A stand-in for issue-core');
  expect(text).not.toContain(TOKEN);
  expect(new URL(standIn.url).hostname).toBe('127.0.0.1');
});

test('it can be started again where it was; closing again is no error', async () => {
  const { url } = standIn;
  await standIn.close();
  await standIn.close();
  await expect(fetch(url)).rejects.toThrow();
  standIn = await start({ port: Number(new URL(url).port) });
  expect(standIn.url).toBe(url);
});
