/** The connection to NATS: it waits for the server at the start and comes back by itself for ever. */
import { readFileSync } from 'node:fs';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '../telemetry/logger.ts';

export async function connectNats(
  url: string,
  credsFile: string | undefined,
  logger: Logger,
): Promise<NatsConnection> {
  const connection = await connect({
    servers: url,
    name: 'activity-core',
    maxReconnectAttempts: -1,
    waitOnFirstConnect: true,
    reconnectTimeWait: 500,
    // Credentials that are being rotated are refused for a while: that is no reason to give up for good.
    ignoreAuthErrorAbort: true,
    ...(credsFile ? { authenticator: credsAuthenticator(() => readFileSync(credsFile)) } : {}),
  });
  void watch(connection, logger);
  return connection;
}

async function watch(connection: NatsConnection, logger: Logger): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') logger.warn({ server: status.server }, 'disconnected from NATS');
    else if (status.type === 'reconnect') logger.info({ server: status.server }, 'connected to NATS again');
    else if (status.type === 'error') logger.warn({ err: status.error }, 'NATS reported an error');
  }
}
