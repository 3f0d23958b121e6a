/** A database of a test file's own, migrated, with a role that has the service's privileges alone; both are dropped at the end. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { pino } from 'pino';
import { migrate } from '../../src/store/migrate.ts';
import { createPool, type Pool } from '../../src/store/pool.ts';
import { grantServiceRole } from '../../src/store/service-role.ts';

export interface TestDatabase extends AsyncDisposable {
  /** As the owner, who may do anything. */
  url: string;
  pool: Pool;
}

export interface MigratedDatabase extends TestDatabase {
  /** As the service: what is tested works with these, what sets the stage with the owner's. */
  serviceUrl: string;
  servicePool: Pool;
}

const logger = pino({ level: 'silent' });

export async function createTestDatabase(serverUrl: string): Promise<MigratedDatabase> {
  const database = await createEmptyDatabase(serverUrl);
  await migrate(database.pool, 'migrations');
  const role = `service_${randomUUID().replaceAll('-', '')}`;
  await database.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD '${role}'`);
  await grantServiceRole(database.pool, role);
  const url = new URL(database.url);
  url.username = role;
  url.password = role;
  const servicePool = createPool(url.href, logger, { max: 5 });
  return {
    ...database,
    serviceUrl: url.href,
    servicePool,
    async [Symbol.asyncDispose]() {
      await servicePool.end();
      await database[Symbol.asyncDispose]();
      await asAdministrator(serverUrl, `DROP ROLE ${role}`);
    },
  };
}

export async function createEmptyDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await asAdministrator(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const pool = createPool(url.href, logger, { max: 5 });
  return {
    url: url.href,
    pool,
    async [Symbol.asyncDispose]() {
      await pool.end();
      await asAdministrator(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function asAdministrator(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
