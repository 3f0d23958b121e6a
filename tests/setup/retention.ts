/** What tests of retention share: time that passes by moving records back, and passes that anybody may begin. */
import { pino } from 'pino';
import { createDeleteExpired, type DeleteExpiredDeps } from '../../src/retention/delete-expired.ts';
import type { Pool } from '../../src/store/pool.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';

/** Everything that is on record happened so many days earlier, but for the passes themselves. */
export async function passDays(pool: Pool, days: number): Promise<void> {
  const { rows } = await pool.query(
    `SELECT table_name, array_agg(column_name::text) AS columns FROM information_schema.columns
      WHERE table_schema = 'public' AND data_type = 'timestamp with time zone'
        AND table_name NOT IN ('retention', 'schema_migrations') GROUP BY table_name`,
  );
  for (const { table_name, columns } of rows) {
    // Not a whole number of days: no tick lands on another that has not moved yet.
    const back = `- interval '${days} days 123 microseconds'`;
    const moved = columns.map((column: string) => `${column} = ${column} ${back}`);
    await pool.query(`UPDATE ${table_name} SET ${moved.join(', ')}`);
  }
}

export interface Retention {
  metrics: Metrics;
  /** What was logged, at level info and above. */
  logged: { level: number; msg: string; deleted?: Record<string, number> }[];
  /** One pass, whenever the last was. */
  pass(): Promise<boolean>;
  /** One look, as the timer would. */
  look(signal?: AbortSignal): Promise<boolean>;
}

export function createRetention(pool: Pool, overrides: Partial<DeleteExpiredDeps> = {}): Retention {
  const metrics = createMetrics();
  const logged: Retention['logged'] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const deps = { pool, retentionDays: 90, dedupeDays: 400, metrics, logger };
  const deleteExpired = createDeleteExpired({ ...deps, ...overrides });
  return {
    metrics,
    logged,
    pass: () => deleteExpired(new AbortController().signal, { evenIfNotDue: true }),
    look: (signal = new AbortController().signal) => deleteExpired(signal),
  };
}

/** By table, without those of which nothing was deleted. */
export async function deletedByTable(metrics: Metrics): Promise<Record<string, number>> {
  const { values } = await metrics.retentionDeleted.get();
  return Object.fromEntries(values.map(({ labels, value }) => [labels.table, value]));
}
