/** A folder of definitions, a database and a task queue of a test's own, planned and applied against the shared Temporal. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, type ScheduleDescription, type ScheduleHandle } from '@temporalio/client';
import { createResolvers } from '../../src/resolvers/registry.ts';
import type { Change } from '../../src/schedules/plan.ts';
import {
  applyPlannedFolder,
  type FolderDeps,
  type FolderPlan,
  planFolder,
} from '../../src/schedules/plan-folder.ts';
import { createTemporalSchedules } from '../../src/schedules/temporal-schedules.ts';
import { createSinkMode } from '../../src/sinks/sink-mode.ts';
import { createTestDatabase, type MigratedDatabase } from './database.ts';
import type { TestServers } from './servers.ts';

export interface PlanApply extends AsyncDisposable {
  client: Client;
  database: MigratedDatabase;
  folder: FolderDeps;
  taskQueue: string;
  /** `id` is made unique: schedules of all tests share a namespace. */
  id(name: string): string;
  declare(id: string, fields: object): Promise<void>;
  declareType(type: string, title: string): Promise<void>;
  remove(id: string): Promise<void>;
  plan(now?: number): Promise<FolderPlan>;
  /** Each change as `<action> <id without its suffix>`. */
  planned(): Promise<string[]>;
  apply(now?: number): Promise<FolderPlan>;
  schedule(id: string): ScheduleHandle;
  describe(id: string): Promise<ScheduleDescription>;
  /** The change of a definition, of an action where it has several. */
  changeOf(plan: FolderPlan, id: string, action?: string): Change;
}

export async function createPlanApply(servers: TestServers): Promise<PlanApply> {
  const database = await createTestDatabase(servers.database_url);
  const definitionsDir = await mkdtemp(join(tmpdir(), 'activity-core-plan-'));
  const connection = await Connection.connect({ address: servers.temporal_address });
  const client = new Client({ connection });
  const suffix = randomUUID().slice(0, 8);
  const taskQueue = `test-${suffix}`;
  const temporalSchedules = createTemporalSchedules({ client, taskQueue });
  const sinkMode = createSinkMode('null');
  const resolvers = createResolvers();
  const folder = { pool: database.servicePool, temporalSchedules, sinkMode, resolvers, definitionsDir };
  const ids = new Set<string>();
  const fileOf = (id: string) => join(definitionsDir, `${id}.yaml`);
  const schedule = (id: string) => client.schedule.getHandle(`activity-core:${id}`);
  const write = (file: string, document: object) => writeFile(file, JSON.stringify(document));
  return {
    client,
    database,
    folder,
    taskQueue,
    id(name) {
      const id = `${name}-${suffix}`;
      ids.add(id);
      return id;
    },
    declare: (id, fields) => write(fileOf(id), { id, title: 'On time', owner: 'tests', ...fields }),
    async declareType(type, title) {
      await mkdir(join(definitionsDir, 'event-types'), { recursive: true });
      const file = join(definitionsDir, 'event-types', `${type}.yaml`);
      await write(file, { type, title, owner: 'tests', attributes_schema: { type: 'object' } });
    },
    remove: (id) => rm(fileOf(id)),
    plan: (now = Date.now()) => planFolder(folder, now),
    async planned() {
      const { changes } = await planFolder(folder, Date.now());
      return changes.map(
        ({ action, definition_id }) => `${action} ${definition_id.replace(`-${suffix}`, '')}`,
      );
    },
    apply: (now = Date.now()) => applyPlannedFolder(folder, now),
    schedule,
    describe: (id) => schedule(id).describe(),
    changeOf({ changes }, id, action) {
      const found = changes.find(
        (change) => change.definition_id === id && (action === undefined || change.action === action),
      );
      if (!found) throw new Error(`no such change in ${JSON.stringify(changes)}`);
      return found;
    },
    async [Symbol.asyncDispose]() {
      for (const id of ids) await temporalSchedules.delete(id);
      await connection.close();
      await database[Symbol.asyncDispose]();
      await rm(definitionsDir, { recursive: true, force: true });
    },
  };
}

export const hourly = (schedule: object = {}) => ({
  trigger: { schedule: { cron: '15 * * * *', ...schedule } },
});
