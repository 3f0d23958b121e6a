import type { Queryable } from './pool.ts';

/** Names of the schema, and one value. */
export interface DistinctQuery {
  table: string;
  /** Whose values are asked for. */
  column: string;
  of: string;
  equals: string;
  /** Of so many the least. */
  limit: number;
}

/** One step for each value, however many rows have it: an index begins with `of`, then `column`. */
export async function listDistinct(
  db: Queryable,
  { table, column, of, equals, limit }: DistinctQuery,
): Promise<string[]> {
  const next = (after: string) =>
    `(SELECT ${column} FROM ${table} WHERE ${of} = $1 ${after} ORDER BY ${column} LIMIT 1)`;
  const { rows } = await db.query(
    `WITH RECURSIVE found (value) AS (
       ${next('')}
       UNION ALL
       SELECT ${next(`AND ${column} > found.value`)} FROM found WHERE found.value IS NOT NULL)
     SELECT value FROM found WHERE value IS NOT NULL LIMIT $2`,
    [equals, limit],
  );
  return rows.map((row) => row.value);
}
