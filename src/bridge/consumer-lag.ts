/** How much waits in the stream, for whoever looks: also for a process that is no subscriber. */
import { readFileSync } from 'node:fs';
import { type ConsumerInfo, jetstreamManager } from '@nats-io/jetstream';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { within } from '../telemetry/within.ts';

/** `messages` are not acknowledged yet; both are null where it is not known, and `message` says why. */
export interface ConsumerLag {
  messages: number | null;
  message: string;
  /** False: nobody waits for messages, and none was delivered or acknowledged for a while. */
  is_pulled: boolean | null;
}

export interface ConsumerLagOptions {
  /** '' where NATS_URL is not set. */
  url: string;
  credsFile: string | undefined;
  stream: string;
  consumer: string;
  /** For a whole reading: resolving the name and dialling each of its addresses have no bound of their own. */
  boundMs?: number;
}

const ANSWER_MS = 2_000;
/** Between two pulls nobody waits: while the inbox is full, for as long as PostgreSQL takes. */
const IDLE_MS = 30_000;

/** Connects when it is asked first. Never rejects. `stop` is idempotent. */
export function createConsumerLag(options: ConsumerLagOptions): {
  read(): Promise<ConsumerLag>;
  stop(): Promise<void>;
} {
  const { url, credsFile, stream, consumer, boundMs = 2_500 } = options;
  let dialling: Promise<NatsConnection> | null = null;
  let connection: NatsConnection | null = null;
  let asking: Promise<ConsumerLag> | null = null;
  let isStopped = false;

  async function ask(): Promise<ConsumerLag> {
    if (url === '') return notKnown('NATS_URL is not set here');
    try {
      const info = await within(boundMs, `no answer within ${boundMs} ms`, readInfo);
      return { messages: info.num_pending + info.num_ack_pending, message: 'ok', is_pulled: isPulled(info) };
    } catch (error) {
      // The next reading begins with a new one, whatever was wrong with this.
      const erred = connection;
      connection = null;
      // That it cannot even be closed is no other fault than the one that is told.
      erred?.close().catch(() => undefined);
      return notKnown(`NATS: ${(error as Error).message || String(error)}`);
    }
  }

  async function readInfo(): Promise<ConsumerInfo> {
    const manager = await jetstreamManager(await connected(), { timeout: ANSWER_MS, checkAPI: false });
    return manager.consumers.info(stream, consumer);
  }

  /** A dial that is under way goes on for the next reading: of several addresses, the last may answer. */
  async function connected(): Promise<NatsConnection> {
    if (connection && !connection.isClosed()) return connection;
    dialling ??= dial().finally(() => {
      dialling = null;
    });
    return dialling;
  }

  /** Without reconnecting by itself: nobody may be looking any more. */
  async function dial(): Promise<NatsConnection> {
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

const notKnown = (message: string): ConsumerLag => ({ messages: null, message, is_pulled: null });

function isPulled({ num_waiting, delivered, ack_floor, ts }: ConsumerInfo): boolean {
  if (num_waiting > 0) return true;
  const asOf = ts ? Date.parse(ts) : Date.now();
  // Typed as a number, sent as RFC 3339; left out where there was nothing yet.
  const isRecent = (time: unknown) => time !== undefined && asOf - Date.parse(String(time)) < IDLE_MS;
  return isRecent(delivered.last_active) || isRecent(ack_floor.last_active);
}
