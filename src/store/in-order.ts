/**
 * Rows in the order of their time, however few of many a filter picks: where an index has columns of few values before the
 * time, one scan of it for each combination of values, merged. What is read is what is answered, and one row more a scan.
 */

export interface InOrder {
  /** `SELECT … FROM …`, without WHERE; the order's columns stand in its list. */
  select: string;
  /** Conditions that always hold. */
  where: string[];
  /** For each column of few values the conditions, of which a row satisfies exactly one. */
  each: string[][];
  time: string;
  /** Breaks ties of time; need not be in the index. */
  key: string;
  direction: 'ASC' | 'DESC';
  /** A number, or a parameter. */
  limit: string;
}

export function inOrder({ select, where, each, time, key, direction, limit }: InOrder): string {
  // By time alone the index gives the order, so nothing is ever sorted that is not answered; the ties at the end come with it.
  const first = `ORDER BY ${time} ${direction} FETCH FIRST ${limit} ROWS WITH TIES`;
  const scans = combinations(each).map((conditions) => {
    const all = [...where, ...conditions];
    return `(${select} ${all.length > 0 ? `WHERE ${all.join(' AND ')}` : ''} ${first})`;
  });
  return `SELECT * FROM (${scans.join('\n    UNION ALL ')} ${scans.length > 1 ? first : ''}) AS first
           ORDER BY ${time} ${direction}, ${key} ${direction} LIMIT ${limit}`;
}

function combinations(each: string[][]): string[][] {
  return each.reduce<string[][]>(
    (before, values) => before.flatMap((conditions) => values.map((value) => [...conditions, value])),
    [[]],
  );
}

/** `status = 'failed'` and so on: for values that stand in the code. */
export const isEach = (column: string, values: readonly string[]): string[] =>
  values.map((value) => `${column} = '${value}'`);
