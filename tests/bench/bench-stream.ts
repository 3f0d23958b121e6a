/** A stream and a consumer of the bench's own, set as activity-core sets its own. */
import { randomUUID } from 'node:crypto';
import { type JetStreamClient, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { ensureConsumer, ensureStream } from '../../src/bridge/stream.ts';

export interface BenchStream extends AsyncDisposable {
  name: string;
  consumer: string;
  js: JetStreamClient;
  publish(text: string): Promise<unknown>;
  /** Not acknowledged yet. */
  waiting(): Promise<number>;
}

const CONSUMER = 'bench';

export async function openBenchStream(natsUrl: string): Promise<BenchStream> {
  const connection = await connect({ servers: natsUrl });
  const manager = await jetstreamManager(connection);
  const js = jetstream(connection);
  const name = `BENCH_${randomUUID().slice(0, 8)}`;
  const subjects = `${name}.>`;
  const ours = await settingsOfActivityCore(manager);
  await manager.streams.add({ ...ours.stream, name, subjects: [subjects] });
  await manager.consumers.add(name, { ...ours.consumer, durable_name: CONSUMER, filter_subject: subjects });
  return {
    name,
    consumer: CONSUMER,
    js,
    publish: (text) => js.publish(`${name}.event`, text),
    waiting: async () => (await manager.streams.info(name)).state.messages,
    async [Symbol.asyncDispose]() {
      await manager.streams.delete(name);
      await connection.close();
    },
  };
}

/** As the product's own code makes them on this server. */
async function settingsOfActivityCore(manager: Awaited<ReturnType<typeof jetstreamManager>>) {
  const [stream, consumer] = ['ACTIVITY', 'activity-core'];
  const logger = pino({ level: 'silent' });
  await ensureStream(manager, stream, logger);
  await ensureConsumer(manager, stream, consumer, logger);
  const { config } = await manager.streams.info(stream);
  const { retention, storage, discard, max_bytes, max_age, duplicate_window } = config;
  const { ack_policy, deliver_policy, ack_wait, max_deliver, max_ack_pending } = (
    await manager.consumers.info(stream, consumer)
  ).config;
  await manager.streams.delete(stream);
  return {
    stream: { retention, storage, discard, max_bytes, max_age, duplicate_window },
    consumer: { ack_policy, deliver_policy, ack_wait, max_deliver, max_ack_pending },
  };
}
