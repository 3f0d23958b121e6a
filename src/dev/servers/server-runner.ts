/** Keeps one server: starts it, starts it again on the same port and data, stops it, tells when it ends by itself. */
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './ports.ts';
import type { Log, Ports, ServerExit, ServerName } from './protocol.ts';
import type { PreparedServer, Server } from './server.ts';
import { launch, type ServerProcess, untilReady } from './server-process.ts';

export interface RunnerDeps {
  name: ServerName;
  make: PreparedServer;
  /** Changed in place where a port turns out to be taken after all. */
  ports: Ports;
  logFile: string;
  /** Called with the pid as soon as there is a process, with null when it has ended. */
  onPid: (pid: number | null) => void;
  onExit: (exit: ServerExit) => void;
  log: Log;
  signal: AbortSignal;
}

export interface ServerRunner {
  readonly pid: number | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
  restart(): Promise<void>;
}

interface Running {
  server: Server;
  process: ServerProcess;
}

const PORT_TAKEN = /address already in use|can't set .*port/i;
const OWN_PORTS = { temporal: ['temporal', 'temporal_ui'], nats: ['nats'], postgres: ['postgres'] } as const;
const TRIES = 3;
const TRANSIENT_FOR_MS = 30_000;
const TRANSIENT_PAUSE_MS = 200;

export function createServerRunner(deps: RunnerDeps): ServerRunner {
  let running: Running | null = null;
  let last: Promise<unknown> = Promise.resolve();

  /** One operation at a time, in the order in which they were asked for. */
  function inTurn(operation: () => Promise<void>): Promise<void> {
    const result = last.then(operation);
    last = result.catch(() => undefined);
    return result;
  }

  async function stop(): Promise<void> {
    if (!running) return;
    const { process, server } = running;
    running = null;
    await process.stop(server.stopSteps);
    deps.onPid(null);
  }

  async function start(mayMove: boolean): Promise<void> {
    await stop();
    const started = await startWithRetries(deps, mayMove);
    running = started;
    started.process.ended.then(({ code, signal }) => {
      if (running !== started) return;
      running = null;
      const { pid } = started.process;
      deps.onExit({ name: deps.name, pid, code, signal, log_tail: started.process.logTail() });
      deps.onPid(null);
    });
  }

  return {
    get pid() {
      return running?.process.pid;
    },
    start: () => inTurn(() => start(true)),
    stop: () => inTurn(stop),
    restart: () => inTurn(() => start(false)),
  };
}

async function startWithRetries(deps: RunnerDeps, mayMove: boolean): Promise<Running> {
  const deadline = Date.now() + TRANSIENT_FOR_MS;
  for (let attempt = 1; ; attempt += 1) {
    const server = deps.make(deps.ports);
    await server.beforeStart?.();
    const process = await launch(server.command, deps.logFile, deps.onPid);
    try {
      await untilReady(process, { port: server.port, probe: server.probe, signal: deps.signal });
      return { server, process };
    } catch (error) {
      await process.stop(server.stopSteps);
      deps.onPid(null);
      deps.signal.throwIfAborted();
      const tail = process.logTail();
      if (mayMove && attempt < TRIES && PORT_TAKEN.test(tail)) {
        await moveAway(deps);
      } else if (server.transient?.test(tail) && Date.now() < deadline) {
        await delay(TRANSIENT_PAUSE_MS, undefined, { signal: deps.signal });
      } else {
        throw startError(deps, error, tail);
      }
    }
  }
}

/** Somebody took a port between our look at it and the server's start. */
async function moveAway({ name, ports, log }: RunnerDeps): Promise<void> {
  for (const port of OWN_PORTS[name]) {
    const busy = ports[port];
    ports[port] = await freePort(Object.values(ports));
    log('the port was taken meanwhile, another one is used', { port_of: port, busy, used: ports[port] });
  }
}

function startError({ name, logFile }: RunnerDeps, cause: unknown, tail: string): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(`${name} did not start: ${reason}. Its last lines (${logFile}):\n${tail}`, { cause });
}
