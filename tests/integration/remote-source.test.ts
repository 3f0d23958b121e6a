import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createPrepare } from '../../src/activities/prepare.ts';
import { createPrepareRemote } from '../../src/activities/prepare-remote.ts';
import { createStateHubClient } from '../../src/clients/state-hub.ts';
import { createAppliedRegistry } from '../../src/definitions/applied-registry.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { createSinkMode } from '../../src/sinks/sink-mode.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createTestApi, manualDefinition, type TestApi } from '../setup/api.ts';
import { createEventPath, definitionsFolder } from '../setup/event-path.ts';
import { createNoModel } from '../setup/no-model.ts';
import { getRun, post } from '../setup/schedule-path.ts';
import { spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

/** State Hub as it may be: the next answers, and after them the roster. */
const refusals: number[] = [];
let asked = 0;
let stateHub: Server;
let stateHubUrl: string;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'activity-core-repos-'));
  await mkdir(join(root, 'pilot-a/.kaizen'), { recursive: true });
  await writeFile(join(root, 'roster.yaml'), 'repos:\n  - { slug: pilot-a, path: pilot-a }\n');
  await writeFile(
    join(root, 'pilot-a/.kaizen/schedule.yml'),
    'version: 1\nschedules:\n  - { agent: coach, cadence: daily, cron: "15 * * * *" }\n',
  );
  stateHub = createServer((_request, response) => {
    asked += 1;
    response.writeHead(refusals.shift() ?? 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ roster_path: 'roster.yaml' }));
  });
  stateHub.listen(0, '127.0.0.1');
  await once(stateHub, 'listening');
  stateHubUrl = `http://127.0.0.1:${(stateHub.address() as AddressInfo).port}`;
});

afterAll(async () => {
  stateHub?.close();
  if (root) await rm(root, { recursive: true, force: true });
});

const source = {
  type: 'discover_kaizen_scheduled_repos',
  bind_to: 'context.repos',
  params: { cadence: 'daily', engagement_slug: 'coulomb-loop' },
};
const rules = [
  {
    id: 'each',
    for_each: 'context.repos.runs',
    condition: 'item.due',
    task: { title: '{{ item.agent }} in {{ item.repo }}' },
  },
];
const definition = manualDefinition({ id: 'engaged', context_sources: [source], rules });

test('a run whose source answers only at the third time is completed with what it said then', async () => {
  await using folder = await definitionsFolder({ 'engaged.yaml': JSON.stringify(definition) });
  await using path = await createEventPath(inject('servers'), { definitions: folder.path });
  await using service = await spawnService({
    environment: { ...path.environment, STATE_HUB_URL: stateHubUrl, KAIZEN_REPOS_ROOT: root },
  });
  await service.ready();
  refusals.push(503, 502);
  asked = 0;
  const { run_id } = (await post(service.url, '/definitions/engaged/runs')) as { run_id: string };
  const run = await until('the run ends', async () => {
    const answer = await getRun(service.url, run_id);
    return answer.status === 'running' ? null : answer;
  });
  expect(run.status).toBe('completed');
  expect(run.tasks.map(({ spec }) => spec.title)).toEqual(['coach in pilot-a']);
  expect(asked).toBe(3);
});

/** What the workflow would do, in one process: `prepare` says that the source is remote, `prepareRemote` runs it. */
async function runRemote(api: TestApi): Promise<void> {
  const resolvers = createResolvers({
    kaizenReposRoot: root,
    stateHub: createStateHubClient({ url: stateHubUrl, token: undefined, timeoutMs: 60_000 }),
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
  const [dispatch_id = ''] = api.started;
  expect(await new MockActivityEnvironment().run(createPrepare(deps), { dispatch_id })).toBe('remote');
  await new MockActivityEnvironment({ attempt: 3 }).run(createPrepareRemote(deps), { dispatch_id });
}

/** So many seconds more. */
const unansweredFor = ({ pool }: TestApi, seconds: number) =>
  pool.query('UPDATE dispatches SET unanswered_since = unanswered_since - make_interval(secs => $1)', [
    seconds,
  ]);

test('a source is asked again for two minutes, then the run fails and says why', async () => {
  await using api = await createTestApi(inject('servers').database_url);
  await api.declare([definition]);
  const { body } = await api.post('/api/v1/definitions/engaged/runs');
  refusals.push(500, 500, 500);
  for (const seconds of [60, 61]) {
    await expect(runRemote(api)).rejects.toMatchObject({ type: 'not_answered', nonRetryable: false });
    expect((await api.get(`/api/v1/runs/${body.run_id}`)).body.status).toBe('running');
    await unansweredFor(api, seconds);
  }
  await runRemote(api);
  const run = (await api.get(`/api/v1/runs/${body.run_id}`)).body;
  expect(run).toMatchObject({ status: 'failed', task_count: 0, error: { code: 'resolver_failed' } });
  expect(JSON.stringify(run.error)).toContain('500');
});
