/** `quarantine_volume`: how many bytes quarantine holds, cheap to read and derived from what it holds. */
import { type Pool, type Queryable, transaction } from './pool.ts';

/** What a row of `quarantined_events` counts for. */
export const STORED_BYTES =
  'octet_length(bytes) + octet_length(headers::text) + octet_length(violations::text)';

const VOLUME = 'SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM quarantine_volume';

/** `timeoutMs`: for metrics, which do not wait for a server that does not answer. */
export async function readQuarantineBytes(db: Queryable, timeoutMs?: number): Promise<number> {
  // pg heeds query_timeout for each query; its types know it for the pool alone.
  const { rows } = await db.query({ text: VOLUME, ...(timeoutMs ? { query_timeout: timeoutMs } : {}) });
  return rows[0].bytes;
}

/** Counts what is there, however it came or went. Where another process measures at this moment, nothing is done. */
export function measureQuarantine(pool: Pool): Promise<void> {
  return transaction(pool, async (client) => {
    // Before the measuring statement, not in it: its snapshot must be younger than the last measurement.
    const { rows } = await client.query(
      `SELECT pg_try_advisory_xact_lock(hashtextextended('quarantine_volume', 0)) AS locked`,
    );
    if (!rows[0].locked) return;
    await client.query(
      `WITH replaced AS (DELETE FROM quarantine_volume)
       INSERT INTO quarantine_volume (bytes) SELECT coalesce(sum(${STORED_BYTES}), 0) FROM quarantined_events`,
    );
  });
}

/** Gives up bytes and headers of what was redriven or discarded, the oldest first. Returns how many rows had any. */
export async function releaseClosed(db: Queryable, limit: number): Promise<number> {
  const { rows } = await db.query(
    `WITH oldest AS (
       SELECT id, octet_length(bytes) + octet_length(headers::text) - 2 AS freed FROM quarantined_events
        WHERE state <> 'open' AND (octet_length(bytes) > 0 OR headers <> '{}')
        ORDER BY state_changed_at LIMIT $1 FOR UPDATE SKIP LOCKED
     ), released AS (
       UPDATE quarantined_events AS q SET bytes = '', headers = '{}' FROM oldest WHERE q.id = oldest.id RETURNING oldest.freed
     ), added AS (
       INSERT INTO quarantine_volume (bytes) SELECT -sum(freed) FROM released HAVING count(*) > 0
     )
     SELECT count(*) AS released FROM released`,
    [limit],
  );
  return rows[0].released;
}
