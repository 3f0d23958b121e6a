/** What is attacked: servers of the seed's own, two replicas of the service, and an issue-core that can be made to fail. */
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import type { Servers } from '../../src/dev/servers.ts';
import { type IssueCoreStandIn, startIssueCoreStandIn } from '../../src/dev/stand-ins/issue-core.ts';
import { migrate } from '../../src/store/migrate.ts';
import { createPool, type Pool } from '../../src/store/pool.ts';
import { applyFolder } from '../setup/apply-folder.ts';
import { reviewCurrent, TOKEN } from '../setup/live-path.ts';
import { startOwnServers } from '../setup/own-servers.ts';
import { post } from '../setup/schedule-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { LIVE, TICKS, writeDefinitions } from './definitions.ts';
import { type Process, REPLICAS } from './plan.ts';
import { rssOf } from './processes.ts';

export type Replica = (typeof REPLICAS)[number];

export interface Subjects extends AsyncDisposable {
  stateDir: string;
  servers: Servers;
  nats: NatsConnection;
  temporal: Client;
  issueCore: IssueCoreStandIn;
  /** The suite's own look at the service's database, under an application name of its own. */
  pool: Pool;
  pidOf(process: Process): number;
  replica(name: Replica): ServiceProcess;
  /** In the place of the one that was killed. */
  spawnReplica(name: Replica): Promise<void>;
  /** What all replicas of that name wrote, oldest first. */
  logOf(name: Replica): string;
  resident(): Record<Replica, number>;
}

const ISSUE_CORE_TIMEOUT_SECONDS = '1';

export async function openSubjects(): Promise<Subjects> {
  const stack = new AsyncDisposableStack();
  try {
    return await open(stack);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function open(stack: AsyncDisposableStack): Promise<Subjects> {
  const { servers, stateDir } = stack.use(await startOwnServers('chaos'));
  const issueCore = await startIssueCoreStandIn({ token: TOKEN });
  stack.defer(() => issueCore.close());
  // Within the servers' folder, which goes with them, also after a crash of this process.
  const definitionsDir = join(stateDir, 'definitions');
  await writeDefinitions(definitionsDir);
  const pool = createPool(`${servers.database_url}?application_name=chaos`, pino({ level: 'silent' }), {
    max: 4,
  });
  stack.defer(() => pool.end());
  await migrate(pool, 'migrations');
  await applyFolder(pool, definitionsDir);
  for (const id of [LIVE, TICKS]) await reviewCurrent(pool, id);
  const nats = await connect({ servers: servers.nats_url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  stack.defer(() => nats.close());
  const connection = Connection.lazy({
    address: servers.temporal_address,
    channelArgs: { 'grpc.enable_http_proxy': 0 },
  });
  stack.defer(() => connection.close());

  const replicas = new Map<Replica, ServiceProcess>();
  const earlierLogs = new Map<Replica, string>();
  stack.defer(async () => {
    await Promise.all([...replicas.values()].map((replica) => replica.stop()));
  });
  const replica = (name: Replica): ServiceProcess => {
    const service = replicas.get(name);
    if (!service) throw new Error(`${name} was never started`);
    return service;
  };
  const logOf = (name: Replica) => (earlierLogs.get(name) ?? '') + (replicas.get(name)?.log() ?? '');
  async function spawnReplica(name: Replica): Promise<void> {
    earlierLogs.set(name, logOf(name));
    replicas.delete(name);
    const service = await spawnService({
      environment: {
        DATABASE_URL: servers.database_url,
        NATS_URL: servers.nats_url,
        TEMPORAL_ADDRESS: servers.temporal_address,
        DEFINITIONS_DIR: definitionsDir,
        ISSUE_SINK_TYPE: 'issue-core',
        ISSUE_CORE_URL: issueCore.url,
        ISSUE_CORE_TOKEN: TOKEN,
        ISSUE_CORE_TIMEOUT_SECONDS,
      },
    });
    replicas.set(name, service);
  }
  await Promise.all(REPLICAS.map(spawnReplica));
  await Promise.all(REPLICAS.map((name) => replica(name).ready()));
  // The revisions are there; this makes the schedule.
  await post(replica('replica-1').url, '/plan/apply');
  return {
    stateDir,
    servers,
    nats,
    temporal: new Client({ connection }),
    issueCore,
    pool,
    pidOf(name) {
      const pid = name === 'replica-1' || name === 'replica-2' ? replica(name).pid : servers.processes[name];
      if (!pid) throw new Error(`${name} does not run`);
      return pid;
    },
    replica,
    spawnReplica,
    logOf,
    resident: () => ({
      'replica-1': rssOf(replica('replica-1').pid),
      'replica-2': rssOf(replica('replica-2').pid),
    }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
