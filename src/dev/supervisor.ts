/**
 * Owns the embedded servers. Run as a child of the process that needs them; when that one is gone, however it ended,
 * the servers are stopped and the supervisor ends.
 */
import { type Instance, openInstance } from './servers/instance.ts';
import type {
  FromSupervisor,
  InstanceOptions,
  ServerExit,
  ServerName,
  ToSupervisor,
} from './servers/protocol.ts';

const OWNER_CHECK_MS = 1000;

function supervise(): void {
  const ending = new AbortController();
  const ownerPid = process.ppid;
  let opening: Promise<Instance> | null = null;

  async function start(options: InstanceOptions): Promise<void> {
    opening = openInstance(options, {
      log: (message, fields) => tell({ kind: 'log', message, ...(fields && { fields }) }),
      onExit: tellExit,
      signal: ending.signal,
    });
    try {
      const instance = await opening;
      tell({ kind: 'ready', addresses: instance.addresses, processes: instance.processes() });
    } catch (error) {
      opening = null;
      await tell({ kind: 'start_failed', message: messageOf(error) });
      await end();
    }
  }

  /** One that ends while others still start is told when these are ready; a start that fails is told as that. */
  function tellExit(exit: ServerExit): void {
    opened().then(
      (instance) => tell({ kind: 'exit', exit, processes: instance.processes() }),
      () => undefined,
    );
  }

  function opened(): Promise<Instance> {
    if (!opening) throw new Error('no servers were started');
    return opening;
  }

  async function control(id: number, action: 'stop' | 'restart', name: ServerName): Promise<void> {
    const instance = await opened();
    let error: string | null = null;
    try {
      await instance[action](name);
    } catch (cause) {
      error = messageOf(cause);
    }
    tell({ kind: 'done', id, processes: instance.processes(), error });
  }

  async function end(): Promise<void> {
    if (ending.signal.aborted) return;
    ending.abort();
    clearInterval(ownerCheck);
    let exitCode = 0;
    try {
      // One that is still starting stops by the signal, and cleans up itself.
      const instance = await opening?.catch(() => null);
      await instance?.close();
    } catch (error) {
      console.error(error);
      exitCode = 1;
    }
    process.exit(exitCode);
  }

  process.on('message', (message: ToSupervisor) => {
    if (message.kind === 'start') void start(message.options);
    else void control(message.id, message.action, message.name);
  });
  process.on('disconnect', end);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  process.on('SIGHUP', () => undefined);
  // A state folder that somebody removed under us, for one: the servers must not outlive us.
  process.on('uncaughtException', (error) => {
    console.error(error);
    void end();
  });
  const ownerCheck = setInterval(() => {
    if (process.ppid !== ownerPid) void end();
  }, OWNER_CHECK_MS);
}

/** An owner that is gone hears nothing; `disconnect` tells of that. */
function tell(message: FromSupervisor): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

supervise();
