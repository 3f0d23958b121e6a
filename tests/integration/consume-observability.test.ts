/** Who measures holds nobody up: the bridge pulls whether or not its lag is known. */
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startConsuming } from '../../src/bridge/consume.ts';
import { createInbox } from '../../src/bridge/inbox.ts';
import { createEventPath, type EventPath, metricsEvent } from '../setup/event-path.ts';
import { until } from '../setup/until.ts';

let path: EventPath;

beforeAll(async () => {
  path = await createEventPath(inject('servers'));
});
afterAll(() => path[Symbol.asyncDispose]());

test('messages are pulled although whoever was told that the consumer is there never comes to an end', async () => {
  const inbox = createInbox({ messages: 10, bytes: 1024 ** 2 });
  let told = 0;
  const consuming = startConsuming({
    connection: path.nats,
    stream: path.stream,
    consumer: path.consumer,
    inbox,
    onSetUp() {
      told += 1;
      return new Promise<never>(() => undefined);
    },
    logger: pino({ level: 'silent' }),
  });
  await until('it consumes', async () => consuming.health().ok);
  await path.publish(metricsEvent('e1'));
  await inbox.filled();
  expect([told, inbox.waiting().length]).toEqual([1, 1]);
  await consuming.stop();
});
