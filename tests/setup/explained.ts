/** What PostgreSQL reads for the statements of a pool: a count, which is the same on any machine however busy it is. */
import type { Pool } from '../../src/store/pool.ts';

export interface Reading {
  /** Of 8 KiB, those of indexes included, whether they were in memory or not. */
  blocks: number;
  /** Rows that scans gave or threw away. */
  rows: number;
  /** The statement and its plan, for whoever asks why. */
  statement: string;
}

interface Plan {
  'Node Type': string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Plan[];
}

type Query = (text: string | { text: string }, values?: unknown[], callback?: unknown) => Promise<unknown>;

/** Each reading statement of the pool and its transactions is explained too, where it stands. `take` gives what came up since. */
export function explainStatements(pool: Pool): { take(): Reading[] } {
  let readings: Reading[] = [];
  const watch = (target: { query: unknown }) => {
    const query = (target.query as Query).bind(target);
    const explained: Query = async (statement, values, ...callback) => {
      // With a callback it is the pool's own, of a statement that is explained already.
      if (callback.length > 0) return query(statement, values, ...callback);
      const text = typeof statement === 'string' ? statement : statement.text;
      if (/^\s*(SELECT|WITH)\b/i.test(text)) readings.push(await readingOf(query, text, values));
      return values === undefined ? query(statement) : query(statement, values);
    };
    Object.assign(target, { query: explained });
  };
  const watched = new WeakSet<object>();
  watch(pool);
  const connect = pool.connect.bind(pool);
  Object.assign(pool, {
    connect: async (callback?: Parameters<Pool['connect']>[0]) => {
      if (callback) return connect(callback);
      const client = await connect();
      if (!watched.has(client)) watch(client);
      watched.add(client);
      return client;
    },
  });
  return {
    take() {
      const taken = readings;
      readings = [];
      return taken;
    },
  };
}

async function readingOf(query: Query, text: string, values?: unknown[]): Promise<Reading> {
  const { rows } = (await query(
    `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${text}`,
    values ?? [],
  )) as {
    rows: { 'QUERY PLAN': { Plan: Plan }[] }[];
  };
  const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
  if (!plan) throw new Error(`no plan of ${text}`);
  return {
    blocks: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
    rows: rowsOf(plan),
    statement: `${text}\n${JSON.stringify(plan, null, 1)}`,
  };
}

function rowsOf(plan: Plan): number {
  const isScan =
    /Scan/.test(plan['Node Type']) && !/^(CTE|WorkTable|Subquery|Function)/.test(plan['Node Type']);
  const each =
    plan['Actual Rows'] +
    (plan['Rows Removed by Filter'] ?? 0) +
    (plan['Rows Removed by Index Recheck'] ?? 0);
  const below = (plan.Plans ?? []).reduce((sum, child) => sum + rowsOf(child), 0);
  return below + (isScan ? Math.round(each * plan['Actual Loops']) : 0);
}
