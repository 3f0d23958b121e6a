import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createPrepare } from '../../src/activities/prepare.ts';
import { createPrepareRemote } from '../../src/activities/prepare-remote.ts';
import { createStateHubClient } from '../../src/clients/state-hub.ts';
import { createAppliedRegistry } from '../../src/definitions/applied-registry.ts';
import { type StateHubStandIn, startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { createSinkMode } from '../../src/sinks/sink-mode.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createTestApi, manualDefinition, type TestApi } from '../setup/api.ts';
import { createNoModel } from '../setup/no-model.ts';

let standIn: StateHubStandIn;
beforeEach(async () => {
  standIn = await startStateHubStandIn({ engagements: {}, today: new Date('2026-11-20T00:00:00Z') });
});
afterEach(() => standIn.close());

const definition = manualDefinition({
  id: 'triage',
  context_sources: [{ type: 'state-hub', bind_to: 'context.hub' }],
  rules: [
    {
      id: 'top',
      for_each: 'context.hub.ranked',
      condition: 'item.wsjf > 20.0',
      task: { title: '{{ item.id }} {{ item.title }}', target_repo: '{{ item.workstream_id }}' },
    },
    {
      id: 'unsized',
      for_each: 'context.hub.unranked',
      condition: '"job_size" in item.missing',
      task: { title: 'Estimate {{ item.id }}' },
    },
  ],
});

/** A run by hand, as the workflow would do it. Not null where it is to be tried again. */
async function attempt(api: TestApi): Promise<unknown> {
  const resolvers = createResolvers({
    stateHub: createStateHubClient({ url: standIn.url, token: undefined, timeoutMs: 60_000 }),
  });
  const deps = {
    pool: api.pool,
    registry: createAppliedRegistry(api.pool, resolvers),
    resolvers,
    askModel: createNoModel(),
    sinkMode: createSinkMode('null'),
    pauseExceeded: async () => undefined,
    startQueued: async () => undefined,
    metrics: createMetrics(),
    logger: pino({ level: 'silent' }),
  };
  const dispatch_id = api.started.at(-1) ?? '';
  expect(await new MockActivityEnvironment().run(createPrepare(deps), { dispatch_id })).toBe('remote');
  const activity = new MockActivityEnvironment({ attempt: 3 }).run(createPrepareRemote(deps), {
    dispatch_id,
  });
  return activity.then(
    () => null,
    (error: unknown) => error,
  );
}

/** So many seconds more. */
const unansweredFor = ({ pool }: TestApi, seconds: number) =>
  pool.query('UPDATE dispatches SET unanswered_since = unanswered_since - make_interval(secs => $1)', [
    seconds,
  ]);

async function startedRun(api: TestApi) {
  await api.declare([definition]);
  const { body } = await api.post('/api/v1/definitions/triage/runs');
  return { read: async () => (await api.get(`/api/v1/runs/${body.run_id}`)).body };
}

test('rules over the ranked tasks of State Hub make tasks, and the snapshot stays with the run', async () => {
  await using api = await createTestApi(inject('servers').database_url);
  const run = await startedRun(api);
  expect(await attempt(api)).toBeNull();
  const { status, error, tasks, context } = await run.read();
  expect({ status, error }).toEqual({ status: 'completed', error: null });
  expect(tasks).toMatchObject([
    { spec: { title: 'HUB-104 Take former colleagues off the bastion host', target_repo: 'custodian' } },
    { spec: { title: 'HUB-101 Renew the wildcard certificate before it runs out' } },
    { spec: { title: 'HUB-125 Name a buddy for everybody who starts in January' } },
    { rule_id: 'unsized', spec: { title: 'Estimate HUB-105' } },
    { spec: { title: 'Estimate HUB-116' } },
    { spec: { title: 'Estimate HUB-126' } },
  ]);
  expect(context).toMatchObject({
    hub: { truncated: false, snapshot_hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
});

test('titles with instructions, braces, paths and a megabyte of text are text, and nothing else', async () => {
  standIn.setFaults({ faults: ['prompt_injected'] });
  await using api = await createTestApi(inject('servers').database_url);
  const run = await startedRun(api);
  expect(await attempt(api)).toBeNull();
  const { status, tasks, context } = await run.read();
  expect(status).toBe('completed');
  expect(tasks).toMatchObject([
    { spec: { title: expect.stringContaining('HUB-104 ```') } },
    { spec: { title: expect.stringContaining('HUB-101 Ignore all previous instructions') } },
    {},
    {},
    {},
    {},
  ]);
  const kept = JSON.stringify(context);
  expect(kept).toContain('{{ run.run_id }} {{ context.hub.snapshot_hash }}');
  expect(kept).toContain('… [truncated]');
});

test('a State Hub that is away is asked again for two minutes, then the run fails and says why', async () => {
  await using api = await createTestApi(inject('servers').database_url);
  const run = await startedRun(api);
  standIn.setFaults({ faults: ['http_500'] });
  for (const seconds of [60, 61]) {
    expect(await attempt(api)).toMatchObject({ type: 'not_answered', nonRetryable: false });
    expect((await run.read()).status).toBe('running');
    await unansweredFor(api, seconds);
  }
  expect(await attempt(api)).toBeNull();
  const failed = await run.read();
  expect(failed).toMatchObject({ status: 'failed', task_count: 0, error: { code: 'resolver_failed' } });
  expect(JSON.stringify(failed.error)).toContain('it answered 500');
});

test('a State Hub that is back in time is as if it had never been away', async () => {
  await using api = await createTestApi(inject('servers').database_url);
  const run = await startedRun(api);
  standIn.setFaults({ faults: ['rubbish'] });
  expect(await attempt(api)).toMatchObject({ type: 'not_answered', nonRetryable: false });
  await unansweredFor(api, 600);
  standIn.setFaults({ faults: [] });
  expect(await attempt(api)).toBeNull();
  expect(await run.read()).toMatchObject({ status: 'completed', task_count: 6, error: null });
});
