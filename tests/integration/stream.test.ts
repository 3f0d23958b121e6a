/** The stream policy (contract 2): made where it is missing, and used as it is, with a warning for each hazard, where it exists. */
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { ensureConsumer, ensureStream } from '../../src/bridge/stream.ts';
import { createEventPath, type EventPath, NATS_ANSWER_MS } from '../setup/event-path.ts';

let path: EventPath;
let stream: string;
/** While the folder of a server's last stream is being removed, no other can be made: this one stays. */
const STAYS = 'STAYS';
let manager: JetStreamManager;
let warnings: string[] = [];
const logger = pino(
  { level: 'warn' },
  { write: (line: string) => void warnings.push(JSON.parse(line).hazard ?? JSON.parse(line).msg) },
);

beforeAll(async () => {
  path = await createEventPath(inject('servers'));
  manager = await jetstreamManager(path.nats, { timeout: NATS_ANSWER_MS });
  stream = path.stream;
  await manager.streams.add({ name: STAYS, subjects: ['stays'] });
});
afterAll(() => path[Symbol.asyncDispose]());
beforeEach(async () => {
  warnings = [];
  for await (const { config } of manager.streams.list())
    if (config.name !== STAYS) await manager.streams.delete(config.name);
});

test('a missing stream is made so that nothing waiting is lost, and made once', async () => {
  await ensureStream(manager, stream, logger);
  await ensureStream(manager, stream, logger);
  const { config } = await manager.streams.info(stream);
  expect(config).toMatchObject({
    subjects: ['activity.>'],
    retention: 'workqueue',
    storage: 'file',
    discard: 'new',
    max_age: 0,
    duplicate_window: nanos(120_000),
  });
  expect(config.max_bytes).toBeGreaterThan(0);
  expect(warnings).toEqual([]);
});

test('an existing stream is left as it is, with one warning for each setting that loses or stalls', async () => {
  await manager.streams.add({
    name: stream,
    subjects: ['activity.kaizen.>'],
    retention: 'interest',
    storage: 'memory',
    discard: 'old',
    max_age: nanos(3_600_000),
    max_msgs: 1000,
    max_msgs_per_subject: 10,
    max_msg_size: 1024,
  });
  const before = (await manager.streams.info(stream)).config;
  await ensureStream(manager, stream, logger);
  expect((await manager.streams.info(stream)).config).toEqual(before);
  const told = [
    'subjects do not cover',
    'storage is memory',
    'max_age',
    'max_msgs_per_subject',
    'retention is interest',
    'discard is old',
    'max_msg_size',
  ];
  expect(warnings).toHaveLength(told.length);
  for (const hazard of told) expect(warnings.join('\n')).toContain(hazard);
});

test('the consumer is durable and delivers for ever, and one that differs is mended and told', async () => {
  await ensureStream(manager, stream, logger);
  await ensureConsumer(manager, stream, path.consumer, logger);
  const wanted = {
    durable_name: path.consumer,
    ack_policy: 'explicit',
    deliver_policy: 'all',
    max_deliver: -1,
  };
  const { config } = await manager.consumers.info(stream, path.consumer);
  expect(config).toMatchObject(wanted);
  await manager.consumers.update(stream, path.consumer, { max_deliver: 3, max_ack_pending: 1 });
  await ensureConsumer(manager, stream, path.consumer, logger);
  expect((await manager.consumers.info(stream, path.consumer)).config).toEqual(config);
  expect(warnings).toEqual(['the consumer differs and is updated']);
});
