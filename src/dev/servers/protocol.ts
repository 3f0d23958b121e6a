/**
 * What the service's process and the supervisor say to each other over IPC, and the types that both share.
 *
 * Glossary
 *   owner       the process that asked for the servers: the service, or the test run
 *   supervisor  its child; the servers are children of the supervisor
 *   instance    one supervisor with its servers on one state folder
 */
export const SERVER_NAMES = ['temporal', 'nats', 'postgres'] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

export type Log = (message: string, fields?: Record<string, unknown>) => void;

/** Loopback TCP ports. */
export interface Ports {
  temporal: number;
  temporal_ui: number;
  nats: number;
  postgres: number;
}

/** Servers that are there already: each one that is given is used and not started. */
export interface ExternalServers {
  temporal_address?: string | undefined;
  nats_url?: string | undefined;
  database_url?: string | undefined;
}

export interface InstanceOptions {
  stateDir: string;
  /** Where built and unpacked binaries are kept, by version and platform. */
  cacheDir: string;
  /** The PATH in which `temporal`, `nats-server` and `go` are looked for. */
  path: string;
  use: ExternalServers;
  /** A port that is given is preferred; 0 stands for any free one. */
  ports: Partial<Ports>;
  /** The state folder is removed when the servers have stopped. */
  ephemeral: boolean;
  ownerPid: number;
}

export interface Addresses {
  temporal_address: string;
  /** Null where Temporal is an external one. */
  temporal_ui_url: string | null;
  nats_url: string;
  database_url: string;
}

export type Processes = Partial<Record<ServerName | 'supervisor', number>>;

/** A server that ended although nobody stopped it. */
export interface ServerExit {
  name: ServerName | 'supervisor';
  pid: number;
  code: number | null;
  signal: string | null;
  log_tail: string;
}

/** To close, the owner disconnects: a wish to stop and a crash are the same thing to the supervisor. */
export type ToSupervisor =
  | { kind: 'start'; options: InstanceOptions }
  | { kind: 'control'; id: number; action: 'stop' | 'restart'; name: ServerName };

export type FromSupervisor =
  | { kind: 'log'; message: string; fields?: Record<string, unknown> }
  | { kind: 'ready'; addresses: Addresses; processes: Processes }
  | { kind: 'start_failed'; message: string }
  | { kind: 'done'; id: number; processes: Processes; error: string | null }
  | { kind: 'exit'; exit: ServerExit; processes: Processes };
