/** What is measured: the whole service as a process of its own, and ways to feed and to watch it. */
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { pino } from 'pino';
import type { Servers } from '../../src/dev/servers.ts';
import { countOpenDispatches } from '../../src/store/dispatches.ts';
import { migrate } from '../../src/store/migrate.ts';
import { createPool, type Pool } from '../../src/store/pool.ts';
import { applyFolder } from '../setup/apply-folder.ts';
import { spawnService } from '../setup/service-process.ts';

export interface Subject extends AsyncDisposable {
  pool: Pool;
  nats: NatsConnection;
  publish(id: string, successRate: number): Promise<unknown>;
  /** All is acknowledged and every dispatch closed. Cheap to ask: it must not compete with what is measured. */
  isIdle(): Promise<boolean>;
  countRuns(): Promise<number>;
}

export async function openSubject(servers: Servers): Promise<Subject> {
  const pool = createPool(servers.database_url, pino({ level: 'silent' }), { max: 3 });
  await migrate(pool, 'migrations');
  await applyFolder(pool, 'definitions');
  const { database_url, nats_url, temporal_address } = servers;
  const environment = {
    DATABASE_URL: database_url,
    NATS_URL: nats_url,
    TEMPORAL_ADDRESS: temporal_address,
    LOG_LEVEL: 'info',
  };
  const service = await spawnService({ environment });
  await service.ready();
  const nats = await connect({ servers: nats_url });
  const js = jetstream(nats);
  const manager = await jetstreamManager(nats);
  return {
    pool,
    nats,
    publish(id, successRate) {
      const attributes = {
        agent: 'coach',
        project: 'kaizen-agentic',
        summary: { success_rate: successRate },
      };
      const event = {
        id,
        type: 'kaizen.metrics.recorded',
        source: 'bench',
        time: new Date().toISOString(),
        attributes,
      };
      return js.publish('activity.kaizen.metrics.recorded', JSON.stringify(event));
    },
    async isIdle() {
      if ((await manager.streams.info('ACTIVITY')).state.messages > 0) return false;
      return (await countOpenDispatches(pool)) === 0;
    },
    async countRuns() {
      return (await pool.query('SELECT count(*) AS n FROM activity_runs')).rows[0].n;
    },
    async [Symbol.asyncDispose]() {
      await nats.close();
      await service.stop();
      await pool.end();
    },
  };
}
