/** How much waits in the stream, as a process sees it that does not consume it. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { pino } from 'pino';
import { expect, inject, test } from 'vitest';
import { createConsumerLag } from '../../src/bridge/consumer-lag.ts';
import { ensureConsumer, ensureStream } from '../../src/bridge/stream.ts';
import { createEventPath, metricsEvent } from '../setup/event-path.ts';
import { until } from '../setup/until.ts';

test('it counts what is not acknowledged, says why it cannot, and knows again after an outage', async () => {
  await using path = await createEventPath(inject('servers'));
  const { stream, consumer, environment } = path;
  const lag = createConsumerLag({ url: environment.NATS_URL ?? '', credsFile: undefined, stream, consumer });
  expect(await lag.read()).toEqual({
    messages: null,
    message: expect.stringMatching(/^NATS: \S/),
    is_pulled: null,
  });
  const logger = pino({ level: 'silent' });
  const manager = await jetstreamManager(path.nats);
  await ensureStream(manager, stream, logger);
  await ensureConsumer(manager, stream, consumer, logger);
  expect(await lag.read()).toMatchObject({ messages: 0, message: 'ok' });
  for (const id of ['one', 'two', 'three']) await path.publish(metricsEvent(id));
  // A consumer's count follows its stream a moment later, so it is asked until it has.
  await expect.poll(() => lag.read()).toEqual({ messages: 3, message: 'ok', is_pulled: false });
  await (await jetstream(path.nats).consumers.get(stream, consumer)).next();
  await expect.poll(() => lag.read()).toEqual({ messages: 3, message: 'ok', is_pulled: true });
  await path.own.stop('nats');
  await until('it is away', async () => (await lag.read()).messages === null);
  await path.own.restart('nats');
  await until('it is known again', async () => (await lag.read()).messages === 3);
  await lag.stop();
  await lag.stop();
});

test('without an address it says so', async () => {
  const lag = createConsumerLag({ url: '', credsFile: undefined, stream: 'S', consumer: 'c' });
  expect(await lag.read()).toEqual({
    messages: null,
    message: 'NATS_URL is not set here',
    is_pulled: null,
  });
  await lag.stop();
});

interface HalfServer extends AsyncDisposable {
  url: string;
  /** Each that was made, in order. */
  connections: Socket[];
}

const INFO = { server_id: 'half', version: '2.12.0', proto: 1, max_payload: 1_048_576, headers: true };

/** Takes connections and never answers a question; without `greets` it says nothing at all. */
async function serveHalf({ greets }: { greets: boolean }): Promise<HalfServer> {
  const connections: Socket[] = [];
  const server = createServer((socket) => {
    connections.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => greets && String(data).includes('PING') && socket.write('PONG\r\n'));
    if (greets) socket.write(`INFO ${JSON.stringify(INFO)}\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it does not listen');
  return {
    url: `nats://127.0.0.1:${address.port}`,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

test('a server that never greets does not hold it up', async () => {
  await using server = await serveHalf({ greets: false });
  const { url } = server;
  const lag = createConsumerLag({ url, credsFile: undefined, stream: 'S', consumer: 'c', boundMs: 50 });
  expect(await lag.read()).toEqual({
    messages: null,
    message: 'NATS: no answer within 50 ms',
    is_pulled: null,
  });
  await lag.stop();
});

test('a connection that gave no answer is closed, and the next reading makes another', async () => {
  await using server = await serveHalf({ greets: true });
  const { url, connections } = server;
  const lag = createConsumerLag({ url, credsFile: undefined, stream: 'S', consumer: 'c', boundMs: 200 });
  await until('the first is closed and there is a second', async () => {
    expect((await lag.read()).messages).toBe(null);
    return connections[0]?.destroyed && connections.length > 1;
  });
  await lag.stop();
});
