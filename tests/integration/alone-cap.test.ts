/**
 * Dispatches that are alone wait for their turn: at most 16 of a definition are at work, whatever is recorded, killed, paused
 * or doubled, and each runs once. The model, which may take five minutes, holds its answers until a test releases them.
 */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import { createEventPath, definitionsFolder, type EventPath, metricsEvent } from '../setup/event-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

// A killed worker's tasks come back after their time-outs, one after the other.
vi.setConfig({ testTimeout: 600_000 });

const CAP = 16;
const EVENTS = 60;
const ids = Array.from({ length: EVENTS }, (_, n) => `e-${n}`);

/** llm-connect: one definition waits until it is released, the other is answered at once. */
const held = new Set<ServerResponse>();
let isHolding = true;
let mostHeld = 0;
let model: Server;
let folder: Awaited<ReturnType<typeof definitionsFolder>>;
let connection: Connection;
let client: Client;
let path: EventPath;
const services: ServiceProcess[] = [];

beforeAll(async () => {
  model = createServer(async (request, response) => {
    const asked = await text(request);
    if (!isHolding || !asked.includes('for slow')) return answer(response);
    held.add(response);
    mostHeld = Math.max(mostHeld, held.size);
    response.on('close', () => held.delete(response));
  });
  model.listen(0, '127.0.0.1');
  await once(model, 'listening');
  folder = await definitionsFolder({
    'slow.yaml': asking('slow'),
    'quick.yaml': asking('quick'),
  });
  path = await createEventPath(inject('servers'), { definitions: folder.path, own: ['temporal'] });
  connection = Connection.lazy({
    address: path.own.temporal_address,
    channelArgs: { 'grpc.enable_http_proxy': 0 },
  });
  client = new Client({ connection });
});
beforeEach(async () => {
  isHolding = true;
  mostHeld = 0;
  await path.pool.query(
    'TRUNCATE events, event_ids, event_decisions, dispatches, activity_runs, task_spawn_log, instruction_calls, pinned_contexts',
  );
});
afterEach(async () => {
  release();
  for (const service of services.splice(0)) await service[Symbol.asyncDispose]();
});
afterAll(async () => {
  await connection?.close();
  await path?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
  model?.close();
});

/** Fires on every event, asks the model, and makes a task of its answer. */
function asking(id: string): string {
  return JSON.stringify({
    id,
    title: 'Asks the model',
    owner: 'tests',
    trigger: { event: { type: 'kaizen.metrics.recorded' } },
    rules: [{ id: 'always', condition: 'true', task: { title: 'Do it' } }],
    instructions: [
      {
        id: 'word',
        prompt: `Say a word for ${id}`,
        output_schema: {
          type: 'object',
          additionalProperties: false,
          required: ['word'],
          properties: { word: { type: 'string' } },
        },
      },
    ],
  });
}

function answer(response: ServerResponse): void {
  const message = { role: 'assistant', content: JSON.stringify({ word: 'yes' }) };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] }));
}

function release(): void {
  isHolding = false;
  for (const response of held) answer(response);
}

async function spawn(): Promise<ServiceProcess> {
  const { port } = model.address() as AddressInfo;
  const service = await spawnService({
    environment: {
      ...path.environment,
      LLM_CONNECT_URL: `http://127.0.0.1:${port}`,
      LLM_CONNECT_TIMEOUT_SECONDS: '300',
    },
  });
  services.push(service);
  await service.ready();
  return service;
}

async function publish(events: string[]): Promise<void> {
  for (const id of events) await path.publish(metricsEvent(id));
  await path.drained();
}

const ended = (definition: string) =>
  path.count('activity_runs', `definition_id = '${definition}' AND status = 'completed'`);

const OF_SLOW = "definition_ids[1] = 'slow' AND alone AND closed_at IS NULL";

/** As many are asked as may be, the others wait, and nothing else is open. */
async function expectCapped(events: number): Promise<void> {
  const context = () => services.map((service) => service.log()).join('\n');
  await until('as many are asked as may be', async () => held.size === CAP, { context });
  await until('all of the other definition ran', async () => (await ended('quick')) === events, { context });
  expect(await path.count('dispatches', `${OF_SLOW} AND queued_at IS NULL`)).toBe(CAP);
  expect(await path.count('dispatches', `${OF_SLOW} AND queued_at IS NOT NULL`)).toBe(events - CAP);
  await until('the workflows of what is over are closed', async () => {
    const { count } = await client.workflow.count(
      "ExecutionStatus = 'Running' AND WorkflowType = 'ActivityRun'",
    );
    return count === CAP;
  });
  expect(await ended('slow')).toBe(0);
}

async function expectEachOnce(events = EVENTS): Promise<void> {
  await until('each event has its run', async () => (await ended('slow')) >= events, {
    context: () => services.map((service) => service.log()).join('\n'),
  });
  await until('no dispatch is open', async () => (await path.count('dispatches', 'closed_at IS NULL')) === 0);
  await path.drained();
  for (const definition of ['slow', 'quick']) {
    expect(await ended(definition)).toBe(events);
    expect(await path.count('task_spawn_log', `definition_id = '${definition}'`)).toBe(events);
  }
  expect(await path.count('activity_runs', "status <> 'completed'")).toBe(0);
  expect(mostHeld).toBe(CAP);
}

test('with two services, 16 of a definition are at work, the others wait and hold up no other one', async () => {
  await Promise.all([spawn(), spawn()]);
  await publish(ids);
  await expectCapped(EVENTS);
  // One by one, still held: each that ends lets the next one in.
  for (let n = 0; n < 5; n += 1) {
    const before = await ended('slow');
    const first = await until('one is held', async () => [...held][0]);
    answer(first);
    await until('it is over', async () => (await ended('slow')) > before);
    await until('the next one is asked', async () => held.size === CAP);
  }
  expect(mostHeld).toBe(CAP);
  release();
  await expectEachOnce();
});

test('killed between the end of their wait and the start of their workflows, all of them run', async () => {
  const service = await spawn();
  await publish(ids);
  await expectCapped(EVENTS);
  const { temporal = 0 } = path.own.processes;
  process.kill(temporal, 'SIGSTOP');
  try {
    for (const response of held) answer(response);
    await until('the first are over, and others were let in', async () => {
      const atWork = await path.count('dispatches', `${OF_SLOW} AND queued_at IS NULL`);
      return (await ended('slow')) === CAP && atWork === CAP;
    });
    await service.kill();
  } finally {
    process.kill(temporal, 'SIGCONT');
  }
  expect(await path.count('dispatches', `${OF_SLOW} AND queued_at IS NOT NULL`)).toBe(EVENTS - 2 * CAP);
  await spawn();
  await until('those that were let in are asked', async () => held.size === CAP);
  expect(mostHeld).toBe(CAP);
  release();
  await expectEachOnce();
});

test('what was held by a pause waits for its turn too', async () => {
  const { url } = await spawn();
  const post = async (action: string, body: object) => {
    const response = await fetch(`${url}/api/v1/definitions/slow/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return response.json();
  };
  await post('pause', { reason: 'for now' });
  const events = ids.slice(0, 40);
  await publish(events);
  expect(await path.count('event_decisions', "outcome = 'held'")).toBe(events.length);
  expect(await post('resume', {})).toMatchObject({ held: { fired: events.length } });
  await expectCapped(events.length);
  release();
  await expectEachOnce(events.length);
});
