/** Does one act to the subjects and undoes it. Resolves, with what came of it, when it is undone. */
import { setTimeout as pause } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import { identify } from '../../src/dev/servers/process-identity.ts';
import { holdTable } from '../setup/hold-table.ts';

import { until } from '../setup/until.ts';
import type { Act, Misbehaviour, Process, Subject } from './plan.ts';
import { childrenOf } from './processes.ts';
import type { Replica, Subjects } from './subjects.ts';
import { resetSome, terminateSome } from './workflows.ts';

export function subjectsOf(act: Act): Subject[] {
  switch (act.kind) {
    case 'kill':
    case 'freeze':
      return act.processes;
    case 'hold_table':
    case 'fill_connections':
      return ['postgres'];
    case 'delete_consumer':
      return ['nats'];
    case 'terminate':
    case 'reset':
      return ['temporal'];
    case 'issue_core_fails':
      return ['issue-core'];
  }
}

/** `usual`: what issue-core is like without an act. */
export async function perform(act: Act, subjects: Subjects, usual: Misbehaviour): Promise<string> {
  switch (act.kind) {
    case 'kill':
      return kill(subjects, act.processes, act.for_ms);
    case 'freeze':
      return freeze(subjects, act.processes, act.for_ms);
    case 'hold_table':
      return hold(subjects, act.table, act.for_ms);
    case 'fill_connections':
      return fillConnections(subjects, act.for_ms);
    case 'delete_consumer':
      return deleteConsumer(subjects);
    case 'terminate':
      return terminateSome(subjects.temporal, act);
    case 'reset':
      return resetSome(subjects.temporal, act);
    case 'issue_core_fails':
      misbehave(subjects, act);
      await pause(act.for_ms);
      misbehave(subjects, usual);
      return `${act.faults.join(', ')} at ${act.rate} for ${act.for_ms} ms`;
  }
}

export function misbehave({ issueCore }: Subjects, { faults, rate, dice_seed }: Misbehaviour): void {
  issueCore.setFaults({ faults, rate, seed: dice_seed });
}

const isReplica = (name: Process): name is Replica => name === 'replica-1' || name === 'replica-2';

async function kill(subjects: Subjects, processes: Process[], downMs: number): Promise<string> {
  for (const name of processes) {
    if (identify(subjects.pidOf(name)) === null)
      throw new Error(`${name} was to be killed, and had ended by itself`);
    process.kill(subjects.pidOf(name), 'SIGKILL');
  }
  await pause(downMs);
  await Promise.all(
    processes.map((name) => (isReplica(name) ? subjects.spawnReplica(name) : subjects.servers.restart(name))),
  );
  return `down for ${downMs} ms`;
}

async function freeze(subjects: Subjects, processes: Process[], frozenMs: number): Promise<string> {
  const pids = processes.flatMap((name) => withBackends(name, subjects.pidOf(name)));
  for (const pid of pids) send(pid, 'SIGSTOP');
  await pause(frozenMs);
  for (const pid of pids) send(pid, 'SIGCONT');
  return `for ${frozenMs} ms`;
}

/** A postmaster that stands still stops none of its backends. */
const withBackends = (name: Process, pid: number): number[] =>
  name === 'postgres' ? [pid, ...childrenOf(pid)] : [pid];

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // A backend comes and goes.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whoever writes to the table waits, with a connection of its pool in hand. */
async function hold({ pool }: Subjects, table: string, heldMs: number): Promise<string> {
  // After an act that took them all, PostgreSQL may still be about to give them back.
  await until('PostgreSQL has a connection left', () =>
    pool.query('SELECT 1').then(
      () => true,
      () => false,
    ),
  );
  const held = await holdTable(pool, table);
  await pause(heldMs);
  await held.release();
  return `${table} for ${heldMs} ms`;
}

const MORE_THAN_ALLOWED = 300;
const AT_ONCE = 20;

async function fillConnections({ servers }: Subjects, heldMs: number): Promise<string> {
  const open: pg.Client[] = [];
  let isFull = false;
  while (!isFull && open.length < MORE_THAN_ALLOWED) {
    const clients = Array.from({ length: AT_ONCE }, () => newClient(servers.database_url));
    const tried = await Promise.allSettled(clients.map((client) => client.connect()));
    open.push(...clients.filter((_, place) => tried[place]?.status === 'fulfilled'));
    isFull = tried.some(({ status }) => status === 'rejected');
  }
  await pause(heldMs);
  await Promise.all(open.map((client) => client.end()));
  return `${open.length} connections for ${heldMs} ms${isFull ? ', PostgreSQL was full' : ''}`;
}

function newClient(connectionString: string): pg.Client {
  const client = new pg.Client({ connectionString, application_name: 'chaos' });
  // Without a listener, a connection that breaks ends the process; whoever waits for it is told as well.
  client.on('error', () => undefined);
  return client;
}

async function deleteConsumer({ nats }: Subjects): Promise<string> {
  return until('the consumer can be deleted', async () => {
    try {
      const manager = await jetstreamManager(nats);
      return (await manager.consumers.delete('ACTIVITY', 'activity-core')) && 'deleted';
    } catch (error) {
      return (error as { code?: number }).code === CONSUMER_NOT_FOUND && 'it was not there';
    }
  });
}

const CONSUMER_NOT_FOUND = 10_014;
