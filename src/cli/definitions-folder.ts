/** DEFINITIONS_DIR with the PostgreSQL and Temporal that the environment names: a Job in the cluster has no API to ask. */
import { Client, Connection } from '@temporalio/client';
import type { ServiceConfig } from '../config.ts';
import { createResolvers } from '../resolvers/registry.ts';
import type { FolderDeps } from '../schedules/plan-folder.ts';
import { createTemporalSchedules, TemporalUnavailableError } from '../schedules/temporal-schedules.ts';
import { createSinkMode } from '../sinks/sink-mode.ts';
import { createPool } from '../store/pool.ts';
import type { Logger } from '../telemetry/logger.ts';

const DEFAULT_TEMPORAL_ADDRESS = '127.0.0.1:7233';

export async function withFolder<T>(
  config: Pick<
    ServiceConfig,
    'DATABASE_URL' | 'DEFINITIONS_DIR' | 'ISSUE_SINK_TYPE' | 'TASK_QUEUE' | 'temporal'
  >,
  logger: Logger,
  work: (folder: FolderDeps) => Promise<T>,
): Promise<T> {
  const { TASK_QUEUE: taskQueue, temporal } = config;
  const pool = createPool(config.DATABASE_URL, logger, { max: 2 });
  try {
    const connection = await connect(temporal.connectionOptions);
    try {
      const client = new Client({ connection, namespace: temporal.namespace ?? 'default' });
      const temporalSchedules = createTemporalSchedules({ client, taskQueue });
      const { DEFINITIONS_DIR: definitionsDir } = config;
      const sinkMode = createSinkMode(config.ISSUE_SINK_TYPE);
      const resolvers = createResolvers();
      return await work({ pool, temporalSchedules, sinkMode, resolvers, definitionsDir });
    } finally {
      await connection.close();
    }
  } finally {
    await pool.end();
  }
}

async function connect({
  address = DEFAULT_TEMPORAL_ADDRESS,
  apiKey,
  metadata,
  tls,
}: ServiceConfig['temporal']['connectionOptions']): Promise<Connection> {
  // Like the service's own connection, it goes through no proxy of the environment.
  const channelArgs = { 'grpc.enable_http_proxy': 0 };
  const options = { address, channelArgs, metadata, ...(tls && { tls }), ...(apiKey && { apiKey }) };
  return Connection.connect(options).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TemporalUnavailableError(`Temporal cannot be reached at ${address}: ${reason}`, error);
  });
}
