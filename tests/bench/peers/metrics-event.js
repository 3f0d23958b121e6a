/** The work, as everything in this bench does it: one field decides, and run and spec are rows. */
import pg from 'pg';

const DEFINITION = 'low-success-rate-review';

const TABLES = `
  CREATE TABLE IF NOT EXISTS runs (
    run_id text PRIMARY KEY, definition_id text NOT NULL, event_id text NOT NULL, status text NOT NULL,
    context jsonb NOT NULL, rules jsonb NOT NULL, started_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE IF NOT EXISTS specs (
    idempotency_key text PRIMARY KEY, run_id text NOT NULL, spec jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());`;

/** @param {{ id: string, attributes: { agent: string, project: string, summary: { success_rate: number } } }} event */
export function evaluate({ id, attributes }) {
  const { agent, project, summary } = attributes;
  const isLow = summary.success_rate < 0.8;
  const expression = 'context.metrics.summary.success_rate < 0.8';
  return {
    run: {
      run_id: `${DEFINITION}:${id}`,
      event_id: id,
      context: { metrics: attributes },
      rules: [{ rule_id: 'low-success-rate', expression, values: summary, result: isLow }],
    },
    spec: isLow
      ? {
          title: `Review ${agent} in ${project}`,
          description: `Success rate ${summary.success_rate}`,
          labels: ['kaizen', 'quality'],
          priority: 'medium',
          target_repo: project,
          dedupe_key: `low-success-rate:${project}:${agent}`,
        }
      : null,
  };
}

/** A step may be repeated after a crash, so its rows give way to those that are there. */
export async function openStore(databaseUrl) {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 20 });
  await pool.query(TABLES);
  return async function insert({ run, spec }) {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(
        `INSERT INTO runs (run_id, definition_id, event_id, status, context, rules)
         VALUES ($1, $2, $3, 'completed', $4, $5) ON CONFLICT DO NOTHING`,
        [run.run_id, DEFINITION, run.event_id, JSON.stringify(run.context), JSON.stringify(run.rules)],
      );
      if (spec)
        await client.query(
          'INSERT INTO specs (idempotency_key, run_id, spec) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
          [`${run.run_id}:low-success-rate`, run.run_id, JSON.stringify(spec)],
        );
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  };
}
