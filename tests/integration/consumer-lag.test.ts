/** How much waits in the stream, as a process sees it that does not consume it. */
import { jetstreamManager } from '@nats-io/jetstream';
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
  expect(await lag.read()).toEqual({ messages: null, message: expect.stringMatching(/^NATS: \S/) });
  const logger = pino({ level: 'silent' });
  const manager = await jetstreamManager(path.nats);
  await ensureStream(manager, stream, logger);
  await ensureConsumer(manager, stream, consumer, logger);
  expect(await lag.read()).toEqual({ messages: 0, message: 'ok' });
  for (const id of ['one', 'two', 'three']) await path.publish(metricsEvent(id));
  expect((await lag.read()).messages).toBe(3);
  await path.own.stop('nats');
  await until('it is away', async () => (await lag.read()).messages === null);
  await path.own.restart('nats');
  await until('it is known again', async () => (await lag.read()).messages === 3);
  await lag.stop();
  await lag.stop();
});

test('without an address it says so', async () => {
  const lag = createConsumerLag({ url: '', credsFile: undefined, stream: 'S', consumer: 'c' });
  expect(await lag.read()).toEqual({ messages: null, message: 'NATS_URL is not set here' });
  await lag.stop();
});
