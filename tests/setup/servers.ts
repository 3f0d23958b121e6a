/** One set of real servers for all integration tests: `inject('servers')` gives their addresses. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { defaultCacheDir, startServers } from '../../src/dev/servers.ts';

export interface TestServers {
  temporal_address: string;
  nats_url: string;
  /** A superuser of the database `activity_core`: each test file makes a database of its own. */
  database_url: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    servers: TestServers;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = await startServers({
    stateDir: await mkdtemp(join(tmpdir(), 'activity-core-test-')),
    cacheDir: process.env.ACTIVITY_CORE_CACHE ?? defaultCacheDir(),
    path: process.env.PATH ?? '',
    ports: { temporal: 0, temporal_ui: 0, nats: 0, postgres: 0 },
    ephemeral: true,
    log: (message, fields) => console.error(`[servers] ${message} ${fields ? JSON.stringify(fields) : ''}`),
  });
  const { temporal_address, nats_url, database_url } = servers;
  project.provide('servers', { temporal_address, nats_url, database_url });
  return servers.close;
}
