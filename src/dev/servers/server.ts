/** What the supervisor has to know of a server to run it. */
import type { StopStep } from './process-identity.ts';
import type { Log, Ports, ServerName } from './protocol.ts';
import type { ServerCommand } from './server-process.ts';

export interface Server {
  name: ServerName;
  /** Open when the server is about to be ready. */
  port: number;
  command: ServerCommand;
  beforeStart?: () => Promise<void>;
  /** Throws as long as the server does not answer as it should. Also does what each start needs. */
  probe: () => Promise<void>;
  stopSteps: StopStep[];
  /** A start that fails with this in its log is worth another try. */
  transient?: RegExp;
}

/** What each server is prepared from: binaries and folders are made once, the rest when its ports are known. */
export interface PrepareDeps {
  stateDir: string;
  cacheDir: string;
  path: string;
  ephemeral: boolean;
  log: Log;
  signal: AbortSignal;
}

export type PreparedServer = (ports: Ports) => Server;
