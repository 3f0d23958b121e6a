/** The real service as a process of its own, so that a test can kill it: `src/main.ts serve`, with the flags of its first line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

/** For a whole start: it ends a test that would never pass, however slow the machine is. */
export const START_BOUND_MS = 280_000;

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface ServiceProcess extends AsyncDisposable {
  url: string;
  pid: number;
  /** SIGKILL: nothing is finished, nothing is told. */
  kill(): Promise<void>;
  stop(): Promise<number | null>;
  ready(): Promise<void>;
  log(): string;
}

export interface ServiceProcessOptions {
  environment: Record<string, string>;
  roles?: string;
  /** Of another tree than this one. */
  main?: string;
}

/** Resolves when the process listens; `ready()` waits for `/readyz`. */
export async function spawnService({
  environment,
  roles = 'worker,subscriber,api',
  main = MAIN,
}: ServiceProcessOptions): Promise<ServiceProcess> {
  const child = spawn(main, ['serve', '--roles', roles], {
    env: {
      PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
      HOME: process.env.HOME,
      ADMIN_PORT: '0',
      LOG_LEVEL: 'info',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  // A test that timed out never comes to its end: its service must not outlive the tests.
  const reap = () => child.kill('SIGKILL');
  process.once('exit', reap);
  child.once('exit', () => process.off('exit', reap));
  let log = '';
  child.stdout.on('data', (chunk) => {
    log += chunk;
  });
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const start = { boundMs: START_BOUND_MS, context: () => log };
  const url = await until(
    'the service listens',
    async () => {
      if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}:\n${log}`);
      return /"url":"(http:[^"]+)"/.exec(log)?.[1];
    },
    start,
  );
  return {
    url,
    pid: child.pid ?? 0,
    log: () => log,
    ready: async () => {
      await until('the service is ready', async () => (await fetch(`${url}/readyz`)).ok, start);
    },
    kill: () => end(child, ended, 'SIGKILL').then(() => undefined),
    stop: () => end(child, ended, 'SIGTERM'),
    async [Symbol.asyncDispose]() {
      await end(child, ended, 'SIGTERM');
    },
  };
}

async function end(
  child: ChildProcess,
  ended: Promise<unknown[]>,
  signal: NodeJS.Signals,
): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    await ended;
  }
  return child.exitCode;
}
