/** What a report says of where it was measured. */
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, totalmem } from 'node:os';
import { connect } from '@nats-io/transport-node';
import { NativeConnection } from '@temporalio/worker';
import pg from 'pg';
import type { Servers } from '../../src/dev/servers.ts';

export interface Environment {
  versions: { activity_core: string; node: string; postgresql: string; nats: string; temporal: string };
  machine: {
    platform: string;
    processor: string;
    cores: number;
    memory_gb: number;
    /** Of the minute before anything was started. On a busy machine the figures are worth little. */
    load: number;
  };
}

export const readLoad = (): number => loadavg()[0] ?? 0;

export async function readEnvironment(servers: Servers, load: number): Promise<Environment> {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'));
  const [processor] = cpus();
  return {
    versions: {
      activity_core: version,
      node: process.versions.node,
      postgresql: await postgresVersion(servers.database_url),
      nats: await natsVersion(servers.nats_url),
      temporal: await temporalVersion(servers.temporal_address),
    },
    machine: {
      platform: `${process.platform} ${process.arch}`,
      processor: processor?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memory_gb: Math.round(totalmem() / 1e9),
      load,
    },
  };
}

export function environmentLines({ versions, machine }: Environment): string {
  const { platform, processor, cores, memory_gb, load } = machine;
  const used = `activity-core ${versions.activity_core}, Node ${versions.node}, PostgreSQL ${versions.postgresql}, NATS ${versions.nats}, Temporal ${versions.temporal}`;
  const where = `${cores} cores (${processor}), ${memory_gb} GB, ${platform}, load ${load.toFixed(1)} before the start`;
  const isBusy = load > cores / 2;
  return `${used}\n${where}${isBusy ? '\nTHE MACHINE WAS BUSY: measure again when it is not' : ''}`;
}

async function postgresVersion(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query('SHOW server_version')).rows[0].server_version;
  } finally {
    await client.end();
  }
}

async function natsVersion(url: string): Promise<string> {
  const connection = await connect({ servers: url });
  try {
    return connection.info?.version ?? 'unknown';
  } finally {
    await connection.close();
  }
}

async function temporalVersion(address: string): Promise<string> {
  const connection = await NativeConnection.connect({ address });
  try {
    return (await connection.workflowService.getSystemInfo({})).serverVersion ?? 'unknown';
  } finally {
    await connection.close();
  }
}
