/** The queue of each definition whose dispatches are alone: `dispatches` with `queued_at`, oldest first. */
import { listDistinct } from './distinct-values.ts';
import { type Pool, pipelined, type Queryable, transaction } from './pool.ts';

/** So many dispatches of a definition that are alone are at work at one time; those after them are queued. */
export const MAX_ALONE = 16;

const IS_QUEUED = 'queued_at IS NOT NULL AND closed_at IS NULL AND prepared_at IS NULL';

/**
 * Those whose turn it is now, oldest first: from the commit on they are to be started, as any dispatch. Exact with several
 * replicas: of one definition, one takes at a time, and sees what the one before has taken.
 */
export async function takeQueued(pool: Pool, definitionIds: readonly string[]): Promise<string[]> {
  if (definitionIds.length === 0) return [];
  // Everybody locks in one order.
  const ids = [...new Set(definitionIds)].sort();
  return transaction(pool, async (client) => {
    // Two statements, sent together: what the second one sees is of after the lock.
    const [, taken] = await pipelined([lockQueues(client, ids), unqueue(client, ids)]);
    return taken;
  });
}

async function lockQueues(client: Queryable, definitionIds: string[]): Promise<void> {
  await client.query(
    `SELECT pg_advisory_xact_lock(hashtextextended('queue ' || definition_id, 0)) FROM unnest($1::text[]) AS definition_id`,
    [definitionIds],
  );
}

async function unqueue(client: Queryable, definitionIds: string[]): Promise<string[]> {
  // Materialized: joined to in another way, the limited rows might be looked for more than once.
  const { rows } = await client.query(
    `WITH next AS MATERIALIZED (
       SELECT first.dispatch_id, first.queued_at
         FROM unnest($1::text[]) AS queue (definition_id)
        CROSS JOIN LATERAL (
          SELECT dispatch_id, queued_at FROM dispatches
           WHERE definition_ids[1] = queue.definition_id
             AND ${IS_QUEUED}
           ORDER BY queued_at
           LIMIT greatest(0, $2 - (
             SELECT count(*) FROM dispatches
              WHERE definition_ids[1] = queue.definition_id
                AND alone AND queued_at IS NULL AND closed_at IS NULL AND prepared_at IS NULL))) AS first),
     taken AS (
       UPDATE dispatches AS d SET queued_at = NULL, checked_at = now() FROM next
        WHERE d.dispatch_id = next.dispatch_id
       RETURNING d.dispatch_id, next.queued_at)
     SELECT dispatch_id FROM taken ORDER BY queued_at`,
    [definitionIds, MAX_ALONE],
  );
  return rows.map((row) => row.dispatch_id);
}

/** The definitions of which some wait. */
export const listQueues = (db: Queryable): Promise<string[]> =>
  listDistinct(db, { table: 'dispatches', column: 'definition_ids[1]', where: IS_QUEUED });

/** How many wait, for each definition of which some do. */
export async function countQueued(db: Queryable): Promise<{ definition_id: string; queued: number }[]> {
  const { rows } = await db.query(
    `SELECT definition_ids[1] AS definition_id, count(*) AS queued FROM dispatches
      WHERE ${IS_QUEUED} GROUP BY 1`,
  );
  return rows;
}

/** The definition of a dispatch that is alone; null for every other one. */
export async function findQueueOf(db: Queryable, dispatchId: string): Promise<string | null> {
  const { rows } = await db.query(
    'SELECT definition_ids[1] AS definition_id FROM dispatches WHERE dispatch_id = $1 AND alone',
    [dispatchId],
  );
  return rows[0]?.definition_id ?? null;
}
