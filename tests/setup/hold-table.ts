/** Stops whoever wants to write to a table, at exactly that point, until released: how a test kills between two steps. */
import type { Pool } from '../../src/store/pool.ts';
import { until } from './until.ts';

export interface HeldTable {
  /** Resolves when somebody waits for the table. */
  reached(): Promise<void>;
  release(): Promise<void>;
}

export async function holdTable(pool: Pool, table: string): Promise<HeldTable> {
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query(`LOCK TABLE ${table} IN EXCLUSIVE MODE`);
  return {
    async reached() {
      await until(`somebody waits for ${table}`, async () => {
        const { rows } = await client.query(
          'SELECT 1 FROM pg_locks WHERE relation = $1::regclass AND NOT granted',
          [table],
        );
        return rows.length > 0;
      });
    },
    async release() {
      await client.query('ROLLBACK');
      client.release();
    },
  };
}
