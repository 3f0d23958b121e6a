/** The owner's side of the supervisor: spawns it, asks it, hears it, and cleans up after one that was killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  Addresses,
  FromSupervisor,
  InstanceOptions,
  Log,
  Processes,
  ServerExit,
  ServerName,
  ToSupervisor,
} from './protocol.ts';
import { readTail } from './server-process.ts';
import { readInstance } from './state-files.ts';
import { endServers, leaveStateFolder } from './state-folder.ts';

export interface SupervisorClientDeps {
  log: Log;
  onExit: (exit: ServerExit) => void;
}

export interface SupervisorClient {
  processes(): Processes;
  /** Resolves when the servers are ready. */
  start(): Promise<Addresses>;
  control(action: 'stop' | 'restart', name: ServerName): Promise<void>;
  /** Resolves when the supervisor and its servers are gone. Idempotent. */
  close(): Promise<void>;
}

/** More than all the supervisor's own bounds together. */
const CLOSED_WITHIN_MS = 60_000;

export async function createSupervisorClient(
  instance: InstanceOptions,
  deps: SupervisorClientDeps,
): Promise<SupervisorClient> {
  const { stateDir, ephemeral } = instance;
  const logFile = join(stateDir, 'logs', 'supervisor.log');
  const supervisor = await spawnSupervisor(logFile);
  const ready = Promise.withResolvers<Addresses>();
  const ended = Promise.withResolvers<void>();
  const waiting = new Map<number, (error: string | null) => void>();
  let processes: Processes = {};
  let lastId = 0;
  let endIsExpected = false;
  let closing: Promise<void> | null = null;
  // `start` and `close` hand these on; until one of them is called, a rejection is nobody's yet.
  for (const promise of [ready.promise, ended.promise]) promise.catch(() => undefined);

  function hear(message: FromSupervisor): void {
    if ('processes' in message) processes = message.processes;
    if (message.kind === 'log') deps.log(message.message, message.fields);
    else if (message.kind === 'ready') ready.resolve(message.addresses);
    else if (message.kind === 'done') waiting.get(message.id)?.(message.error);
    else if (message.kind === 'exit') deps.onExit(message.exit);
    else {
      endIsExpected = true;
      ready.reject(new Error(message.message));
    }
  }

  async function supervisorEnded(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    processes = {};
    const log_tail = endIsExpected ? '' : readTail(logFile);
    const reason = `the supervisor has ended (${signal ?? `exit code ${code}`}) ${log_tail}`.trimEnd();
    ready.reject(new Error(reason));
    for (const answer of waiting.values()) answer(reason);
    if (!endIsExpected) deps.onExit({ name: 'supervisor', pid: supervisor.pid ?? 0, code, signal, log_tail });
    await endOrphans();
  }

  /** A supervisor that is killed leaves its servers; none of them is of use without it. */
  async function endOrphans(): Promise<void> {
    const left = readInstance(stateDir);
    if (!left || left.supervisor.pid !== supervisor.pid) return;
    await endServers(left, deps.log);
    await leaveStateFolder(stateDir, ephemeral);
  }

  async function end(): Promise<void> {
    endIsExpected = true;
    if (supervisor.connected) supervisor.disconnect();
    const bound = new AbortController();
    delay(CLOSED_WITHIN_MS, undefined, { signal: bound.signal }).then(
      () => supervisor.kill('SIGKILL'),
      () => undefined,
    );
    try {
      await ended.promise;
    } finally {
      bound.abort();
    }
  }

  supervisor.on('message', (message) => hear(message as FromSupervisor));
  supervisor.on('error', (error) => deps.log('the supervisor cannot be reached', { error: error.message }));
  supervisor.once('exit', (code, signal) => {
    supervisorEnded(code, signal).then(ended.resolve, ended.reject);
  });

  return {
    processes: () => processes,
    async start() {
      await send(supervisor, { kind: 'start', options: instance });
      return ready.promise;
    },
    async control(action, name) {
      lastId += 1;
      const id = lastId;
      const answer = new Promise<string | null>((resolve) => waiting.set(id, resolve));
      await send(supervisor, { kind: 'control', id, action, name });
      const error = await answer;
      waiting.delete(id);
      if (error !== null) throw new Error(error);
    },
    close() {
      closing ??= end();
      return closing;
    },
  };
}

async function spawnSupervisor(logFile: string): Promise<ChildProcess> {
  const log = openSync(logFile, 'a', 0o600);
  try {
    // Detached: Ctrl-C in the terminal is for the service, which stops the servers last.
    const child = spawn(process.execPath, [join(dirname(import.meta.dirname), 'supervisor.ts')], {
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    });
    await once(child, 'spawn');
    return child;
  } finally {
    closeSync(log);
  }
}

function send(supervisor: ChildProcess, message: ToSupervisor): Promise<void> {
  return new Promise((resolve, reject) => {
    supervisor.send(message, (error) => (error ? reject(error) : resolve()));
  });
}
