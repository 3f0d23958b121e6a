import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { MigrationError, migrate, pendingMigrations } from '../../src/store/migrate.ts';
import { createPool, type Pool } from '../../src/store/pool.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../setup/database.ts';

let folder: string;
let database: TestDatabase;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'activity-core-migrations-'));
  await cp('migrations', folder, { recursive: true });
  database = await createEmptyDatabase(inject('servers').database_url);
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** The committed ones, in order; `next` is the number of one more. */
const committed = (await readdir('migrations')).sort();
const next = String(committed.length + 1).padStart(4, '0');

test('two migrations at once apply each file once', async () => {
  const other = createPool(database.url, pino({ level: 'silent' }), { max: 2 });
  const applied = await Promise.all([migrate(database.pool, folder), migrate(other, folder)]);
  await other.end();
  expect(applied.flat().sort()).toEqual(committed);
  expect(await pendingMigrations(database.pool, folder)).toEqual([]);
});

test('a migration that fails leaves nothing of itself behind', async () => {
  const broken = join(folder, `${next}_broken.sql`);
  await writeFile(broken, 'CREATE TABLE half (id int);\nSELECT 1 / 0;\n');
  await expect(migrate(database.pool, folder)).rejects.toThrow('division by zero');
  expect(await columnsOf(database.pool, 'half')).toEqual([]);
  expect(await pendingMigrations(database.pool, folder)).toEqual([`${next}_broken.sql`]);
  await rm(broken);
});

test('a file that was edited after it was applied is refused before anything changes', async () => {
  const edited = await mkdtemp(join(tmpdir(), 'activity-core-migrations-'));
  await cp('migrations', edited, { recursive: true });
  await writeFile(join(edited, '0001_event_path.sql'), 'SELECT 1;');
  await expect(migrate(database.pool, edited)).rejects.toThrow(
    /0001_event_path.sql differs from .* restore the file/,
  );
  await rm(edited, { recursive: true });
});

test('a database that a newer version migrated is refused', async () => {
  await database.pool.query(
    `INSERT INTO schema_migrations (version, name, checksum) VALUES (${next}, '${next}_later.sql', 'x')`,
  );
  await expect(migrate(database.pool, folder)).rejects.toThrow(MigrationError);
  await database.pool.query(`DELETE FROM schema_migrations WHERE version = ${next}`);
});

test('columns are not added behind a long reader, where everybody would queue up: it gives up, and goes through later', async () => {
  await using fresh = await createEmptyDatabase(inject('servers').database_url);
  const earlier = await mkdtemp(join(tmpdir(), 'activity-core-migrations-'));
  for (const name of committed.filter((one) => one < '0011'))
    await cp(join('migrations', name), join(earlier, name));
  await migrate(fresh.pool, earlier);
  await rm(earlier, { recursive: true });
  const reader = await fresh.pool.connect();
  await reader.query('BEGIN');
  await reader.query('SELECT FROM activity_runs');
  await expect(migrate(fresh.pool, 'migrations')).rejects.toMatchObject({ code: '55P03' });
  expect(await columnsOf(fresh.pool, 'events')).not.toContain('traceparent');
  await reader.query('ROLLBACK');
  reader.release();
  expect(await migrate(fresh.pool, 'migrations')).toEqual(committed.filter((name) => name >= '0011'));
  expect(await columnsOf(fresh.pool, 'events')).toContain('traceparent');
});

test('the committed schema is what the migrations give', async () => {
  await using fresh = await createTestDatabase(inject('servers').database_url);
  await expect(await describeSchema(fresh.pool)).toMatchFileSnapshot('../../docs/schema/postgres.txt');
});

async function columnsOf(pool: Pool, table: string): Promise<string[]> {
  const { rows } = await pool.query(
    'SELECT column_name FROM information_schema.columns WHERE table_name = $1',
    [table],
  );
  return rows.map((row) => row.column_name);
}

/** Tables with their columns, constraints and indexes, in one order on every machine. */
async function describeSchema(pool: Pool): Promise<string> {
  const { rows } = await pool.query(`
    SELECT c.relname AS name,
           (SELECT string_agg(format('  %s %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                              CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
                              coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')), E'\\n' ORDER BY a.attnum)
              FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
           (SELECT string_agg('  ' || conname || ' ' || pg_get_constraintdef(oid), E'\\n' ORDER BY conname)
              FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'n') AS constraints,
           (SELECT string_agg('  ' || indexdef, E'\\n' ORDER BY indexdef)
              FROM pg_indexes WHERE schemaname = 'public' AND tablename = c.relname) AS indexes
      FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY c.relname`);
  return `${rows.map(({ name, columns, constraints, indexes }) => [name, columns, constraints, indexes].filter(Boolean).join('\n')).join('\n\n')}\n`;
}
