import { createHash } from 'node:crypto';
import { Ajv } from 'ajv';
import { pino } from 'pino';
import { afterAll, describe, expect, test } from 'vitest';
import { parseServiceConfig } from '../../src/config.ts';
import { canonicalJson } from '../../src/core/json.ts';
import { loadDefinitions } from '../../src/definitions/load.ts';
import {
  createOpsInventorySource,
  type OpsInventory,
  PROBED_DEPENDENCIES,
  type ProbedDependency,
  type Sighting,
} from '../../src/resolvers/ops-inventory.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { createOpsInventory } from '../../src/service/ops-inventory.ts';
import type { AppliedSchedule } from '../../src/store/inventory.ts';
import { createPool } from '../../src/store/pool.ts';
import { until } from '../setup/until.ts';
import { definitionFolder } from './definition-folder.ts';
import { answering, startHttpServer } from './http-server.ts';

const TOKEN = 'a-token-that-must-never-be-seen-91c2';
const run = { run_id: 'r', definition_id: 'd', scheduled_for: null, date: '2026-11-20' };
const up: Sighting = { configured: true, ok: true, version: '1', message: 'it answers', latency_ms: 3 };

interface Bound {
  dependencies: ({ name: string } & Sighting)[];
  schedules: {
    applied: number;
    paused: number;
    next_runs: { definition_id: string; next_run: string }[];
  };
  queues: { consumer_lag: number | null };
  snapshot_hash: string;
}

function inventory(
  probes: Partial<OpsInventory['probes']> = {},
  schedules: AppliedSchedule[] = [],
): OpsInventory {
  const every = Object.fromEntries(PROBED_DEPENDENCIES.map((name) => [name, async () => up]));
  return {
    service: { version: '0.1.0', node_version: '24.0.0', roles: ['worker', 'api'] },
    async readStore() {
      const queues = {
        open_dispatches: 1,
        outbox_pending: 2,
        held_events: 3,
        quarantine_open: 4,
        running_runs: 5,
      };
      const definitions = { enabled: 6, disabled: 7, paused: 1 };
      const now = '2026-11-20T08:15:00.25Z';
      return { store: { server_version: '18.1', now, schedules, queues, definitions }, latency_ms: 2 };
    },
    probes: { ...(every as OpsInventory['probes']), ...probes },
  };
}

async function bound(opsInventory: OpsInventory | undefined): Promise<Bound> {
  const source = createOpsInventorySource({ opsInventory });
  return JSON.parse(canonicalJson(await source.resolve({ params: {}, event: null, run })));
}

test('what is bound has the declared shape, PostgreSQL first, and its hash is that of the rest', async () => {
  const value = await bound(inventory({ nats: async () => ({ ...up, consumer_lag: 17 }) }));
  const schema = createOpsInventorySource({}).output({}, null);
  expect(new Ajv({ strict: false, formats: { 'date-time': true } }).validate(schema, value)).toBe(true);
  expect(value).toMatchObject({
    service: { version: '0.1.0', node_version: '24.0.0', roles: ['api', 'worker'] },
    queues: { consumer_lag: 17, open_dispatches: 1, outbox_pending: 2, held_events: 3, quarantine_open: 4 },
    definitions: { enabled: 6, disabled: 7, paused: 1 },
  });
  expect(value.dependencies.map(({ name }) => name)).toEqual(['postgres', ...PROBED_DEPENDENCIES]);
  expect(value.dependencies[0]).toEqual({ ...up, name: 'postgres', version: '18.1', latency_ms: 2 });
  const { snapshot_hash, ...rest } = value;
  expect(snapshot_hash).toBe(
    createHash('sha256')
      .update(canonicalJson(JSON.parse(JSON.stringify(rest))))
      .digest('hex'),
  );
});

test('a dependency that fails is a finding, and no password of its URL is told', async () => {
  const value = await bound(
    inventory({
      nats: () => Promise.reject(new Error('cannot reach nats://ops:hunter@2@nats.example:4222 as ops:x@y')),
      temporal: async () => ({ ...up, ok: false, message: `U+0000 \u0000 ${'x'.repeat(9000)}` }),
    }),
  );
  expect(value.dependencies[1]).toMatchObject({
    ok: false,
    message: 'cannot reach nats://***@nats.example:4222 as ***@y',
    latency_ms: null,
  });
  expect(value.dependencies[2]?.message).toMatch(/^U\+0000 � x+… \[truncated\]$/);
  expect(value.queues.consumer_lag).toBeNull();
});

test('without PostgreSQL it fails, and may be asked again', async () => {
  const away = () => Promise.reject(new Error('no answer from postgres://me:hunter2@db:5432/x'));
  await expect(bound({ ...inventory(), readStore: away })).rejects.toMatchObject({
    code: 'resolver_failed',
    retryable: true,
    message: 'PostgreSQL: no answer from postgres://***@db:5432/x',
  });
});

test('outside of a service it fails for good', async () => {
  await expect(bound(undefined)).rejects.toMatchObject({ code: 'resolver_failed', retryable: false });
});

test('the next runs are those of schedules that will fire, soonest first, then by name', async () => {
  const cron = (definition_id: string, text: string, state = {}): AppliedSchedule => ({
    definition_id,
    schedule: { cron: text, timezone: 'UTC', overlap: 'skip', catchup_window: '1h', jitter: '0s' },
    enabled: true,
    paused: false,
    ...state,
  });
  const { schedules } = await bound(
    inventory({}, [
      cron('a', '30 * * * *', { paused: true }),
      cron('b', '0 9 * * *'),
      cron('c', '30 * * * *'),
      cron('d', '30 * * * *'),
      cron('e', '20 * * * *', { enabled: false, paused: true }),
    ]),
  );
  expect(schedules).toEqual({
    applied: 5,
    paused: 1,
    next_runs: [
      { definition_id: 'c', next_run: '2026-11-20T08:30:00Z' },
      { definition_id: 'd', next_run: '2026-11-20T08:30:00Z' },
      { definition_id: 'b', next_run: '2026-11-20T09:00:00Z' },
    ],
  });
});

describe('asking the dependencies', () => {
  const pool = createPool('postgres://nobody@127.0.0.1:1/x', pino({ level: 'silent' }));
  afterAll(() => pool.end());

  function see(
    name: ProbedDependency,
    environment: Record<string, string> = {},
    roles: string[] = ['worker'],
  ): Promise<Sighting> {
    const config = parseServiceConfig(
      { STATE_HUB_TOKEN: TOKEN, ISSUE_CORE_TOKEN: TOKEN, ...environment },
      [],
    );
    const parts = () => ({ nats: null, temporal: null });
    return createOpsInventory(config, { pool, roles, parts }).probes[name]();
  }

  /** Asks again where the few seconds that each is given were too few for a busy machine. */
  const unlessLate = (look: () => Promise<Sighting>) =>
    until('an answer in time', async () => {
      const seen = await look();
      return seen.message.includes('no answer within') ? null : seen;
    });

  const systems = [
    ['state-hub', 'STATE_HUB_URL', { items: [], next_cursor: null }, /^\/progress\?event_type=/],
    ['issue-core', 'ISSUE_CORE_URL', { items: [] }, /^\/api\/v1\/tasks\?dedupe_key=.*&state=open$/],
    ['llm-connect', 'LLM_CONNECT_URL', { object: 'list', data: [] }, /^\/v1\/models$/],
  ] as const;

  test.each(systems)('%s is asked one question that changes nothing', async (name, setting, answer, url) => {
    await using server = await startHttpServer(answering(200, answer));
    let looks = 0;
    const look = () => {
      looks += 1;
      return see(name, { [setting]: server.url });
    };
    expect(await unlessLate(look)).toEqual({
      configured: true,
      ok: true,
      version: null,
      message: 'it answers',
      latency_ms: expect.any(Number),
    });
    expect(server.asked.length).toBeLessThanOrEqual(looks);
    for (const asked of server.asked)
      expect(asked).toMatchObject({ method: 'GET', url: expect.stringMatching(url), body: '' });
  });

  test.each(systems)(
    '%s that refuses is not well, and its answer gives no token away',
    async (name, setting) => {
      await using server = await startHttpServer(answering(401, `no such token: ${TOKEN}`));
      const url = server.url.replace('//', `//ops:${TOKEN}@`);
      const seen = await unlessLate(() => see(name, { [setting]: url }));
      expect(seen).toMatchObject({ configured: true, ok: false, latency_ms: null });
      expect(seen.message).toContain('401');
      expect(JSON.stringify(seen)).not.toContain(TOKEN);
    },
  );

  test.each(systems)('%s where nobody listens is not well', async (name, setting) => {
    const server = await startHttpServer(() => undefined);
    await server[Symbol.asyncDispose]();
    const seen = await unlessLate(() => see(name, { [setting]: server.url }));
    expect(seen).toMatchObject({ configured: true, ok: false, message: expect.stringContaining(setting) });
  });

  test.each(systems)('%s without a URL is not asked', async (name, setting) => {
    expect(await see(name)).toMatchObject({ configured: false, ok: null, message: `${setting} is not set` });
  });

  test('an llm-connect that lists no models answers all the same', async () => {
    await using server = await startHttpServer(answering(404, 'not found'));
    expect(await unlessLate(() => see('llm-connect', { LLM_CONNECT_URL: server.url }))).toMatchObject({
      ok: true,
      message: 'it answers, but lists no models',
    });
  });

  test('one that never answers is not waited for', async () => {
    await using server = await startHttpServer(() => undefined);
    const seen = await see('state-hub', { STATE_HUB_URL: server.url });
    expect(seen).toMatchObject({ ok: false, message: expect.stringContaining('no answer within 4 s') });
  });

  test('NATS is not judged by a process that has no connection to it', async () => {
    expect(await see('nats')).toMatchObject({
      configured: true,
      ok: null,
      message: expect.stringContaining('not seen from here'),
    });
    expect(await see('nats', {}, ['subscriber'])).toMatchObject({ ok: false, message: 'not connected yet' });
    expect(await see('temporal')).toMatchObject({ ok: false, message: 'not connected yet' });
  });
});

describe('a definition that uses it', () => {
  const definition = (condition: string, params = '{}') => `id: probe
title: Probe
owner: ops
trigger: { manual: {} }
context_sources:
  - { type: ops-inventory, bind_to: context.ops, params: ${params} }
rules:
  - { id: one, condition: '${condition}', task: { title: Look } }
`;
  async function faultsOf(text: string): Promise<string> {
    await using folder = await definitionFolder({ 'probe.yaml': text });
    const result = await loadDefinitions(folder.path, createResolvers());
    return result.ok ? '' : result.errors.map(({ path, message }) => `${path}: ${message}`).join('\n');
  }

  test.each([
    'context.ops.queues.outbox_pending > 0',
    'context.ops.dependencies.exists(d, d.ok == false && d.name != "llm-connect")',
    'context.ops.queues.consumer_lag != null && context.ops.queues.consumer_lag > 1000.0',
    'context.ops.schedules.next_runs.size() == 0 || context.ops.schedules.paused > 0',
    'context.ops.dependencies.all(d, d.configured)',
    '"worker" in context.ops.service.roles',
  ])('may ask %s', async (condition) => {
    expect(await faultsOf(definition(condition))).toBe('');
  });

  test.each([
    ['context.ops.queues.outbox > 0', '{}', 'rules[0].condition'],
    ['context.ops.queues.outbox_pending > "many"', '{}', 'rules[0].condition'],
    ['context.ops.dependencies.exists(d, d.up)', '{}', 'rules[0].condition'],
    ['true', '{ only: nats }', 'params'],
  ])('is refused where it asks %s with %s', async (condition, params, place) => {
    expect(await faultsOf(definition(condition, params))).toContain(place);
  });
});
