/** Pulls from the durable consumer into the inbox, through every loss of connection, stream or consumer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Consumer, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '../telemetry/logger.ts';
import type { Inbox } from './inbox.ts';
import { ensureConsumer, ensureStream } from './stream.ts';

export const PULL_MESSAGES = 500;
const PULL_BYTES = 16 * 1024 * 1024;
/** An idle pull ends and is asked anew: a pull that was lost on the way stalls no longer than this. */
const PULL_EXPIRES_MS = 5_000;
const RETRY_MS = 500;

export interface ConsumeDeps {
  connection: NatsConnection;
  stream: string;
  consumer: string;
  inbox: Inbox;
  /** The stream and the consumer are there, from now on or again. Not waited for. */
  onSetUp: () => void;
  logger: Logger;
}

export interface Consuming {
  health(): { ok: boolean; message: string };
  /** Pulls no more. What was pulled stays in the inbox. */
  stop(): Promise<void>;
}

export function startConsuming(deps: ConsumeDeps): Consuming {
  const { connection, stream, logger, inbox } = deps;
  const stopping = new AbortController();
  let fault: string | null = 'the consumer is not set up yet';
  let stopPull: (() => void) | null = null;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const consumer = await setUp();
        deps.onSetUp();
        fault = null;
        for (let expected = PULL_BYTES / PULL_MESSAGES; !stopping.signal.aborted; ) {
          await inbox.hasRoom();
          if (stopping.signal.aborted) return;
          expected = await pull(consumer, expected);
        }
      } catch (error) {
        if (stopping.signal.aborted) return;
        fault = (error as Error).message;
        logger.warn(
          { err: error, stream, consumer: deps.consumer },
          'pulling failed; the stream and the consumer are set up again',
        );
        await sleep(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
  }

  async function setUp(): Promise<Consumer> {
    const jsm = await jetstreamManager(connection);
    await ensureStream(jsm, stream, logger);
    await ensureConsumer(jsm, stream, deps.consumer, logger);
    return jetstream(connection).consumers.get(stream, deps.consumer);
  }

  /** One bounded pull. `expected` is a size that remembers large messages for a while: they are pulled fewer at a time. */
  async function pull(consumer: Consumer, expected: number): Promise<number> {
    const max_messages = Math.max(8, Math.min(PULL_MESSAGES, Math.floor(PULL_BYTES / expected)));
    // `fetch`, not `consume`: the latter pulls on as messages arrive, however many wait to be handled.
    const messages = await consumer.fetch({ max_messages, expires: PULL_EXPIRES_MS });
    stopPull = () => messages.stop();
    let largest = expected * 0.9;
    for await (const message of messages) {
      largest = Math.max(largest, inbox.add(message));
    }
    stopPull = null;
    return largest;
  }

  const running = run();
  return {
    health() {
      if (connection.isClosed()) return { ok: false, message: 'the connection to NATS is closed' };
      return { ok: fault === null, message: fault ?? 'consuming' };
    },
    async stop() {
      stopping.abort();
      stopPull?.();
      inbox.close();
      await running;
    },
  };
}
