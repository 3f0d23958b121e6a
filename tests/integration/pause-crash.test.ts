/** A definition is paused while events arrive, and the service is killed while it is resumed: each runs once, in order. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { applyFolder } from '../setup/apply-folder.ts';
import { createEventPath, type EventPath, metricsEvent } from '../setup/event-path.ts';
import { holdTable } from '../setup/hold-table.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const REVIEW = 'low-success-rate-review';
const ids = Array.from({ length: 100 }, (_, n) => `e-${n}`);
let path: EventPath;
let service: ServiceProcess;

beforeAll(async () => {
  path = await createEventPath(inject('servers'), { own: ['temporal'] });
  service = await spawnService(path);
  await service.ready();
});
beforeEach(async () => {
  await path.pool.query(
    'TRUNCATE events, event_ids, event_decisions, dispatches, activity_runs, task_spawn_log',
  );
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await path[Symbol.asyncDispose]();
});

async function post(action: 'pause' | 'resume', body: object): Promise<{ status: number; held?: object }> {
  const response = await fetch(`${service.url}/api/v1/definitions/${REVIEW}/${action}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { ...((await response.json()) as object), status: response.status };
}

async function killAndRestart(between: () => Promise<unknown> = async () => undefined): Promise<void> {
  await service.kill();
  await between();
  service = await spawnService(path);
  await service.ready();
}

async function publish(events: string[]): Promise<void> {
  for (const id of events) await path.publish(metricsEvent(id));
  await path.drained();
}

async function holdAll(whenHalf: () => Promise<unknown> = async () => undefined): Promise<void> {
  expect(await post('pause', { reason: 'for now' })).toMatchObject({ status: 200, paused: true });
  await publish(ids.slice(0, 50));
  await whenHalf();
  await publish(ids.slice(50));
  expect(await path.count('event_decisions', "outcome = 'held'")).toBe(ids.length);
  expect(await path.count('activity_runs')).toBe(0);
}

async function expectEachOnceInOrder(): Promise<void> {
  await until(
    'each event has its run',
    async () => (await path.count('activity_runs', "status = 'completed'")) >= ids.length,
    { context: service.log },
  );
  await until('no dispatch is open', async () => (await path.count('dispatches', 'closed_at IS NULL')) === 0);
  const { rows } = await path.pool.query('SELECT event_id FROM activity_runs ORDER BY started_at');
  expect(rows.map(({ event_id }) => event_id)).toEqual(ids);
  expect(await path.count('task_spawn_log')).toBe(ids.length);
  expect(await path.count('event_decisions', "outcome = 'fired'")).toBe(ids.length);
}

test('a hundred events are held over a restart and an apply, and run in order once resumed', async () => {
  await holdAll(() => killAndRestart(() => applyFolder(path.pool, 'definitions')));
  expect(await post('resume', {})).toMatchObject({ status: 200, held: { fired: ids.length } });
  await expectEachOnceInOrder();
});

test('killed inside the resume, all are held still, and the next resume runs them', async () => {
  await holdAll();
  const table = await holdTable(path.pool, 'event_decisions');
  const resumed = post('resume', {}).catch(() => null);
  await table.reached();
  await killAndRestart(table.release);
  expect(await resumed).toBeNull();
  expect(await path.count('event_decisions', "outcome = 'held'")).toBe(ids.length);
  expect(await path.count('dispatches')).toBe(0);
  expect(await post('resume', {})).toMatchObject({ status: 200, held: { fired: ids.length } });
  await expectEachOnceInOrder();
  expect(await post('resume', {})).toMatchObject({ status: 200, held: { fired: 0 } });
});

test('killed after the commit of the resume, before its workflow is started, the stored dispatch is started', async () => {
  await holdAll();
  await path.own.stop('temporal');
  const resumed = post('resume', {}).catch(() => null);
  await until('the resume has committed', async () => (await path.count('dispatches')) === 1);
  expect(await path.count('activity_runs')).toBe(0);
  await killAndRestart(() => path.own.restart('temporal'));
  await resumed;
  await expectEachOnceInOrder();
});

test('killed while what was held runs, none runs twice', async () => {
  await holdAll();
  const table = await holdTable(path.pool, 'activity_runs');
  const resumed = post('resume', {}).catch(() => null);
  await table.reached();
  await killAndRestart(table.release);
  await resumed;
  await expectEachOnceInOrder();
});
