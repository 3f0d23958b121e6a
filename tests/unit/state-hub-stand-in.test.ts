import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createStateHubClient, type StateHubClient } from '../../src/clients/state-hub.ts';
import { rankTasks } from '../../src/core/wsjf.ts';
import { type StateHubStandIn, startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';

const engagements = { 'coulomb-loop': { roster_path: 'a/roster.yaml' } };
const today = new Date('2026-11-20T15:00:00Z');
const PROGRESS = {
  event_type: 'daily_triage',
  summary: 'Thirty tasks',
  detail: { run_id: 'r', review_required: true },
  author: 'activity-core',
  idempotency_key: 'k1',
};

let folder: string;
let standIn: StateHubStandIn;
let client: StateHubClient;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'state-hub-stand-in-'));
  await start();
});
afterEach(async () => {
  await standIn.close();
  await rm(folder, { recursive: true });
});

async function start(stateFile?: string, timeoutMs = 60_000): Promise<void> {
  await standIn?.close();
  standIn = await startStateHubStandIn({ engagements, today, ...(stateFile ? { stateFile } : {}) });
  client = createStateHubClient({ url: standIn.url, token: 'any', timeoutMs });
}

async function request(method: string, path: string, body?: unknown) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`${standIn.url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: text }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

test('it tells the roster of an engagement that it knows, and of no other', async () => {
  expect(await client.getEngagement('coulomb-loop')).toEqual({ roster_path: 'a/roster.yaml' });
  expect(await client.getEngagement('another')).toBeNull();
});

describe('its content', () => {
  test('thirty open tasks over six workstreams, some of them stale, some not estimated', async () => {
    const [workstreams, tasks] = [await client.listWorkstreams(), await client.listTasks()];
    const ids = workstreams.items.map(({ id }) => id);
    expect([ids.length, tasks.items.length]).toEqual([6, 30]);
    expect(new Set(tasks.items.map(({ workstream_id }) => workstream_id))).toEqual(new Set(ids));
    expect(new Set(tasks.items.map(({ title }) => title)).size).toBe(30);
    const { ranked, unranked } = rankTasks(tasks.items);
    expect([ranked.length, unranked.length]).toEqual([26, 4]);
    const ages = tasks.items.map(
      ({ updated_at }) => (today.getTime() - Date.parse(updated_at ?? '')) / 86_400_000,
    );
    expect(ages.filter((days) => days > 30).length).toBeGreaterThanOrEqual(5);
    expect(Math.min(...ages)).toBeGreaterThanOrEqual(0);
  });

  test('it is the same on the same day', async () => {
    const before = await client.listTasks();
    await start();
    expect(await client.listTasks()).toEqual(before);
  });

  test('ten stand on a page, and the cursor leads on', async () => {
    const first = await request('GET', '/tasks?status=open');
    expect([first.body.items.length, first.body.next_cursor]).toEqual([10, 'HUB-110']);
    const last = await request('GET', '/tasks?status=open&cursor=HUB-120');
    expect([last.body.items.length, last.body.next_cursor]).toEqual([10, null]);
    expect((await request('GET', '/tasks?status=done')).body).toEqual({ items: [], next_cursor: null });
  });
});

test.each([
  ['GET', '/engagements/another', 404, 'not_found'],
  ['GET', '/engagements/__proto__', 404, 'not_found'],
  ['GET', '/nothing', 404, 'not_found'],
  ['GET', '/stand-in/nothing', 404, 'not_found'],
  ['GET', '/tasks?cursor=HUB-999', 400, 'invalid_request'],
  ['GET', '/workstreams?state=active', 400, 'invalid_request'],
  ['GET', '/progress?since=yesterday', 400, 'invalid_request'],
  ['GET', '/progress?status=open', 400, 'invalid_request'],
  ['POST', '/tasks', 405, 'method_not_allowed'],
  ['DELETE', '/progress', 405, 'method_not_allowed'],
  ['POST', '/stand-in', 405, 'method_not_allowed'],
  ['DELETE', '/stand-in/progress/PROGRESS-1', 404, 'not_found'],
])('%s %s is refused with %i', async (method, path, status, error) => {
  expect(await request(method, path)).toMatchObject({ status, body: { error } });
});

describe('progress', () => {
  test('a key is filed once, and told again with its id', async () => {
    expect(await client.postProgress(PROGRESS)).toEqual({ id: 'PROGRESS-1', created: true });
    expect(await client.postProgress({ ...PROGRESS, summary: 'again' })).toEqual({
      id: 'PROGRESS-1',
      created: false,
    });
    expect(await client.postProgress({ ...PROGRESS, idempotency_key: 'k2' })).toMatchObject({
      id: 'PROGRESS-2',
    });
    expect(standIn.progress()).toMatchObject([{ id: 'PROGRESS-1', ...PROGRESS }, { id: 'PROGRESS-2' }]);
  });

  test('it is found by its type and by when it was filed', async () => {
    await client.postProgress(PROGRESS);
    await client.postProgress({ ...PROGRESS, event_type: 'other', idempotency_key: 'k2' });
    const found = async (event_type: string, since: string) =>
      (await client.listProgress({ event_type, since })).items.map(({ id }) => id);
    const at = standIn.progress()[0]?.created_at ?? '';
    expect(await found('daily_triage', at)).toEqual(['PROGRESS-1']);
    expect(await found('other', '2020-01-01T00:00:00Z')).toEqual(['PROGRESS-2']);
    expect(await found('daily_triage', '2999-01-01T00:00:00+02:00')).toEqual([]);
  });

  test.each([
    ['no JSON', '{', 'not JSON'],
    ['an unknown member', { ...PROGRESS, colour: 'red' }, 'colour'],
    ['no key', { ...PROGRESS, idempotency_key: undefined }, 'body.idempotency_key'],
    ['a detail that is no object', { ...PROGRESS, detail: 'x' }, 'body.detail'],
  ])('%s is refused', async (_what, body, said) => {
    const answer = await request('POST', '/progress', body);
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining(said) } });
    expect(standIn.progress()).toEqual([]);
  });

  test('it survives a restart, and so does its removal; a torn line is dropped', async () => {
    const file = join(folder, 'hub.jsonl');
    await start(file);
    for (const idempotency_key of ['k1', 'k2', 'k3'])
      await client.postProgress({ ...PROGRESS, idempotency_key });
    standIn.removeProgress('PROGRESS-3');
    expect((await request('DELETE', '/stand-in/progress/PROGRESS-1')).status).toBe(200);
    expect(() => standIn.removeProgress('PROGRESS-1')).toThrow('there is no progress');
    await appendFile(file, '{"change": "fil');
    await start(file);
    expect(standIn.warnings).toHaveLength(1);
    expect(standIn.progress().map(({ id }) => id)).toEqual(['PROGRESS-2']);
    expect(await client.postProgress(PROGRESS)).toEqual({ id: 'PROGRESS-4', created: true });
    await start(file);
    expect([standIn.warnings, standIn.progress().length]).toEqual([[], 2]);
  });

  test('a file that is damaged before its end is refused', async () => {
    const file = join(folder, 'hub.jsonl');
    await writeFile(file, 'nonsense\n{"change":"removed","id":"x"}\n');
    await expect(startStateHubStandIn({ engagements, stateFile: file })).rejects.toThrow(':1 is damaged');
  });
});

describe('faults', () => {
  const faultsOverHttp = (settings: unknown) => request('PUT', '/stand-in/faults', settings);

  test('http_500 lets nothing through, and its end is its end', async () => {
    expect(await faultsOverHttp({ faults: ['http_500'] })).toMatchObject({ body: { faults: ['http_500'] } });
    await expect(client.listTasks()).rejects.toMatchObject({ status: 500, retryable: true });
    await expect(client.postProgress(PROGRESS)).rejects.toMatchObject({ status: 500 });
    expect(standIn.progress()).toEqual([]);
    await faultsOverHttp({ faults: [] });
    expect((await client.listTasks()).items).toHaveLength(30);
  });

  test('rubbish files the progress and answers what nobody can read', async () => {
    standIn.setFaults({ faults: ['rubbish'] });
    await expect(client.listTasks()).rejects.toThrow('cannot be read');
    await expect(client.postProgress(PROGRESS)).rejects.toMatchObject({ status: 201, retryable: true });
    expect(standIn.progress()).toHaveLength(1);
    standIn.setFaults({ faults: [] });
    expect(await client.postProgress(PROGRESS)).toMatchObject({ created: false });
  });

  test('slow answers later than a client waits, and does not keep the stand-in from closing', async () => {
    await start(undefined, 50);
    standIn.setFaults({ faults: ['slow'] });
    await expect(client.listTasks()).rejects.toThrow('no answer within 0.05 s');
    standIn.setFaults({ faults: ['slow'], slow_ms: 0 });
    await start();
    expect((await client.listTasks()).items).toHaveLength(30);
  });

  test('prompt_injected data is cut and storable, and everything else as ever', async () => {
    standIn.setFaults({ faults: ['prompt_injected'] });
    const { items } = await client.listTasks();
    const titles = items.map(({ title }) => title ?? '').join('\n');
    for (const bait of [
      'Ignore all previous instructions',
      '{{ run.run_id }}',
      '../',
      '… [truncated]',
      '\ufffd',
    ]) {
      expect(titles).toContain(bait);
    }
    expect(titles.includes('\u0000') || !titles.isWellFormed()).toBe(false);
    expect(Buffer.byteLength(titles)).toBeLessThan(10_000);
    expect(items).toHaveLength(30);
  });

  test('an unknown fault is refused and changes nothing', async () => {
    expect((await faultsOverHttp({ faults: ['fire'] })).status).toBe(400);
    expect((await request('GET', '/stand-in/faults')).body).toEqual({ faults: [], slow_ms: 15_000 });
  });
});

test('it says what it is, and listens on loopback alone', async () => {
  const response = await fetch(standIn.url);
  expect(response.headers.get('server')).toBe('activity-core-state-hub-stand-in');
  expect(await response.json()).toMatchObject({ about: expect.stringContaining('stand-in for State Hub') });
  expect(new URL(standIn.url).hostname).toBe('127.0.0.1');
});

test('closed, it is gone, also for clients that keep their connection; closing again is no error', async () => {
  await (await fetch(standIn.url)).text();
  await standIn.close();
  await standIn.close();
  await expect(fetch(standIn.url)).rejects.toThrow();
});
