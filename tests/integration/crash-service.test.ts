/** The crash table of docs/architecture.md: the service is killed between two steps, and the counts are exact afterwards. */
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createEventPath, type EventPath, metricsEvent } from '../setup/event-path.ts';
import { holdTable } from '../setup/hold-table.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const EVENTS = 20;
let path: EventPath;
let service: ServiceProcess;

beforeEach(async () => {
  path = await createEventPath(inject('servers'), { own: ['temporal'] });
  service = await spawnService(path);
  await service.ready();
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  await path[Symbol.asyncDispose]();
});

async function publishAll(): Promise<void> {
  for (let n = 0; n < EVENTS; n += 1) await path.publish(metricsEvent(`e-${n}`));
}

async function killAndRestart(between: () => Promise<unknown> = async () => undefined): Promise<void> {
  await service.kill();
  await between();
  service = await spawnService(path);
  await service.ready();
}

async function expectExactCounts(): Promise<void> {
  await until(
    'each event has its run',
    async () => (await path.count('activity_runs', `status = 'completed'`)) >= EVENTS,
    { context: service.log },
  );
  await until('no dispatch is open', async () => (await path.count('dispatches', 'closed_at IS NULL')) === 0);
  await path.drained();
  expect(await path.count('events')).toBe(EVENTS);
  expect(await path.count('events', 'duplicates > 0')).toBe(0);
  expect(await path.count('activity_runs')).toBe(EVENTS);
  expect(await path.count('task_spawn_log')).toBe(EVENTS);
  expect(await path.count('activity_runs', `status = 'running'`)).toBe(0);
}

test('killed between the pull and the commit of the record, the messages are delivered again', async () => {
  const held = await holdTable(path.pool, 'event_ids');
  await publishAll();
  await held.reached();
  await killAndRestart(held.release);
  await expectExactCounts();
});

test('killed between the record and the start of its workflow, the stored dispatch is started', async () => {
  await path.own.stop('temporal');
  await publishAll();
  await until('all is recorded', async () => (await path.count('events')) === EVENTS);
  expect(await path.count('activity_runs')).toBe(0);
  await killAndRestart(() => path.own.restart('temporal'));
  await expectExactCounts();
});

test('killed between the start of the workflow and the acknowledgement, the redelivered message is acknowledged', async () => {
  const held = await holdTable(path.pool, 'event_ids');
  await publishAll();
  await held.reached();
  await path.own.stop('nats');
  await held.release();
  await until(
    'what was pulled has run',
    async () => (await path.count('activity_runs', `status = 'completed'`)) > 0,
  );
  await killAndRestart(() => path.own.restart('nats'));
  await expectExactCounts();
});

test('killed inside prepare, the transaction is not there and Temporal tries again', async () => {
  const held = await holdTable(path.pool, 'activity_runs');
  await publishAll();
  await held.reached();
  await killAndRestart(held.release);
  await expectExactCounts();
});

test('killed between the commit of prepare and its result in the history, prepare finds its own rows', async () => {
  const held = await holdTable(path.pool, 'activity_runs');
  await path.publish(metricsEvent('e-0'));
  await held.reached();
  const { temporal } = path.own.processes;
  process.kill(temporal ?? 0, 'SIGSTOP');
  await held.release();
  await until('prepare has committed', async () => (await path.count('activity_runs')) === 1);
  await service.kill();
  process.kill(temporal ?? 0, 'SIGCONT');
  service = await spawnService(path);
  await service.ready();
  for (let n = 1; n < EVENTS; n += 1) await path.publish(metricsEvent(`e-${n}`));
  await expectExactCounts();
});

test('killed again and again while events arrive, nothing is lost and nothing doubled', async () => {
  for (let n = 0; n < EVENTS; n += 1) {
    await path.publish(metricsEvent(`e-${n}`));
    if (n % 7 === 3) await killAndRestart();
  }
  await expectExactCounts();
});
