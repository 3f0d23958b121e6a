/** For tests of the embedded servers: an owner that can be killed, and short-lived clients of each server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { expect, onTestFinished } from 'vitest';
import { identify } from '../../src/dev/servers/process-identity.ts';
import type { Addresses, Processes, StartServersOptions } from '../../src/dev/servers.ts';
import { NATS_ANSWER_MS } from './event-path.ts';

export interface Owner {
  process: ChildProcess;
  addresses: Addresses;
  processes: Processes;
}

export async function startOwner(
  options: Partial<StartServersOptions>,
  as: { uid?: number; gid?: number } = {},
): Promise<Owner> {
  const script = join(import.meta.dirname, 'servers-owner.ts');
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    ...as,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  for await (const line of createInterface(child.stdout)) return { process: child, ...JSON.parse(line) };
  throw new Error('the owner ended before its servers were ready');
}

export const isGone = (pid: number) => identify(pid) === null;
export const allGone = (processes: Processes) => expect.poll(() => Object.values(processes).every(isGone));

export async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

export async function withStreams<T>(
  url: string,
  work: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>,
): Promise<T> {
  const connection = await connect({ servers: url });
  try {
    return await work(await jetstreamManager(connection, { timeout: NATS_ANSWER_MS }));
  } finally {
    await connection.close();
  }
}

export async function withTemporal<T>(address: string, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}
