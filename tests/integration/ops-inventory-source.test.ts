import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { expect, inject, test } from 'vitest';
import { parseServiceConfig } from '../../src/config.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { startIssueCoreStandIn } from '../../src/dev/stand-ins/issue-core.ts';
import { startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';
import { createOpsInventorySource } from '../../src/resolvers/ops-inventory.ts';
import { createOpsInventory } from '../../src/service/ops-inventory.ts';
import { readStoreInventory } from '../../src/store/inventory.ts';
import { createPool, type Pool } from '../../src/store/pool.ts';
import { createTestApi, manualDefinition } from '../setup/api.ts';
import { createEventPath, definitionsFolder } from '../setup/event-path.ts';
import { deadUrl, TOKEN } from '../setup/live-path.ts';
import { spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const inventoryOf = (pool: Pool) =>
  createOpsInventory(parseServiceConfig({}, []), {
    pool,
    roles: ['api'],
    parts: () => ({ nats: null, temporal: null }),
  });

test('what waits in PostgreSQL is counted, but for the run that asks', async () => {
  await using api = await createTestApi(inject('servers').database_url);
  await api.declare([
    manualDefinition({ id: 'asks' }),
    manualDefinition({ id: 'off', enabled: false }),
    manualDefinition({ id: 'rests' }),
    manualDefinition({ id: 'by-hand' }),
  ]);
  const asking = String((await api.post('/api/v1/definitions/asks/runs')).body.run_id);
  await api.post('/api/v1/definitions/asks/runs');
  await api.pool.query("INSERT INTO definition_pauses (definition_id, reason) VALUES ('rests', 'a test')");
  await api.receive({ bytes: Buffer.from('no JSON') });
  await api.pool.query(
    `INSERT INTO task_spawn_log (idempotency_key, run_id, definition_id, rule_id, spec, status)
     SELECT n, $1, 'asks', 'r', '{}', CASE WHEN n < 3 THEN 'pending' ELSE 'audited' END FROM generate_series(1, 5) AS n`,
    [randomUUID()],
  );
  await api.pool.query(
    `INSERT INTO event_decisions (event_uid, definition_id, definition_hash, outcome, values)
     VALUES ($1, 'rests', 'h', 'held', '{}')`,
    [randomUUID()],
  );
  const schedule = {
    cron: '15 * * * *',
    timezone: 'UTC',
    overlap: 'skip',
    catchup_window: '1h',
    jitter: '0s',
  };
  for (const [id, byHand] of [
    ['asks', null],
    ['by-hand', 'paused in Temporal'],
    ['rests', null],
  ]) {
    await api.pool.query(
      `INSERT INTO schedules (definition_id, definition_hash, schedule, enabled, described, recorded_until, paused_by_hand)
       VALUES ($1, 'h', $2, true, '{}', now(), $3)`,
      [id, schedule, byHand],
    );
  }
  const before = await api.countRows();
  // Not by the source, which gives PostgreSQL seconds: here only what is counted is asked.
  expect(await readStoreInventory(api.servicePool, asking, 60_000)).toMatchObject({
    server_version: expect.stringMatching(/^18(\.\d+)*$/),
    schedules: [
      { definition_id: 'asks', schedule, enabled: true, paused: false },
      { definition_id: 'by-hand', schedule, enabled: true, paused: true },
      { definition_id: 'rests', schedule, enabled: true, paused: true },
    ],
    queues: { open_dispatches: 1, outbox_pending: 2, held_events: 1, quarantine_open: 1, running_runs: 1 },
    definitions: { enabled: 3, disabled: 1, paused: 2 },
  });
  expect(await api.countRows()).toEqual(before);
});

test('a PostgreSQL that is away fails the source, which may be asked again', async () => {
  const pool = createPool('postgres://me:hunter2@127.0.0.1:1/x', pino({ level: 'silent' }));
  const source = createOpsInventorySource({ opsInventory: inventoryOf(pool) });
  const run = { run_id: randomUUID(), definition_id: 'd', scheduled_for: null, date: '2026-11-20' };
  try {
    await expect(source.resolve({ params: {}, event: null, run })).rejects.toMatchObject({
      code: 'resolver_failed',
      retryable: true,
      message: expect.not.stringContaining('hunter2'),
    });
  } finally {
    await pool.end();
  }
});

const probe = manualDefinition({
  id: 'probe',
  context_sources: [{ type: 'ops-inventory', bind_to: 'context.ops' }],
  rules: [
    {
      id: 'outbox',
      condition: 'context.ops.queues.outbox_pending > 0',
      task: { title: '{{ context.ops.queues.outbox_pending }} specs wait' },
    },
    {
      id: 'away',
      for_each: 'context.ops.dependencies',
      condition: 'item.ok == false',
      task: { title: '{{ item.name }} is away', description: '{{ item.message }}' },
    },
    {
      id: 'lag',
      condition: 'context.ops.queues.consumer_lag != null && context.ops.queues.consumer_lag > 1000.0',
      task: { title: 'NATS is behind' },
    },
  ],
});

interface Answer {
  run_id: string;
  status: string;
  error: unknown;
  tasks: { spec: { title: string; description: string } }[];
  context: { ops: { dependencies: JsonObject[]; queues: JsonObject; schedules: JsonObject } };
}

async function call(url: string, path: string, body?: object): Promise<Answer> {
  const init = body && {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  return (await (await fetch(`${url}/api/v1${path}`, init)).json()) as Answer;
}

async function ran(url: string): Promise<Answer> {
  const { run_id } = await call(url, '/definitions/probe/runs', {});
  return await until('the run ends', async () => {
    const answer = await call(url, `/runs/${run_id}`);
    return answer.status === 'running' ? null : answer;
  });
}

/** Asks again where somebody else was too slow for the few seconds that the source gives each. */
async function unlessLate(ask: () => Promise<Answer>, away: string[]): Promise<Answer> {
  let answer: Answer | undefined;
  return await until(
    `those that are away are ${away}`,
    async () => {
      answer = await ask();
      const seen = answer.context?.ops?.dependencies ?? [];
      const absent = seen.filter(({ ok }) => ok === false).map(({ name }) => name);
      return seen.length > 0 && absent.join() === away.join() ? answer : null;
    },
    { boundMs: 240_000, context: () => JSON.stringify(answer) },
  );
}

test('a service sees itself: rules fire on what waits and on who is away, and nobody is changed', async () => {
  const issueCore = await startIssueCoreStandIn({ token: TOKEN });
  const stateHub = await startStateHubStandIn({ engagements: {}, today: new Date('2026-11-20T00:00:00Z') });
  await using folder = await definitionsFolder({ 'probe.yaml': JSON.stringify(probe) });
  await using path = await createEventPath(inject('servers'), { definitions: folder.path });
  const environment = {
    ...path.environment,
    ISSUE_CORE_URL: issueCore.url,
    ISSUE_CORE_TOKEN: TOKEN,
    STATE_HUB_URL: stateHub.url,
    STATE_HUB_TOKEN: TOKEN,
    LLM_CONNECT_URL: (await deadUrl()).replace('//', `//ops:${TOKEN}@`),
  };
  try {
    await using service = await spawnService({ environment });
    await service.ready();
    const rehearse = () => call(service.url, '/definitions/probe/runs', { dry_run: true });
    const rehearsed = await unlessLate(rehearse, ['llm-connect']);
    expect(rehearsed.tasks.map(({ spec }) => spec.title)).toEqual(['llm-connect is away']);

    await path.pool.query(
      `INSERT INTO task_spawn_log (idempotency_key, run_id, definition_id, rule_id, spec, status)
       VALUES ('k', $1, 'other', 'r', '{}', 'pending')`,
      [randomUUID()],
    );
    const { status, error, tasks, context } = await unlessLate(() => ran(service.url), ['llm-connect']);
    expect({ status, error }).toEqual({ status: 'completed', error: null });
    expect(tasks.map(({ spec }) => spec.title).sort()).toEqual(['1 specs wait', 'llm-connect is away']);
    expect(context.ops.dependencies).toMatchObject([
      { name: 'postgres', ok: true, version: expect.stringMatching(/^18/) },
      { name: 'nats', ok: true, version: expect.stringMatching(/^2\./) },
      { name: 'temporal', ok: true, version: expect.stringMatching(/^1\./) },
      { name: 'state-hub', ok: true, version: null },
      { name: 'issue-core', ok: true, version: null },
      { name: 'llm-connect', configured: true, ok: false, version: null },
    ]);
    expect(context.ops.queues).toMatchObject({ consumer_lag: 0, open_dispatches: 0, running_runs: 0 });
    expect(JSON.stringify([rehearsed, tasks, context])).not.toContain(TOKEN);
    expect(service.log()).not.toContain(TOKEN);

    expect(issueCore.tasks()).toEqual([]);
    expect(new Set(issueCore.requests().map(({ method }) => method))).toEqual(new Set(['GET']));
    expect(stateHub.progress()).toEqual([]);
  } finally {
    await issueCore.close();
    await stateHub.close();
  }
});

test('a process without the role of the subscriber says that it cannot see NATS', async () => {
  await using folder = await definitionsFolder({ 'probe.yaml': JSON.stringify(probe) });
  await using path = await createEventPath(inject('servers'), { definitions: folder.path });
  await using service = await spawnService({ environment: path.environment, roles: 'worker,api' });
  await service.ready();
  const { status, tasks, context } = await unlessLate(() => ran(service.url), []);
  expect({ status, tasks }).toEqual({ status: 'completed', tasks: [] });
  expect(context.ops.dependencies[1]).toMatchObject({ name: 'nats', configured: true, ok: null });
  expect(context.ops.queues.consumer_lag).toBeNull();
});
