import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createStateHubClient, type StateHubClient, StateHubError } from '../../src/clients/state-hub.ts';
import { canonicalJson, type Json, type JsonObject } from '../../src/core/json.ts';
import { findUnstorable } from '../../src/core/storable.ts';
import { loadDefinitions } from '../../src/definitions/load.ts';
import { type StateHubStandIn, startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { createStateHubSource } from '../../src/resolvers/state-hub.ts';
import { definitionFolder } from './definition-folder.ts';
import { type Answering, answering, startHttpServer } from './http-server.ts';

const run = { run_id: 'r', definition_id: 'd', scheduled_for: null, date: '2026-11-20' };
const MAX_BYTES = 512 * 1024;

interface Snapshot {
  workstreams: JsonObject[];
  ranked: JsonObject[];
  unranked: JsonObject[];
  snapshot_hash: string;
  truncated: boolean;
}

async function snapshot(stateHub: StateHubClient | undefined): Promise<Snapshot> {
  const bound = await createStateHubSource({ stateHub }).resolve({ params: {}, event: null, run });
  expect(findUnstorable(bound)).toBeNull();
  return JSON.parse(canonicalJson(bound));
}

/** Of a State Hub that answers with these. */
async function snapshotOf(tasks: Json[], workstreams: Json[] = []): Promise<Snapshot> {
  const answer: Answering = (asked, response) =>
    answering(200, { items: asked.url.startsWith('/tasks') ? tasks : workstreams, next_cursor: null })(
      asked,
      response,
    );
  await using hub = await startHttpServer(answer);
  return await snapshot(createStateHubClient({ url: hub.url, token: undefined, timeoutMs: 60_000 }));
}

const estimated = (id: string, more: JsonObject = {}): JsonObject => ({
  id,
  business_value: 3,
  time_criticality: 2,
  risk_reduction: 1,
  job_size: 2,
  ...more,
});

describe('with the stand-in', () => {
  let standIn: StateHubStandIn;
  const ask = () => snapshot(createStateHubClient({ url: standIn.url, token: undefined, timeoutMs: 60_000 }));
  beforeAll(async () => {
    standIn = await startStateHubStandIn({ engagements: {}, today: new Date('2026-11-20T00:00:00Z') });
  });
  afterAll(() => standIn.close());

  test('what is bound has the fields of the contract, and its hash is that of the rest', async () => {
    const { snapshot_hash, ...rest } = await ask();
    expect(Object.keys(rest).sort()).toEqual(['ranked', 'truncated', 'unranked', 'workstreams']);
    expect([rest.workstreams.length, rest.ranked.length, rest.unranked.length, rest.truncated]).toEqual([
      6,
      26,
      4,
      false,
    ]);
    expect(rest.ranked[0]).toEqual({
      id: 'HUB-104',
      title: 'Take former colleagues off the bastion host',
      workstream_id: 'custodian',
      status: 'open',
      business_value: 5,
      time_criticality: 13,
      risk_reduction: 13,
      job_size: 1,
      updated_at: '2026-11-18T00:00:00.000Z',
      wsjf: 31,
    });
    expect(rest.unranked[0]).toEqual({ id: 'HUB-105', missing: ['time_criticality', 'job_size'] });
    expect(snapshot_hash).toBe(createHash('sha256').update(canonicalJson(rest)).digest('hex'));
  });

  test('the same state has the same hash, another state another', async () => {
    const { snapshot_hash } = await ask();
    expect((await ask()).snapshot_hash).toBe(snapshot_hash);
    standIn.setFaults({ faults: ['prompt_injected'] });
    const injected = await ask();
    standIn.setFaults({ faults: [] });
    expect(injected.snapshot_hash).not.toBe(snapshot_hash);
    expect(injected.ranked).toHaveLength(26);
    expect(canonicalJson(injected)).toContain('{{ run.run_id }}');
  });
});

test('what State Hub says besides is bound, but its own wsjf is not believed', async () => {
  const { ranked, workstreams } = await snapshotOf(
    [estimated('a', { wsjf: 99, owner: { name: 'ines' } })],
    [{ id: 'w', title: 'Custodian', status: 'active', lead: 'ines' }],
  );
  expect(ranked).toMatchObject([{ id: 'a', wsjf: 3, owner: { name: 'ines' }, title: null }]);
  expect(workstreams).toEqual([{ id: 'w', title: 'Custodian', status: 'active', lead: 'ines' }]);
});

describe('a snapshot has at most half a MiB', () => {
  const long = 'x'.repeat(4000);

  test('the lowest-ranked tasks are left out, and it says so', async () => {
    const tasks = Array.from({ length: 240 }, (_, n) =>
      estimated(`T-${n}`, { title: long, job_size: 1 + n / 400 }),
    );
    const { ranked, truncated } = await snapshotOf(tasks);
    expect(truncated).toBe(true);
    expect(ranked.length).toBeGreaterThan(100);
    expect(ranked.map(({ id }) => id)).toEqual(ranked.map((_, n) => `T-${n}`));
  });

  test('floods of workstreams and of tasks without estimates leave room for what is ranked', async () => {
    const tasks = Array.from({ length: 2000 }, (_, n): Json => ({ id: `${n}`.padStart(400, '0') }));
    const workstreams = Array.from({ length: 200 }, (_, n): Json => ({ id: `${n}`, title: long }));
    const bound = await snapshotOf([...tasks, estimated('a', { title: long })], workstreams);
    expect(bound.ranked).toHaveLength(1);
    expect(bound.truncated).toBe(true);
    expect(Buffer.byteLength(canonicalJson(bound))).toBeLessThanOrEqual(MAX_BYTES);
    expect(bound.workstreams.length).toBeGreaterThan(20);
    expect(bound.unranked.length).toBeGreaterThan(100);
  });

  test('a very large task keeps what the contract names, and those behind it stay', async () => {
    const huge = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`note_${n}`, long]));
    const { ranked, truncated } = await snapshotOf([
      estimated('a', { ...huge, job_size: 1, title: 'Big' }),
      estimated('b'),
    ]);
    expect(ranked.map(({ id, title }) => [id, title])).toEqual([
      ['a', 'Big'],
      ['b', null],
    ]);
    expect([ranked[0]?.note_1, truncated]).toEqual([undefined, true]);
  });
});

test('without STATE_HUB_URL it fails for good, and says what to set', async () => {
  await expect(snapshot(undefined)).rejects.toMatchObject({
    code: 'resolver_failed',
    retryable: false,
    message: expect.stringContaining('set STATE_HUB_URL'),
  });
});

test.each([true, false])(
  'whatever State Hub says, and be it %s that asking again helps, it is asked again',
  async (retryable) => {
    const fail = () =>
      Promise.reject(new StateHubError('State Hub, GET /tasks: no', { status: 500, retryable }));
    const client = createStateHubClient({ url: 'http://127.0.0.1:1', token: undefined });
    const stateHub = { ...client, listTasks: fail, listWorkstreams: fail };
    await expect(snapshot(stateHub)).rejects.toMatchObject({
      code: 'resolver_failed',
      message: 'State Hub, GET /tasks: no',
      retryable: true,
    });
  },
);

describe('a definition that uses it', () => {
  const definition = (condition: string, list = 'context.hub.ranked', params = '{}') => `id: triage
title: Triage
owner: kaizen
trigger: { manual: {} }
context_sources:
  - { type: state-hub, bind_to: context.hub, params: ${params} }
rules:
  - id: top
    for_each: ${list}
    condition: ${condition}
    task: { title: "{{ item.id }}" }
`;
  async function faultsOf(text: string): Promise<string[]> {
    await using folder = await definitionFolder({ 'triage.yaml': text });
    const result = await loadDefinitions(folder.path, createResolvers());
    return result.ok ? [] : result.errors.map(({ path, message }) => `${path}: ${message}`);
  }

  test.each([
    ['item.wsjf >= 8.0 && item.title.startsWith("Renew")', undefined],
    ['item.wsjf * 2.0 > item.job_size', undefined],
    ['has(item.owner) && item.owner == "ines"', undefined],
    ['item.missing.exists(name, name == "job_size")', 'context.hub.unranked'],
    ['!context.hub.truncated && item.status == "active"', 'context.hub.workstreams'],
  ])('may ask %s', async (condition, list) => {
    expect(await faultsOf(definition(`'${condition}'`, list))).toEqual([]);
  });

  test.each([
    ['item.wsjf > 1.0', 'context.hub.rankd', undefined, 'rules[0].for_each'],
    ['item.title == "x"', 'context.hub.unranked', undefined, 'rules[0].condition'],
    ['item.wsjf == "high"', undefined, undefined, 'rules[0].condition'],
    ['item.wsjf > 1.0', undefined, '{ status: open }', 'params'],
  ])('is refused where it asks %s of %s with %s', async (condition, list, params, place) => {
    const faults = await faultsOf(definition(`'${condition}'`, list, params));
    expect(faults.join('\n')).toContain(place);
  });
});
