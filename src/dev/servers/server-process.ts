/** One server's process: launched with its output in a log file, awaited until ready, stopped in bounded time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { StopStep } from './process-identity.ts';

export interface ServerCommand {
  file: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
  uid?: number;
  gid?: number;
}

export interface ProcessEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ServerProcess {
  pid: number;
  ended: Promise<ProcessEnd>;
  /** Sends one signal after the other until the process has ended. */
  stop(steps: StopStep[]): Promise<void>;
  /** The last lines that it wrote. */
  logTail(): string;
}

export interface Readiness {
  port: number;
  /** Throws as long as the server does not answer as it should. */
  probe: () => Promise<void>;
  signal: AbortSignal;
}

const READY_WITHIN_MS = 120_000;
const POLL_MS = 40;
const TAIL_BYTES = 4096;
const TAIL_LINES = 15;
const LOG_MAX_BYTES = 32 * 1024 * 1024;

/** `onPid` is called before anything else can happen, so that a crash of ours leaves no unrecorded process. */
export async function launch(
  command: ServerCommand,
  logFile: string,
  onPid: (pid: number) => void,
): Promise<ServerProcess> {
  const { file, args, ...options } = command;
  const log = openLog(logFile);
  // A group of its own: Ctrl-C in the terminal must not reach the server before the service has stopped.
  const child = spawn(file, args, { ...options, detached: true, stdio: ['ignore', log.fd, log.fd] });
  closeSync(log.fd);
  if (child.pid === undefined) {
    const [error]: Error[] = await once(child, 'error');
    throw new Error(`${file} cannot be started: ${error?.message}`, { cause: error });
  }
  onPid(child.pid);
  let hasEnded = false;
  const ended = once(child, 'exit').then(([code, signal]): ProcessEnd => {
    hasEnded = true;
    return { code, signal };
  });
  return {
    pid: child.pid,
    ended,
    async stop(steps) {
      for (const { signal, waitMs } of steps) {
        if (hasEnded) return;
        child.kill(signal);
        const waiting = new AbortController();
        const bound = delay(waitMs, undefined, { signal: waiting.signal }).catch(ignoreAbort);
        await Promise.race([ended, bound]);
        waiting.abort();
      }
      if (!hasEnded) throw new Error(`process ${child.pid} does not end, not even after SIGKILL`);
    },
    logTail: () => readTail(logFile, log.offset),
  };
}

/** Rejects when the process ends, when time is up, or when the signal is aborted. */
export async function untilReady(server: ServerProcess, { port, probe, signal }: Readiness): Promise<void> {
  const over = new AbortController();
  const stopped = AbortSignal.any([signal, over.signal]);
  const early = server.ended.then(({ code, signal: by }) => {
    throw new Error(`it ended (${by ?? `exit code ${code}`}) before it was ready`);
  });
  try {
    await Promise.race([early, poll(port, probe, stopped)]);
  } finally {
    over.abort();
  }
}

async function poll(port: number, probe: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  let reason: unknown = `nothing listens on port ${port}`;
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    // Clients back off after a refused connection: none is made before the port is open.
    if (await accepts(port)) {
      try {
        return await probe();
      } catch (error) {
        reason = error;
      }
    }
    await delay(POLL_MS, undefined, { signal });
  }
  throw new Error(`it is not ready after ${READY_WITHIN_MS / 1000} s: ${reason}`, { cause: reason });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const answer = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}

function openLog(file: string): { fd: number; offset: number } {
  const fd = openSync(file, 'a', 0o600);
  if (fstatSync(fd).size > LOG_MAX_BYTES) ftruncateSync(fd);
  return { fd, offset: fstatSync(fd).size };
}

/** Empty where the file is gone: why a server ended is told also without it. */
export function readTail(file: string, offset = 0): string {
  if (!existsSync(file)) return '';
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const from = Math.max(offset, size - TAIL_BYTES);
    const bytes = Buffer.alloc(Math.max(0, size - from));
    readSync(fd, bytes, 0, bytes.length, from);
    return bytes.toString('utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
  } finally {
    closeSync(fd);
  }
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error;
}
