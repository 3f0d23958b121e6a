/** A connection that publishes and waits for JetStream's acknowledgement. It gives up at once where the server is away. */
import { readFile } from 'node:fs/promises';
import { jetstream } from '@nats-io/jetstream';
import {
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
  type NodeConnectionOptions,
} from '@nats-io/transport-node';
import { type Address, withoutCredentials } from './address.ts';
import type { Outgoing } from './publish-envelope.ts';
import { UsageError } from './usage-error.ts';

/** `duplicate`: JetStream has this message id within its window, and stored nothing. */
export interface Published {
  subject: string;
  msg_id: string | null;
  stream: string;
  sequence: number;
  duplicate: boolean;
}

export interface Publisher {
  ok: true;
  /** That it is connected to, as in `127.0.0.1:4222`. */
  server: string;
  publish(message: Outgoing): Promise<{ ok: true; ack: Published } | { ok: false; message: string }>;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;
const ACK_TIMEOUT_MS = 10_000;

/** `message`: why there is no connection, and what to do. @throws UsageError */
export async function connectPublisher(
  { url, origin }: Address,
  credsFile: string | undefined,
): Promise<Publisher | { ok: false; message: string }> {
  const authenticator = credsFile ? { authenticator: credsAuthenticator(await readCreds(credsFile)) } : {};
  const options: NodeConnectionOptions = {
    servers: url,
    name: 'activity-core publish',
    timeout: CONNECT_TIMEOUT_MS,
    reconnect: false,
    ...authenticator,
  };
  try {
    return createPublisher(await connect(options));
  } catch (error) {
    const next = 'start one with `npm run dev`, or name another with --nats or NATS_URL';
    return {
      ok: false,
      message: `no NATS at ${withoutCredentials(url)} (${origin}): ${reasonOf(error)}; ${next}`,
    };
  }
}

function createPublisher(connection: NatsConnection): Publisher {
  const client = jetstream(connection);
  return {
    ok: true,
    server: connection.getServer(),
    async publish({ subject, bytes, msgId }) {
      try {
        const ack = await client.publish(subject, bytes, {
          timeout: ACK_TIMEOUT_MS,
          ...(msgId === undefined ? {} : { msgID: msgId }),
        });
        const { stream, seq, duplicate } = ack;
        return { ok: true, ack: { subject, msg_id: msgId ?? null, stream, sequence: seq, duplicate } };
      } catch (error) {
        return { ok: false, message: refusalOf(subject, error) };
      }
    },
    close: () => connection.close(),
  };
}

async function readCreds(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`NATS_CREDS_FILE names ${file}, which cannot be read (${code})`, { cause: error });
  }
}

function refusalOf(subject: string, error: unknown): string {
  if (hasCause(error, errors.NoRespondersError)) {
    return `no stream takes ${subject}; expected activity.<type>, and an activity-core that has run here once: it creates the stream`;
  }
  if (error instanceof errors.TimeoutError) return `no answer within ${ACK_TIMEOUT_MS / 1000} s`;
  return reasonOf(error);
}

/** The client wraps it twice, and calls it a server without JetStream. */
function hasCause(error: unknown, kind: typeof errors.NoRespondersError): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof kind) return true;
  return false;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = 'code' in cause ? String(cause.code) : '';
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND') return 'no such host';
  return cause.message || code;
}
