import type { Queryable } from './pool.ts';

/** In names and conditions of the schema. */
export interface DistinctQuery {
  table: string;
  /** Whose values are asked for. */
  column: string;
  /** An index holds for it alone, or begins with its column, and goes on with `column`. */
  where: string;
  /** What `$1`, `$2`, … stand for in `where`. */
  values?: unknown[];
  /** Of so many the least; without it, all. */
  limit?: number;
}

/** One step in the index for each value, however many rows have it. */
export async function listDistinct(
  db: Queryable,
  { table, column, where, values = [], limit }: DistinctQuery,
): Promise<string[]> {
  const next = (after: string) =>
    `(SELECT ${column} FROM ${table} WHERE ${where} ${after} ORDER BY ${column} LIMIT 1)`;
  const { rows } = await db.query(
    `WITH RECURSIVE found (value) AS (
       ${next('')}
       UNION ALL
       SELECT ${next(`AND ${column} > found.value`)} FROM found WHERE found.value IS NOT NULL)
     SELECT value FROM found WHERE value IS NOT NULL LIMIT $${values.length + 1}`,
    [...values, limit ?? null],
  );
  return rows.map((row) => row.value);
}
