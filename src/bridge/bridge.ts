/** NATS in: one subscriber. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { readPressure } from '../store/dispatches.ts';
import type { Pool } from '../store/pool.ts';
import { takeQueued } from '../store/queued-dispatches.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { PULL_MESSAGES, startConsuming } from './consume.ts';
import type { StartDispatch } from './dispatch.ts';
import { startFlushing } from './flush.ts';
import { createInbox } from './inbox.ts';
import type { RecordBatch } from './record.ts';

const INBOX_BYTES = 16 * 1024 * 1024;
const LAG_INTERVAL_MS = 5_000;

export interface BridgeDeps {
  connection: NatsConnection;
  stream: string;
  consumer: string;
  pool: Pool;
  record: RecordBatch;
  startDispatch: StartDispatch;
  metrics: Metrics;
  logger: Logger;
}

export interface Bridge {
  /** Rejects where the subscriber cannot go on: its process is to be replaced. */
  failed: Promise<never>;
  health(): { ok: boolean; message: string };
  stop(graceMs: number): Promise<void>;
}

export function startBridge(deps: BridgeDeps): Bridge {
  const inbox = createInbox({ messages: PULL_MESSAGES, bytes: INBOX_BYTES });
  const showLag = () =>
    measureLag(deps).catch((error: unknown) => {
      // The lag of some time ago would hide that nobody knows it now.
      deps.metrics.consumerLag.remove();
      deps.logger.debug({ err: error, stream: deps.stream }, 'the lag could not be read');
    });
  const consuming = startConsuming({ ...deps, inbox, onSetUp: () => void showLag() });
  const flushing = startFlushing({
    ...deps,
    inbox,
    isConnected: () => !deps.connection.isClosed(),
    takeQueued: (definitionIds) => takeQueued(deps.pool, definitionIds),
    readPressure: (dispatchIds) => readPressure(deps.pool, dispatchIds),
  });
  const lagTimer = setInterval(() => void showLag(), LAG_INTERVAL_MS);
  return {
    failed: flushing.failed,
    health() {
      const fault = flushing.fault();
      return fault ? { ok: false, message: fault } : consuming.health();
    },
    async stop(graceMs) {
      clearInterval(lagTimer);
      await consuming.stop();
      await flushing.stop(graceMs);
    },
  };
}

async function measureLag({ connection, stream, consumer, metrics }: BridgeDeps): Promise<void> {
  const info = await (await jetstreamManager(connection)).consumers.info(stream, consumer);
  metrics.consumerLag.set(info.num_pending + info.num_ack_pending);
}
