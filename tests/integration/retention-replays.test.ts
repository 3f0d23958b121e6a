/** Issue 7, 7: on the real path, what was deleted does not run again, whoever asks for it. */
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createEventPath, metricsEvent } from '../setup/event-path.ts';
import { createRetention, passDays } from '../setup/retention.ts';
import { createSchedulePath, type SchedulePath, scheduled, uniqueId } from '../setup/schedule-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

let path: SchedulePath;
let service: ServiceProcess | null;
let id: string;

beforeEach(async () => {
  id = uniqueId();
  path = await createSchedulePath(inject('servers'), { [id]: scheduled(id, 'every: 2s') });
  service = null;
});
afterEach(async () => {
  await service?.stop();
  await path?.[Symbol.asyncDispose]();
});

async function spawn(roles?: string): Promise<ServiceProcess> {
  service = await path.spawn(roles);
  await service.ready();
  return service;
}

/** The workflow of a tick that fired and whose run is over; the schedule starts nothing more. */
async function firedOnce(): Promise<{ workflowId: string; runId: string }> {
  const { url } = await spawn();
  await fetch(`${url}/api/v1/plan/apply`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const run = await until('a tick is completed', async () => {
    const { rows } = await path.pool.query(
      `SELECT workflow_id, workflow_run_id FROM activity_runs WHERE status = 'completed' AND trigger_kind = 'schedule' LIMIT 1`,
    );
    return rows[0];
  });
  await path.scheduleOf(id).pause('activity-core: the test has what it needs');
  await until('nothing is running', async () => (await path.count('dispatches', 'closed_at IS NULL')) === 0);
  return { workflowId: run.workflow_id, runId: run.workflow_run_id };
}

/** From its very beginning. */
async function reset(workflow: { workflowId: string; runId: string }): Promise<void> {
  const answer = await path.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: workflow,
    workflowTaskFinishEventId: { low: 4, high: 0, unsigned: false } as never,
    reason: 'test',
    requestId: workflow.runId,
  });
  await path.client.workflow.getHandle(workflow.workflowId, answer.runId ?? '').result();
}

async function forgetEverything(): Promise<void> {
  await service?.stop();
  service = null;
  await path.pool.query('DELETE FROM schedules');
  await passDays(path.pool, 91);
  await createRetention(path.pool).pass();
  const kept = await path.count('activity_runs', `status <> 'completed'`);
  expect([kept, await path.count('schedule_ticks'), await path.count('dispatches')]).toEqual([0, 0, 0]);
  // Its newest completed run is kept for an expectation; this is about those that are not.
  await path.pool.query('TRUNCATE activity_runs, task_spawn_log');
}

test('a workflow of a tick that is reset after everything about it was deleted runs nothing', async () => {
  const workflow = await firedOnce();
  await forgetEverything();
  // As it is where Temporal keeps its workflows for longer than RETENTION_DAYS: this one began before.
  await path.pool.query('UPDATE retention SET forgotten_before = now()');
  const { log } = await spawn('worker');
  await reset(workflow);
  expect(await path.count('activity_runs')).toBe(0);
  expect(await path.count('task_spawn_log')).toBe(0);
  expect(log()).toContain('a workflow began before what is still on record, and runs nothing');
});

test('a workflow that somebody triggers in Temporal now is run, whatever was deleted', async () => {
  await firedOnce();
  await forgetEverything();
  await spawn('worker');
  await path.scheduleOf(id).trigger();
  await until('it ran', async () => (await path.count('activity_runs', `status = 'completed'`)) === 1);
});

test('the service deletes what is old when it starts, and an event that comes again is a duplicate', async () => {
  await using events = await createEventPath(inject('servers'));
  const { environment } = events;
  const envelope = metricsEvent('old');
  const first = await spawnService({ environment, roles: 'worker,subscriber' });
  await first.ready();
  await events.publish(envelope);
  await until('it ran', async () => (await events.count('activity_runs')) === 1);
  // The newest completed run of a definition stays.
  await events.publish(metricsEvent('newer'));
  await until('both ran', async () => (await events.count('activity_runs')) === 2);
  await events.drained();
  await first.stop();
  await passDays(events.pool, 91);
  await using again = await spawnService({ environment, roles: 'worker,subscriber' });
  await again.ready();
  await until('what is old is deleted', async () => (await events.count('events')) === 1);
  await events.publish(envelope);
  await until('it is a duplicate', async () => (await events.count('event_duplicates')) === 1);
  await events.drained();
  expect(await events.count('event_decisions')).toBe(1);
  expect(await events.count('activity_runs', `event_id = 'old'`)).toBe(0);
  const metrics = await (await fetch(`${again.url}/metrics`)).text();
  expect(metrics).toContain('activity_core_retention_deleted_total{table="events"} 1');
  expect(again.log()).toContain('"msg":"what is old was deleted"');
});
