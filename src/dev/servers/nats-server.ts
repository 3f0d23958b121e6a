/** NATS with JetStream. */
import { chmodSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { natsBinary } from './binaries.ts';
import type { StopStep } from './process-identity.ts';
import type { PrepareDeps, PreparedServer } from './server.ts';

export const NATS_STOP: StopStep[] = [
  { signal: 'SIGTERM', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: 10_000 },
];
const PROBE_TIMEOUT_MS = 2000;

export function natsUrl(port: number): string {
  return `nats://127.0.0.1:${port}`;
}

export async function prepareNats(deps: PrepareDeps): Promise<PreparedServer> {
  const folder = join(deps.stateDir, 'nats');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = await natsBinary(deps);
  return ({ nats: port }) => {
    const configFile = join(folder, 'nats-server.conf');
    writeFileSync(configFile, configuration(port, folder), { mode: 0o600 });
    chmodSync(configFile, 0o600);
    return {
      name: 'nats',
      port,
      command: { file, args: ['--config', configFile], cwd: folder, env: { HOME: folder } },
      probe: () => answers(port),
      stopSteps: NATS_STOP,
    };
  };
}

/**
 * Without `sync_interval: always` JetStream acknowledges up to two minutes before it flushes. The store's limit is not
 * reserved on disk, but the `max_bytes` of all streams must fit into it.
 */
function configuration(port: number, folder: string): string {
  return `
server_name: activity-core-dev
listen: "127.0.0.1:${port}"
max_payload: 1MB
jetstream {
  store_dir: ${JSON.stringify(folder)}
  sync_interval: always
  max_memory_store: 256MB
  max_file_store: 256GB
}
`.trimStart();
}

async function answers(port: number): Promise<void> {
  const connection = await connect({ servers: natsUrl(port), timeout: PROBE_TIMEOUT_MS, reconnect: false });
  try {
    await (await jetstreamManager(connection, { timeout: PROBE_TIMEOUT_MS })).getAccountInfo();
  } finally {
    await connection.close();
  }
}
