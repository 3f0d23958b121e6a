/** Servers of their own for a suite that kills or fills them, in a temporary folder that goes with them. */
import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultCacheDir, type Servers, startServers } from '../../src/dev/servers.ts';

export interface OwnServers extends AsyncDisposable {
  servers: Servers;
  /** The folder; for what else should go with it, also after a crash of this process. */
  stateDir: string;
}

export async function startOwnServers(suite: 'chaos' | 'soak'): Promise<OwnServers> {
  const stateDir = await realpath(await mkdtemp(join(tmpdir(), `activity-core-${suite}-`)));
  const servers = await startServers({
    stateDir,
    cacheDir: process.env.ACTIVITY_CORE_CACHE ?? defaultCacheDir(),
    path: process.env.PATH ?? '',
    ports: { temporal: 0, temporal_ui: 0, nats: 0, postgres: 0 },
    ephemeral: true,
    log: () => undefined,
  });
  return { servers, stateDir, [Symbol.asyncDispose]: () => servers[Symbol.asyncDispose]() };
}
