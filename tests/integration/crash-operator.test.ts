/** What operators and restores do to Temporal behind our back: the reconciler brings both sides together again. */
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createEventPath, type EventPath, metricsEvent } from '../setup/event-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

let path: EventPath;
let connection: Connection;
let client: Client;
const services: ServiceProcess[] = [];

beforeEach(async () => {
  path = await createEventPath(inject('servers'));
  connection = await Connection.connect({ address: inject('servers').temporal_address });
  client = new Client({ connection });
});
afterEach(async () => {
  for (const service of services.splice(0)) await service[Symbol.asyncDispose]();
  await connection.close();
  await path[Symbol.asyncDispose]();
});

async function spawn(roles: string): Promise<ServiceProcess> {
  const service = await spawnService({ ...path, roles });
  services.push(service);
  await service.ready();
  return service;
}

async function openDispatch(): Promise<string> {
  return until('a dispatch is open and its workflow runs', async () => {
    const { rows } = await path.pool.query('SELECT dispatch_id FROM dispatches WHERE closed_at IS NULL');
    const id = rows[0]?.dispatch_id;
    if (!id) return null;
    const running = await client.workflow
      .getHandle(id)
      .describe()
      .then(
        ({ status }) => status.name === 'RUNNING',
        () => false,
      );
    return running ? id : null;
  });
}

async function startByHand(api: string): Promise<string> {
  const response = await fetch(`${api}/api/v1/definitions/low-success-rate-review/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ event: metricsEvent('by-hand') }),
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as { run_id: string }).run_id;
}

async function runOf(id: string): Promise<{ status: string; error: { code: string } | null } | undefined> {
  return (await path.pool.query('SELECT status, error FROM activity_runs WHERE run_id = $1', [id])).rows[0];
}

test('terminated before it had made its runs, they are dispatched again and made once', async () => {
  await spawn('subscriber');
  await path.publish(metricsEvent('t-1'));
  const dispatch = await openDispatch();
  await client.workflow.getHandle(dispatch).terminate('by an operator');
  await until(
    'the dispatch is closed by force',
    async () =>
      (await path.count('dispatches', `dispatch_id = '${dispatch}' AND closed_at IS NOT NULL`)) === 1,
  );
  await spawn('worker');
  await until(
    'the run is there',
    async () => (await path.count('activity_runs', `status = 'completed'`)) === 1,
  );
  expect(await path.count('activity_runs')).toBe(1);
  expect(await path.count('task_spawn_log')).toBe(1);
});

test('terminated, a run by hand is failed with workflow_terminated', async () => {
  const { url } = await spawn('subscriber,api');
  const id = await startByHand(url);
  await openDispatch();
  await client.workflow.getHandle(id).terminate('by an operator');
  const run = await until('the run has ended', async () =>
    (await runOf(id))?.status === 'failed' ? runOf(id) : null,
  );
  expect(run?.error?.code).toBe('workflow_terminated');
});

test('cancelled, a run by hand is failed with workflow_cancelled', async () => {
  const { url } = await spawn('subscriber,api');
  const id = await startByHand(url);
  await openDispatch();
  await client.workflow.getHandle(id).cancel();
  await spawn('worker');
  const run = await until('the run has ended', async () =>
    (await runOf(id))?.status === 'failed' ? runOf(id) : null,
  );
  expect(run?.error?.code).toBe('workflow_cancelled');
});

test('reset after it ended, prepare finds its own rows', async () => {
  await spawn('worker,subscriber');
  await path.publish(metricsEvent('r-1'));
  await until('the run is there', async () => (await path.count('activity_runs')) === 1);
  const { rows } = await path.pool.query('SELECT workflow_id, workflow_run_id FROM activity_runs');
  const [{ workflow_id: workflowId, workflow_run_id: runId }] = rows;
  await client.workflow.getHandle(workflowId).result();
  const reset = await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId, runId },
    workflowTaskFinishEventId: { low: 4, high: 0, unsigned: false } as never,
    reason: 'test',
    requestId: workflowId,
  });
  await client.workflow.getHandle(workflowId, reset.runId ?? '').result();
  expect(await path.count('activity_runs')).toBe(1);
  expect(await path.count('task_spawn_log')).toBe(1);
});

test('a dispatch that Temporal does not know, as after a restore from an older state, is started', async () => {
  await spawn('subscriber');
  await path.publish(metricsEvent('restored'));
  const dispatch = await openDispatch();
  // The workflow is gone without a trace, as if Temporal's database were older than ours.
  await client.workflowService.deleteWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: dispatch },
  });
  await until('the workflow is gone', () =>
    client.workflow
      .getHandle(dispatch)
      .describe()
      .then(
        () => false,
        () => true,
      ),
  );
  await spawn('worker');
  await until(
    'the run is there',
    async () => (await path.count('activity_runs', `status = 'completed'`)) === 1,
  );
  expect(await path.count('activity_runs')).toBe(1);
});

test('a dispatch that killed its worker twice is halved until the culprit is alone, and the others run', async () => {
  await spawn('subscriber');
  await Promise.all(Array.from({ length: 4 }, (_, n) => path.publish(metricsEvent(`k-${n}`))));
  await until('all is recorded', async () => (await path.count('events')) === 4);
  await openDispatch();
  await path.pool.query(
    'UPDATE dispatches SET attempts = CASE WHEN cardinality(run_ids) > 1 THEN 2 ELSE 0 END',
  );
  await spawn('worker');
  await until('all have run', async () => (await path.count('activity_runs', `status = 'completed'`)) === 4);
  await until('no dispatch is open', async () => (await path.count('dispatches', 'closed_at IS NULL')) === 0);
  expect(await path.count('activity_runs')).toBe(4);
});
