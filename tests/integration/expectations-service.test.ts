/** Silence is an alarm (M10): the service watches expectations while everything but PostgreSQL is away. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createEventPath, definitionsFolder, type EventPath, metricsEvent } from '../setup/event-path.ts';
import { deadUrl } from '../setup/live-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const BREACHED = 'activity_expectation_breached';
const HEALED = 'activity_expectation_healed';
const DEFINITION = `
id: expected
title: Runs with each event
owner: tests
trigger: { event: { type: kaizen.metrics.recorded } }
rules: [{ id: always, condition: "true", task: { title: A task } }]
expect: { run_every: 1m }
`;

let path: EventPath;
let hub: AsyncDisposable & { url: string; posted: string[] };

beforeEach(async () => {
  await using folder = await definitionsFolder({ 'expected.yaml': DEFINITION });
  path = await createEventPath(inject('servers'), { definitions: folder.path });
  hub = await startHub();
});
afterEach(async () => {
  await path[Symbol.asyncDispose]();
  await hub[Symbol.asyncDispose]();
});

async function startHub() {
  const posted: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const progress = JSON.parse(body);
    if (progress.detail.definition_id === 'expected') posted.push(progress.event_type);
    response.writeHead(201, { 'content-type': 'application/json' }).end(`{"id":"p-${posted.length}"}`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, posted, [Symbol.asyncDispose]: async () => void server.close().closeAllConnections() };
}

async function readBreached({ url }: ServiceProcess): Promise<unknown[]> {
  const body = await (await fetch(`${url}/readyz`)).json();
  return (body as { expectations_breached: unknown[] }).expectations_breached;
}

/** As if nothing had happened for that long. */
async function passTwoMinutes(): Promise<void> {
  await path.pool.query(`UPDATE activity_definitions SET applied_at = applied_at - interval '2 minutes'`);
  await path.pool.query(
    `UPDATE watched_definitions SET enabled_since = enabled_since - interval '2 minutes',
                                    last_completed_at = last_completed_at - interval '2 minutes'`,
  );
  await path.pool.query(`UPDATE activity_runs SET finished_at = finished_at - interval '2 minutes'`);
}

test('with Temporal and NATS down, an API that never had either raises the alarm', async () => {
  await passTwoMinutes();
  const dead = new URL(await deadUrl()).host;
  const environment = {
    ...path.environment,
    TEMPORAL_ADDRESS: dead,
    NATS_URL: `nats://${dead}`,
    STATE_HUB_URL: hub.url,
  };
  await using service = await spawnService({ environment, roles: 'api' });
  await until('the alarm was posted', async () => hub.posted.length > 0, { context: service.log });
  const ready = await fetch(`${service.url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({
    checks: { postgres: { ok: true }, temporal: { ok: false } },
    expectations_breached: [{ definition_id: 'expected', run_every: '1m', last_completed_at: null }],
  });
  expect(await (await fetch(`${service.url}/metrics`)).text()).toContain(
    'activity_core_expectation_breached{definition_id="expected"} 1',
  );
  expect(service.log()).toMatch(/"level":50.*"definition_id":"expected"/);
  expect(hub.posted).toEqual([BREACHED]);
});

test('worker and subscriber killed for the length of an expectation: two APIs raise one alarm, and it heals once', async () => {
  const environment = { ...path.environment, STATE_HUB_URL: hub.url };
  await using one = await spawnService({ environment, roles: 'api' });
  await using other = await spawnService({ environment, roles: 'api' });
  const completed = (n: number) =>
    until(
      `${n} runs completed`,
      async () => (await path.count('activity_runs', "status = 'completed'")) === n,
    );
  {
    await using workers = await spawnService({ environment, roles: 'worker,subscriber' });
    await workers.ready();
    await path.publish(metricsEvent('before', 0.9));
    await completed(2);
    await workers.kill();
  }
  await passTwoMinutes();
  for (const service of [one, other]) {
    await until('the breach is seen', async () => (await readBreached(service)).length === 1);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  }
  await until('the alarm was posted', async () => hub.posted.length > 0);
  await using again = await spawnService({ environment, roles: 'worker,subscriber' });
  await again.ready();
  expect(await readBreached(again)).toHaveLength(1);
  await path.publish(metricsEvent('after', 0.9));
  await completed(4);
  await until('the healing was posted', async () => hub.posted.length > 1, { context: one.log });
  expect(await readBreached(other)).toEqual([]);
  expect(hub.posted).toEqual([BREACHED, HEALED]);
  const alarms = `${one.log()}${other.log()}`.match(/"level":50.*"definition_id":"expected"/g);
  expect(alarms).toHaveLength(1);
});
