/** Plain SQL files, forward only: one transaction each, checksummed, under a lock (contract 6). */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Pool, type Queryable, transaction } from './pool.ts';

/** Any number that nobody else locks: the letters `actc`. */
export const MIGRATION_LOCK = 0x61637463;
const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;

interface Migration {
  version: number;
  name: string;
  sql: string;
  checksum: string;
}

/** Applied migrations cannot be edited, renamed, removed or slipped in between. Nothing was changed when this is thrown. */
export class MigrationError extends Error {
  readonly code = 'migration_refused';
}

/** Returns the names of the files it applied. Two at once are safe: the second waits, and finds nothing to do. */
export async function migrate(pool: Pool, directory: string): Promise<string[]> {
  const migrations = await readMigrations(directory);
  const applied: string[] = [];
  for (const migration of migrations) {
    const isNew = await transaction(pool, async (client) => {
      // The lock lives as long as the transaction: it works behind a transaction pooler too.
      await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
      await ensureLedger(client);
      const ledger = await readLedger(client);
      refuseDrift(ledger, migrations);
      if (ledger.has(migration.version)) return false;
      await client.query(migration.sql);
      await client.query('INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)', [
        migration.version,
        migration.name,
        migration.checksum,
      ]);
      return true;
    });
    if (isNew) applied.push(migration.name);
  }
  return applied;
}

/** Whether the database stands where the files say; `serve` refuses to start where it does not. */
export async function pendingMigrations(pool: Pool, directory: string): Promise<string[]> {
  const migrations = await readMigrations(directory);
  const { rows } = await pool.query("SELECT to_regclass('schema_migrations') AS ledger");
  const ledger = rows[0].ledger ? await readLedger(pool) : new Map();
  return migrations.filter((migration) => !ledger.has(migration.version)).map((migration) => migration.name);
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name, position) => {
      const version = Number(FILE_NAME.exec(name)?.[1]);
      if (version !== position + 1) {
        throw new MigrationError(
          `${join(directory, name)}: expected a name like ${String(position + 1).padStart(4, '0')}_what_it_does.sql`,
        );
      }
      const sql = await readFile(join(directory, name), 'utf8');
      return { version, name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

async function ensureLedger(client: Queryable): Promise<void> {
  await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`);
}

type Ledger = Map<number, { name: string; checksum: string }>;

async function readLedger(client: Queryable): Promise<Ledger> {
  const { rows } = await client.query(
    'SELECT version, name, checksum FROM schema_migrations ORDER BY version',
  );
  return new Map(rows.map((row) => [row.version, { name: row.name, checksum: row.checksum }]));
}

function refuseDrift(ledger: Ledger, migrations: Migration[]): void {
  for (const [version, row] of ledger) {
    const migration = migrations[version - 1];
    if (!migration) {
      throw new MigrationError(
        `the database has ${row.name}, which this version does not know; run the newer version`,
      );
    }
    if (migration.name !== row.name || migration.checksum !== row.checksum) {
      throw new MigrationError(
        `${migration.name} differs from ${row.name} as it was applied; restore the file and add a new migration`,
      );
    }
  }
}
