/** The state folder: held by one instance at a time, freed of what a crash left on it. */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileLock, lockFile } from './file-lock.ts';
import { NATS_STOP } from './nats-server.ts';
import { POSTGRES_STOP, postgresPointer } from './postgres-server.ts';
import { endProcess, isRunning, type StopStep } from './process-identity.ts';
import { type Log, SERVER_NAMES, type ServerName } from './protocol.ts';
import { removeStandIn } from './reachable-folder.ts';
import { type InstanceRecord, instanceFile, readInstance } from './state-files.ts';
import { TEMPORAL_STOP } from './temporal-server.ts';

const STOP_STEPS: Record<ServerName, StopStep[]> = {
  temporal: TEMPORAL_STOP,
  nats: NATS_STOP,
  postgres: POSTGRES_STOP,
};
/** As long as an instance may take to stop after its owner is gone. */
const FREED_WITHIN_MS = 60_000;

export function createStateFolder(stateDir: string): void {
  mkdirSync(join(stateDir, 'logs'), { recursive: true, mode: 0o700 });
  // PostgreSQL's unprivileged user must pass through; it can list nothing.
  if (process.getuid?.() === 0) chmodSync(stateDir, statSync(stateDir).mode | 0o011);
}

export interface HoldDeps {
  log: Log;
  signal: AbortSignal;
}

/** Throws where a living instance holds the folder; waits for one whose owner is gone. */
export async function holdStateFolder(stateDir: string, { log, signal }: HoldDeps): Promise<FileLock> {
  const deadline = Date.now() + FREED_WITHIN_MS;
  let waiting = false;
  const whileHeld = () => {
    const holder = readInstance(stateDir);
    if (holder && isRunning(holder.owner) && isRunning(holder.supervisor)) {
      throw new Error(
        `${stateDir} is in use by process ${holder.owner.pid}: stop it, or take another state folder`,
      );
    }
    if (Date.now() > deadline)
      throw new Error(`${stateDir} is in use by a process that is not recorded there`);
    if (!waiting) log('an earlier instance is still stopping, waiting for it', { state_dir: stateDir });
    waiting = true;
  };
  const lock = await lockFile(join(stateDir, 'instance.lock'), { signal, whileHeld });
  try {
    const left = readInstance(stateDir);
    if (left) await endServers(left, log);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Ends those recorded servers that still run. */
export async function endServers({ servers }: InstanceRecord, log: Log): Promise<void> {
  await Promise.all(
    SERVER_NAMES.map(async (name) => {
      const left = servers[name];
      if (!left || !isRunning(left)) return;
      log('ending a server that an earlier instance left', { name, pid: left.pid });
      await endProcess(left, STOP_STEPS[name]);
    }),
  );
}

/** At a clean stop. An ephemeral folder goes with all that is in it, and with what stands outside for it. */
export async function leaveStateFolder(stateDir: string, ephemeral: boolean): Promise<void> {
  await rm(instanceFile(stateDir), { force: true });
  if (!ephemeral) return;
  await removeStandIn(postgresPointer(stateDir));
  await rm(stateDir, { recursive: true, force: true });
}
