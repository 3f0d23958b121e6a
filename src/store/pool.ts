/** The connection pool, transactions, and how PostgreSQL's types arrive. Nothing here relies on session state. */
import pg from 'pg';
import type { Logger } from '../telemetry/logger.ts';

export type Pool = pg.Pool;
/** A pool or a client inside a transaction. */
export type Queryable = Pick<pg.Pool | pg.PoolClient, 'query'>;

const { builtins } = pg.types;

/** A server that vanished without a word is noticed after this long; a migration may take longer. */
export const QUERY_TIMEOUT_MS = 60_000;

export function createPool(
  databaseUrl: string,
  logger: Logger,
  { max = 10, queryTimeoutMs }: { max?: number; queryTimeoutMs?: number } = {},
): Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max,
    application_name: 'activity-core',
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Statements that need no answer of one another go out together.
    pipeline: true,
    ...(queryTimeoutMs ? { query_timeout: queryTimeoutMs } : {}),
    types: { getTypeParser },
  });
  // Without a listener, a server that goes away while a connection idles ends the process.
  pool.on('error', (error) => logger.warn({ err: error }, 'an idle PostgreSQL connection broke'));
  // While one is handed over, or used between two statements, the pool does not listen. Its next statement fails, and tells.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** Ends the transaction in one round trip with its last statements (`pipelined`), whatever they say; nothing may follow. */
export type EndTransaction = () => Promise<unknown>;

type Work<T> = (client: pg.PoolClient, end: EndTransaction) => Promise<T>;

/** Commits when the work is done, or earlier where the work says `end`. */
export function transaction<T>(pool: Pool, work: Work<T>): Promise<T> {
  return run(pool, work, 'COMMIT');
}

/** Does the work, gives its result, and undoes whatever it wrote. */
export function rehearsal<T>(pool: Pool, work: Work<T>): Promise<T> {
  return run(pool, work, 'ROLLBACK');
}

async function run<T>(pool: Pool, work: Work<T>, ending: 'COMMIT' | 'ROLLBACK'): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  let ended: Promise<unknown> | null = null;
  const end = () => {
    ended ??= client.query(ending);
    return ended;
  };
  try {
    // Waited for: what went out with a BEGIN that failed would be committed by itself.
    await client.query('BEGIN');
    const result = await work(client, end);
    await end();
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((rollbackError: Error) => {
      broken = rollbackError;
    });
    throw error;
  } finally {
    // A connection that could not roll back is not given to the next caller; nor, by the pool, one that broke.
    client.release(broken);
  }
}

/**
 * Statements of one transaction that need no answer of one another: PostgreSQL runs them in the order of the calls, one round
 * trip for all. All are over when this settles. The first fault is thrown: those after it only say that the transaction is aborted.
 */
export async function pipelined<T extends readonly unknown[]>(
  statements: readonly [...T],
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  const settled: PromiseSettledResult<unknown>[] = await Promise.allSettled(statements);
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
  return Promise.all(statements);
}

/** After `WITH`, and named in `FROM`: a statement of its own that a power cut may undo, and that waits for no disk. */
export const UNSYNCED = "unsynced AS (SELECT set_config('synchronous_commit', 'off', true))";

type Parser = (text: string) => unknown;

function getTypeParser(oid: number, format?: 'text' | 'binary'): Parser {
  if (format !== 'binary') {
    if (oid === builtins.INT8) return Number;
    if (oid === builtins.TIMESTAMPTZ) return rfc3339;
  }
  return pg.types.getTypeParser(oid, format) as Parser;
}

/** `2026-11-20 08:15:00.25+00` → `2026-11-20T08:15:00.25Z`, to the microsecond, which Date alone would lose. */
export function rfc3339(text: string): string {
  const [, date, time, fraction = '', offset = ''] = /^(\S+) ([\d:]+)(\.\d+)?([+-][\d:]+)$/.exec(text) ?? [];
  if (!date || !time) return text;
  if (offset === '+00') return `${date}T${time}${fraction}Z`;
  const seconds = new Date(`${date}T${time}${offset.length === 3 ? `${offset}:00` : offset}`);
  return Number.isNaN(seconds.getTime()) ? text : seconds.toISOString().replace('.000Z', `${fraction}Z`);
}

/** Recorded times are PostgreSQL's (contract). Of the moment, also inside a transaction. */
export async function readClock(db: Queryable): Promise<string> {
  const { rows } = await db.query('SELECT clock_timestamp() AS now');
  return rows[0].now;
}
