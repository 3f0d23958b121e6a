/** What is soaked: servers of its own, one service with all roles, and an issue-core stand-in. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { type IssueCoreStandIn, startIssueCoreStandIn } from '../../src/dev/stand-ins/issue-core.ts';
import { createPool, type Pool } from '../../src/store/pool.ts';
import { applyFolder } from '../setup/apply-folder.ts';
import { createTestDatabase } from '../setup/database.ts';
import { reviewCurrent, TOKEN } from '../setup/live-path.ts';
import type { OwnServers } from '../setup/own-servers.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { AT_FIRST, LIVE, TICKS, writeDeclared } from './definitions.ts';

export interface SoakSubject extends AsyncDisposable {
  definitionsDir: string;
  nats: NatsConnection;
  temporal: Client;
  issueCore: IssueCoreStandIn;
  /** The soak's own look at the service's database, under an application name of its own. */
  pool: Pool;
  service: ServiceProcess;
}

export async function openSoakSubject(ownServers: OwnServers): Promise<SoakSubject> {
  const stack = new AsyncDisposableStack();
  try {
    return await open(ownServers, stack);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function open({ servers, stateDir }: OwnServers, stack: AsyncDisposableStack): Promise<SoakSubject> {
  const issueCore = await startIssueCoreStandIn({ token: TOKEN });
  stack.defer(() => issueCore.close());
  const definitionsDir = join(stateDir, 'definitions');
  await mkdir(definitionsDir);
  await writeDeclared(definitionsDir, AT_FIRST);
  const database = stack.use(await createTestDatabase(servers.database_url));
  // Its last questions compare millions of rows.
  const settings = 'application_name=soak&options=-c%20work_mem%3D64MB';
  const pool = createPool(`${database.url}?${settings}`, pino({ level: 'silent' }), { max: 6 });
  stack.defer(() => pool.end());
  await applyFolder(pool, definitionsDir);
  for (const id of [LIVE, TICKS]) await reviewCurrent(pool, id);
  const nats = await connect({ servers: servers.nats_url });
  stack.defer(() => nats.close());
  const connection = Connection.lazy({
    address: servers.temporal_address,
    channelArgs: { 'grpc.enable_http_proxy': 0 },
  });
  stack.defer(() => connection.close());
  const service = stack.use(
    await spawnService({
      environment: {
        DATABASE_URL: database.url,
        NATS_URL: servers.nats_url,
        TEMPORAL_ADDRESS: servers.temporal_address,
        DEFINITIONS_DIR: definitionsDir,
        ISSUE_SINK_TYPE: 'issue-core',
        ISSUE_CORE_URL: issueCore.url,
        ISSUE_CORE_TOKEN: TOKEN,
      },
    }),
  );
  await service.ready();
  return {
    definitionsDir,
    nats,
    temporal: new Client({ connection }),
    issueCore,
    pool,
    service,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
