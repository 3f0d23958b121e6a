/** Temporal's development server with its web UI, on SQLite. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import { temporalBinary } from './binaries.ts';
import type { StopStep } from './process-identity.ts';
import type { Ports } from './protocol.ts';
import type { PrepareDeps, PreparedServer } from './server.ts';

export const TEMPORAL_STOP: StopStep[] = [
  { signal: 'SIGTERM', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: 10_000 },
];
const NAMESPACE = 'default';
const RETENTION_MS = 30 * 86_400_000;
const PROBE_TIMEOUT_MS = 3000;

export function temporalAddress({ temporal }: Ports): string {
  return `127.0.0.1:${temporal}`;
}

export function temporalUiUrl({ temporal_ui }: Ports): string {
  return `http://127.0.0.1:${temporal_ui}`;
}

export async function prepareTemporal(deps: PrepareDeps): Promise<PreparedServer> {
  const folder = join(deps.stateDir, 'temporal');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = await temporalBinary(deps);
  return (ports) => ({
    name: 'temporal',
    port: ports.temporal,
    command: { file, args: startDev(folder, ports), cwd: folder, env: { HOME: folder } },
    probe: () => retainFor(RETENTION_MS, temporalAddress(ports)),
    stopSteps: TEMPORAL_STOP,
  });
}

function startDev(folder: string, ports: Ports): string[] {
  return [
    'server',
    'start-dev',
    ...['--db-filename', join(folder, 'temporal.db')],
    ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'],
    ...['--ip', '127.0.0.1', '--port', String(ports.temporal), '--ui-port', String(ports.temporal_ui)],
    ...['--log-level', 'error'],
  ];
}

/** `start-dev` creates its namespace with a retention of one day. Answering at all is the sign of being ready. */
async function retainFor(retentionMs: number, address: string): Promise<void> {
  // The environment's HTTP proxy is not for loopback.
  const channelArgs = { 'grpc.enable_http_proxy': 0 };
  const connection = await Connection.connect({ address, connectTimeout: PROBE_TIMEOUT_MS, channelArgs });
  try {
    const service = connection.workflowService;
    await connection.withDeadline(Date.now() + PROBE_TIMEOUT_MS, async () => {
      const { config } = await service.describeNamespace({ namespace: NAMESPACE });
      if (tsToMs(config?.workflowExecutionRetentionTtl) === retentionMs) return;
      const workflowExecutionRetentionTtl = msToTs(retentionMs);
      await service.updateNamespace({ namespace: NAMESPACE, config: { workflowExecutionRetentionTtl } });
    });
  } finally {
    await connection.close();
  }
}
