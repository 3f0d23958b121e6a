/** The servers of one state folder, from taking the folder to leaving it. */
import { join } from 'node:path';
import { natsUrl, prepareNats } from './nats-server.ts';
import { choosePorts } from './ports.ts';
import { databaseUrl, postgresPasswordFile, preparePostgres } from './postgres-server.ts';
import { record } from './process-identity.ts';
import {
  type Addresses,
  type ExternalServers,
  type InstanceOptions,
  type Log,
  type Ports,
  type Processes,
  SERVER_NAMES,
  type ServerExit,
  type ServerName,
} from './protocol.ts';
import type { PrepareDeps, PreparedServer } from './server.ts';
import { createServerRunner, type ServerRunner } from './server-runner.ts';
import { type InstanceRecord, readOrCreate, readPorts, writeInstance, writePorts } from './state-files.ts';
import { createStateFolder, holdStateFolder, leaveStateFolder } from './state-folder.ts';
import { prepareTemporal, temporalAddress, temporalUiUrl } from './temporal-server.ts';

export interface InstanceDeps {
  log: Log;
  onExit: (exit: ServerExit) => void;
  /** Aborted: starting stops. */
  signal: AbortSignal;
}

export interface Instance {
  addresses: Addresses;
  processes(): Processes;
  stop(name: ServerName): Promise<void>;
  restart(name: ServerName): Promise<void>;
  close(): Promise<void>;
}

type Runners = Partial<Record<ServerName, ServerRunner>>;

const PREPARE: Record<ServerName, (deps: PrepareDeps) => Promise<PreparedServer>> = {
  temporal: prepareTemporal,
  nats: prepareNats,
  postgres: preparePostgres,
};
const PORTS_OF: Record<ServerName, (keyof Ports)[]> = {
  temporal: ['temporal', 'temporal_ui'],
  nats: ['nats'],
  postgres: ['postgres'],
};

export async function openInstance(options: InstanceOptions, deps: InstanceDeps): Promise<Instance> {
  const { stateDir, ephemeral } = options;
  createStateFolder(stateDir);
  const lock = await holdStateFolder(stateDir, deps);
  const runners: Runners = {};

  async function close(): Promise<void> {
    const ends = await Promise.allSettled(Object.values(runners).map((runner) => runner.stop()));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
    await leaveStateFolder(stateDir, ephemeral);
    lock.release();
  }

  try {
    const ports = await startServers(options, deps, runners);
    return {
      addresses: addresses(options, ports),
      processes: () => ({ ...pids(runners), supervisor: process.pid }),
      stop: (name) => runnerOf(runners, name).stop(),
      restart: (name) => runnerOf(runners, name).restart(),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startServers(options: InstanceOptions, deps: InstanceDeps, runners: Runners): Promise<Ports> {
  const { stateDir } = options;
  const instance = newRecord(options);
  writeInstance(stateDir, instance);
  const names = SERVER_NAMES.filter((name) => externalOf(name, options.use) === undefined);
  const needed = names.flatMap((name) => PORTS_OF[name]);
  const wishes = { needed, wanted: options.ports, recorded: readPorts(stateDir) };
  const ports: Ports = { temporal: 0, temporal_ui: 0, nats: 0, postgres: 0 };
  Object.assign(ports, await choosePorts(wishes, deps.log));

  // One that fails stops the others from starting on.
  const failing = new AbortController();
  const signal = AbortSignal.any([deps.signal, failing.signal]);
  const start = async (name: ServerName) => {
    const make = await PREPARE[name]({ ...options, log: deps.log, signal });
    const onPid = (pid: number | null) => {
      instance.servers[name] = pid === null ? undefined : (record(pid) ?? undefined);
      writeInstance(stateDir, instance);
    };
    const logFile = join(stateDir, 'logs', `${name}.log`);
    const runner = createServerRunner({ ...deps, name, make, ports, logFile, onPid, signal });
    runners[name] = runner;
    signal.throwIfAborted();
    await runner.start();
    deps.log('started', { name, port: ports[name], pid: runner.pid });
  };
  let failure: unknown;
  const attempts = names.map((name) =>
    start(name).catch((error: unknown) => {
      failure ??= error;
      failing.abort();
    }),
  );
  await Promise.all(attempts);
  if (failure !== undefined) throw failure;
  writePorts(stateDir, {
    ...wishes.recorded,
    ...Object.fromEntries(needed.map((name) => [name, ports[name]])),
  });
  return ports;
}

function newRecord({ ownerPid }: InstanceOptions): InstanceRecord {
  const owner = record(ownerPid);
  const supervisor = record(process.pid);
  if (!owner || !supervisor) throw new Error('the process that asked for the servers is gone');
  return { owner, supervisor, servers: {} };
}

function externalOf(name: ServerName, use: ExternalServers): string | undefined {
  return { temporal: use.temporal_address, nats: use.nats_url, postgres: use.database_url }[name];
}

function addresses({ use, stateDir }: InstanceOptions, ports: Ports): Addresses {
  return {
    temporal_address: use.temporal_address ?? temporalAddress(ports),
    temporal_ui_url: use.temporal_address === undefined ? temporalUiUrl(ports) : null,
    nats_url: use.nats_url ?? natsUrl(ports.nats),
    database_url: use.database_url ?? databaseUrl(ports.postgres, readPassword(stateDir)),
  };
}

function readPassword(stateDir: string): string {
  return readOrCreate(postgresPasswordFile(stateDir), () => {
    throw new Error(`${postgresPasswordFile(stateDir)} is gone`);
  });
}

function pids(runners: Runners): Processes {
  const found: Processes = {};
  for (const name of SERVER_NAMES) {
    const pid = runners[name]?.pid;
    if (pid !== undefined) found[name] = pid;
  }
  return found;
}

function runnerOf(runners: Runners, name: ServerName): ServerRunner {
  const runner = runners[name];
  if (!runner) throw new Error(`${name} is an external server: it is neither started nor stopped here`);
  return runner;
}
