/** A server that is away, at the start or while events arrive, delays: nothing is lost, nothing doubled. */
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createEventPath, type EventPath, metricsEvent, NATS_ANSWER_MS } from '../setup/event-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const EVENTS = 300;
const SERVERS = ['postgres', 'temporal', 'nats'] as const;
let path: EventPath;
let service: ServiceProcess | undefined;

beforeEach(async () => {
  path = await createEventPath(inject('servers'), { own: ['postgres', 'temporal'] });
});
afterEach(async () => {
  await service?.[Symbol.asyncDispose]();
  service = undefined;
  await path[Symbol.asyncDispose]();
});

async function publishUntilTaken(id: string): Promise<void> {
  await until(
    `${id} is published`,
    () =>
      path.publish(metricsEvent(id)).then(
        () => true,
        () => false,
      ),
    { boundMs: 4 * NATS_ANSWER_MS },
  );
}

async function expectExactCounts(events: number): Promise<void> {
  const count = (table: string, where?: string) => path.count(table, where).catch(() => -1);
  await until(
    'each event has its run',
    async () => (await count('activity_runs', `status = 'completed'`)) >= events,
    { context: () => service?.log() ?? '' },
  );
  await until('no dispatch is open', async () => (await count('dispatches', 'closed_at IS NULL')) === 0);
  await path.drained();
  expect(await count('events')).toBe(events);
  expect(await count('activity_runs')).toBe(events);
  expect(await count('task_spawn_log')).toBe(events);
}

test.each(SERVERS)(
  '%s away at the start: health says so, and the service begins when it comes',
  async (server) => {
    await path.own.stop(server);
    service = await spawnService(path);
    const { url } = service;
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ checks: { [server]: { ok: false } } });
    await path.own.restart(server);
    await service.ready();
    await publishUntilTaken('after');
    await expectExactCounts(1);
  },
);

test.each(SERVERS)('%s killed and brought back while events arrive', async (server) => {
  service = await spawnService(path);
  await service.ready();
  for (let n = 0; n < EVENTS; n += 1) {
    if (n === 100) process.kill(path.own.processes[server] ?? 0, 'SIGKILL');
    if (n === 200) await path.own.restart(server);
    // A publisher without an answer sends again, as it must: a duplicate at the most, never a second run.
    if (server === 'nats' && n >= 100 && n < 200) continue;
    await publishUntilTaken(`e-${n}`);
  }
  if (server === 'nats') for (let n = 100; n < 200; n += 1) await publishUntilTaken(`e-${n}`);
  await expectExactCounts(EVENTS);
});

test('a consumer that somebody deletes is made anew, and a deleted stream too', async () => {
  service = await spawnService(path);
  await service.ready();
  const { jetstreamManager } = await import('@nats-io/jetstream');
  const manager = await jetstreamManager(path.nats, { timeout: NATS_ANSWER_MS });
  await publishUntilTaken('before');
  await expectExactCounts(1);
  await manager.consumers.delete(path.stream, path.consumer);
  await publishUntilTaken('consumer-gone');
  await expectExactCounts(2);
  await manager.streams.delete(path.stream);
  await publishUntilTaken('stream-gone');
  await expectExactCounts(3);
});
