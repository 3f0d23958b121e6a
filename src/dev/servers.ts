/** Temporal, NATS and PostgreSQL as embedded servers, owned by a supervisor that sees this process gone. */
import { mkdir, realpath } from 'node:fs/promises';
import type {
  Addresses,
  ExternalServers,
  Log,
  Ports,
  Processes,
  ServerExit,
  ServerName,
} from './servers/protocol.ts';
import { createStateFolder } from './servers/state-folder.ts';
import { createSupervisorClient } from './servers/supervisor-client.ts';

export { defaultCacheDir } from './servers/binaries.ts';
export { DEFAULT_PORTS } from './servers/ports.ts';
export type { Addresses, ExternalServers, Log, Ports, Processes, ServerExit, ServerName };

export interface StartServersOptions {
  /** Created where it is not there. */
  stateDir: string;
  /** ACTIVITY_CORE_CACHE, else `defaultCacheDir()`. */
  cacheDir: string;
  /** PATH, in which `temporal`, `nats-server` and `go` are looked for. */
  path: string;
  use?: ExternalServers;
  /** A port that is given is preferred; 0 stands for any free one. */
  ports?: Partial<Ports>;
  /** The state folder is removed when the servers have stopped, also after a crash of this process. */
  ephemeral?: boolean;
  log: Log;
  /** A server ended although nobody stopped it. */
  onExit?: (exit: ServerExit) => void;
  /** Ends the start, which can take minutes where a server has to be built. */
  signal?: AbortSignal;
}

export interface Servers extends Addresses, AsyncDisposable {
  /** The pids by now; a server that is stopped has none, nor has an external one. */
  readonly processes: Processes;
  /** Resolves when a server, or the supervisor, first ends although nobody stopped it. */
  readonly failed: Promise<Error>;
  /** Leaves it down until `restart`. */
  stop(name: ServerName): Promise<void>;
  /** Starts it on the same port and data, whether it runs, was stopped or was killed. */
  restart(name: ServerName): Promise<void>;
  /** Stops all that was started. Idempotent. */
  close(): Promise<void>;
}

/** Throws where a living instance holds the state folder, where a server does not start, and when aborted. */
export async function startServers(options: StartServersOptions): Promise<Servers> {
  const { use = {}, ports = {}, ephemeral = false, cacheDir, path, log, signal } = options;
  signal?.throwIfAborted();
  await mkdir(options.stateDir, { recursive: true });
  const stateDir = await realpath(options.stateDir);
  createStateFolder(stateDir);

  const failed = Promise.withResolvers<Error>();
  const onExit = (exit: ServerExit) => {
    log('A SERVER HAS ENDED BY ITSELF', { ...exit });
    options.onExit?.(exit);
    failed.resolve(
      new Error(`${exit.name} has ended by itself (${exit.signal ?? `exit code ${exit.code}`})`),
    );
  };
  const instance = { stateDir, cacheDir, path, use, ports, ephemeral, ownerPid: process.pid };
  const supervisor = await createSupervisorClient(instance, { log, onExit });
  const abort = () => void supervisor.close();
  signal?.addEventListener('abort', abort);
  try {
    const addresses = await supervisor.start();
    return {
      ...addresses,
      get processes() {
        return supervisor.processes();
      },
      failed: failed.promise,
      stop: (name) => supervisor.control('stop', name),
      restart: (name) => supervisor.control('restart', name),
      close: supervisor.close,
      [Symbol.asyncDispose]: supervisor.close,
    };
  } catch (error) {
    await supervisor.close();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
