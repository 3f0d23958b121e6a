/** Keyset pagination, newest first: a page costs the same however deep it lies. */
import { isPoisonousRow } from './failure.ts';
import { inOrder } from './in-order.ts';
import type { Queryable } from './pool.ts';

export interface PageRequest {
  limit: number;
  cursor?: string | undefined;
}

export interface Page<Row> {
  items: Row[];
  next_cursor: string | null;
}

export interface PageQuery {
  /** `SELECT … FROM …`, without WHERE. */
  select: string;
  /** The time and the unique column that rows are ordered by, as they stand in the select list. */
  time: string;
  key: string;
  where: Condition[];
  /** What a key looks like; without it, a UUID or a hash. */
  keyPattern?: RegExp;
}

/** `{ sql: 'status = ?', value }`. Without a value it is left out, or holds for one of `each`: all that a row may have there. */
export interface Condition {
  sql: string;
  value: unknown;
  each?: readonly string[] | undefined;
}

const UUID_OR_HASH = /^[0-9a-f-]{36,64}$/;

export class InvalidCursorError extends Error {
  readonly code = 'invalid_cursor';

  constructor() {
    super('cursor: expected the next_cursor of an earlier answer');
  }
}

export async function readPage<Row extends object>(
  db: Queryable,
  query: PageQuery,
  request: PageRequest,
): Promise<Page<Row>> {
  const values: unknown[] = [];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const where: string[] = [];
  const each: string[][] = [];
  for (const condition of query.where) {
    const sqlOf = (value: unknown) => condition.sql.replace('?', parameter(value));
    if (condition.value !== undefined) where.push(sqlOf(condition.value));
    else if (condition.each) each.push(condition.each.map(sqlOf));
  }
  if (request.cursor) {
    const [time, key] = decodeCursor(request.cursor, query.keyPattern);
    where.push(`(${query.time}, ${query.key}) < (${parameter(time)}, ${parameter(key)})`);
  }
  if (each.some((values) => values.length === 0)) return { items: [], next_cursor: null };
  const { select, time, key } = query;
  const limit = parameter(request.limit + 1);
  const { rows } = await db
    .query(inOrder({ select, where, each, time, key, direction: 'DESC', limit }), values)
    .catch((error: unknown) => {
      // The filters were checked before: what PostgreSQL cannot read is a cursor of another list, or a made-up one.
      throw request.cursor && isPoisonousRow(error)
        ? Object.assign(new InvalidCursorError(), { cause: error })
        : error;
    });
  const items = rows.slice(0, request.limit) as Row[];
  const last = rows[request.limit - 1];
  return {
    items,
    next_cursor: rows.length > request.limit ? encodeCursor(last[time], last[key]) : null,
  };
}

export function encodeCursor(time: string, key: string): string {
  return Buffer.from(JSON.stringify([time, key])).toString('base64url');
}

/** @throws InvalidCursorError */
export function decodeCursor(cursor: string, keyPattern: RegExp = UUID_OR_HASH): [time: string, key: string] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch (error) {
    throw Object.assign(new InvalidCursorError(), { cause: error });
  }
  const [time, key] = Array.isArray(value) ? value : [];
  // Both end up as parameters of a comparison: a time or key that PostgreSQL cannot read would be its error, not the caller's.
  if (
    typeof time !== 'string' ||
    typeof key !== 'string' ||
    !/^\d{4}-\d\d-\d\dT[\d:.]{8,15}Z$/.test(time) ||
    !keyPattern.test(key)
  ) {
    throw new InvalidCursorError();
  }
  return [time, key];
}
