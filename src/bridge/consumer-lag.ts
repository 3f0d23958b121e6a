/** How much waits in the stream, for whoever looks: also for a process that is no subscriber. */
import { readFileSync } from 'node:fs';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';

/** `messages` are not acknowledged yet; null where it is not known, and `message` says why. */
export interface ConsumerLag {
  messages: number | null;
  message: string;
}

export interface ConsumerLagOptions {
  /** '' where NATS_URL is not set. */
  url: string;
  credsFile: string | undefined;
  stream: string;
  consumer: string;
}

const ANSWER_MS = 2_000;

/** Connects when it is asked first. Never rejects, and answers within a few seconds. `stop` is idempotent. */
export function createConsumerLag({ url, credsFile, stream, consumer }: ConsumerLagOptions): {
  read(): Promise<ConsumerLag>;
  stop(): Promise<void>;
} {
  let connection: NatsConnection | null = null;
  let asking: Promise<ConsumerLag> | null = null;
  let isStopped = false;

  async function ask(): Promise<ConsumerLag> {
    if (url === '') return { messages: null, message: 'NATS_URL is not set here' };
    try {
      const manager = await jetstreamManager(await connected(), { timeout: ANSWER_MS, checkAPI: false });
      const { num_pending, num_ack_pending } = await manager.consumers.info(stream, consumer);
      return { messages: num_pending + num_ack_pending, message: 'ok' };
    } catch (error) {
      return { messages: null, message: `NATS: ${(error as Error).message || String(error)}` };
    }
  }

  /** Without reconnecting by itself: nobody may be looking any more. */
  async function connected(): Promise<NatsConnection> {
    if (connection && !connection.isClosed()) return connection;
    const opened = await connect({
      servers: url,
      name: 'activity-core-lag',
      reconnect: false,
      timeout: ANSWER_MS,
      ...(credsFile ? { authenticator: credsAuthenticator(() => readFileSync(credsFile)) } : {}),
    });
    if (isStopped) {
      await opened.close();
      throw new Error('stopping');
    }
    connection = opened;
    return opened;
  }

  return {
    /** However many ask at one moment, NATS is asked once. */
    read() {
      asking ??= ask().finally(() => {
        asking = null;
      });
      return asking;
    },
    async stop() {
      isStopped = true;
      await connection?.close();
    },
  };
}
