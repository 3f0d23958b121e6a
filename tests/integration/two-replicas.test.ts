/** Scale-out, rehearsed on one machine (docs/scaling.md): what N replicas share, and one of them is taken away. */
import { expect, inject, test } from 'vitest';
import { createEventPath, metricsEvent } from '../setup/event-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const EVENTS = 400;

test('two replicas with split roles share consumer and task queue, one is stopped in the middle, and each event is there once', async () => {
  await using path = await createEventPath(inject('servers'));
  const { environment } = path;
  await using all = await spawnService({ environment, roles: 'worker,subscriber,api' });
  await using other = await spawnService({ environment, roles: 'worker,subscriber' });
  await Promise.all([all.ready(), other.ready()]);
  let published = 0;
  const publish = () => path.publish(metricsEvent(`e-${published++}`));

  while (published < EVENTS / 2) await publish();
  await until('both took some of them', async () => {
    const [one = 0, two = 0] = await Promise.all([accepted(all), accepted(other)]);
    return one + two === EVENTS / 2 && one > 0 && two > 0;
  });

  const rest = (async () => {
    while (published < EVENTS) await publish();
  })();
  await until('more were taken', async () => (await path.count('events')) > EVENTS / 2);
  expect(await other.stop()).toBe(0);
  await rest;

  await until('each has its run', async () => (await path.count('activity_runs')) >= EVENTS, {
    context: all.log,
  });
  await until('no dispatch is open', async () => (await path.count('dispatches', 'closed_at IS NULL')) === 0);
  await path.drained();
  expect(await path.count('events')).toBe(EVENTS);
  expect(await path.count('events', 'duplicates > 0')).toBe(0);
  expect(await path.count('activity_runs')).toBe(EVENTS);
  expect(await path.count('activity_runs', "status <> 'completed'")).toBe(0);
  expect(await path.count('task_spawn_log')).toBe(EVENTS);
  expect(await path.count('quarantined_events')).toBe(0);
});

async function accepted(service: ServiceProcess): Promise<number> {
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  return Number(/^activity_core_events_total\{fate="accepted"\} (\d+)/m.exec(metrics)?.[1] ?? 0);
}
