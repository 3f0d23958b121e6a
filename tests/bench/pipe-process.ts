/** (c), as a process of its own: pulls as activity-core does, inserts 500 at most in one transaction, acknowledges. */
import { type JsMsg, jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { pino } from 'pino';
import { PULL_MESSAGES } from '../../src/bridge/consume.ts';
import { createInbox } from '../../src/bridge/inbox.ts';
import { createPool, transaction } from '../../src/store/pool.ts';
import { insertRows, rowsOf } from './event-rows.ts';

export interface PipeSettings {
  nats_url: string;
  database_url: string;
  stream: string;
  consumer: string;
  /** Transactions at a time: while one waits for PostgreSQL, another makes its rows. */
  lanes: number;
}

const settings: PipeSettings = JSON.parse(process.argv[2] ?? '');
const pool = createPool(settings.database_url, pino({ level: 'warn' }), { max: settings.lanes });
const connection = await connect({ servers: settings.nats_url });
const consumer = await jetstream(connection).consumers.get(settings.stream, settings.consumer);
const inbox = createInbox({ messages: PULL_MESSAGES, bytes: 16 * 1024 * 1024 });

async function pull(): Promise<never> {
  for (;;) {
    await inbox.hasRoom();
    const messages = await consumer.fetch({ max_messages: PULL_MESSAGES, expires: 1_000 });
    for await (const message of messages) inbox.add(message);
  }
}

async function lane(): Promise<never> {
  for (;;) {
    await inbox.filled();
    const batch = inbox.take();
    if (batch.length === 0) continue;
    await transaction(pool, (client) => insertRows(client, batch.map(rowsOfMessage)));
    for (const message of batch) message.ack();
  }
}

function rowsOfMessage(message: JsMsg) {
  const { streamSequence, timestampNanos } = { ...message.info, timestampNanos: message.timestampNanos };
  return rowsOf(message.data, {
    stream_seq: streamSequence,
    stream_timestamp: Number(timestampNanos / 1000n),
  });
}

// Whoever started it is gone, or has seen enough: there is nothing to save.
process.once('disconnect', () => process.exit());
process.send?.('ready');
await Promise.all([pull(), ...Array.from({ length: settings.lanes }, lane)]);
