/** `event_ids` and `event_duplicates`: which identities were accepted, and which messages only repeated one. */
import type { Queryable } from './pool.ts';

export interface EventIdentity {
  event_uid: string;
  /** Hex with PostgreSQL's `\x` in front. */
  content_hash: string;
  stream_seq: number | null;
  stream_timestamp: number | null;
}

/** Claims the identities that are free and returns those claimed. Sorted, so that two replicas cannot deadlock. */
export async function claimEventIds(db: Queryable, identities: EventIdentity[]): Promise<Set<string>> {
  const sorted = identities.toSorted((a, b) => (a.event_uid < b.event_uid ? -1 : 1));
  const { rows } = await db.query(
    `INSERT INTO event_ids (event_uid, content_hash, stream_seq, stream_timestamp)
     SELECT event_uid, content_hash, stream_seq, stream_timestamp
       FROM jsonb_to_recordset($1) AS t (event_uid uuid, content_hash bytea, stream_seq bigint, stream_timestamp bigint)
     ON CONFLICT DO NOTHING RETURNING event_uid`,
    [JSON.stringify(sorted)],
  );
  return new Set(rows.map((row) => row.event_uid));
}

/** Takes back claims of this transaction: what they were made for is refused, and may come again. */
export async function releaseEventIds(db: Queryable, eventUids: string[]): Promise<void> {
  await db.query('DELETE FROM event_ids WHERE event_uid = ANY ($1)', [eventUids]);
}

export interface KnownIdentity {
  content_hash: Buffer;
  stream_seq: number | null;
  stream_timestamp: number | null;
}

export async function readEventIds(db: Queryable, eventUids: string[]): Promise<Map<string, KnownIdentity>> {
  const { rows } = await db.query(
    'SELECT event_uid, content_hash, stream_seq, stream_timestamp FROM event_ids WHERE event_uid = ANY ($1)',
    [eventUids],
  );
  return new Map(rows.map(({ event_uid, ...identity }) => [event_uid, identity]));
}

export interface Duplicate {
  event_uid: string;
  stream_seq: number;
  stream_timestamp: number;
}

/** Counts each message once, also when it is delivered again. Returns how many were new. */
export async function countDuplicates(db: Queryable, duplicates: Duplicate[]): Promise<number> {
  const { rows } = await db.query(
    `WITH repeated AS (
       INSERT INTO event_duplicates (event_uid, stream_seq, stream_timestamp)
       SELECT event_uid, stream_seq, stream_timestamp
         FROM jsonb_to_recordset($1) AS t (event_uid uuid, stream_seq bigint, stream_timestamp bigint)
        ORDER BY event_uid, stream_seq
       ON CONFLICT DO NOTHING RETURNING event_uid
     ), counted AS (
       UPDATE events SET duplicates = duplicates + n
         FROM (SELECT event_uid, count(*)::integer AS n FROM repeated GROUP BY event_uid ORDER BY event_uid) AS r
        WHERE events.event_uid = r.event_uid
     )
     SELECT count(*) AS n FROM repeated`,
    [JSON.stringify(duplicates)],
  );
  return rows[0].n;
}

/** Which of these very messages are on record, as an accepted event or as its repetition: `<event_uid> <stream_seq>`. */
export async function listRecordedMessages(db: Queryable, messages: Duplicate[]): Promise<Set<string>> {
  const { rows } = await db.query(
    `SELECT m.event_uid, m.stream_seq
       FROM jsonb_to_recordset($1) AS m (event_uid uuid, stream_seq bigint, stream_timestamp bigint)
      WHERE EXISTS (SELECT 1 FROM event_ids i WHERE i.event_uid = m.event_uid
                       AND i.stream_seq = m.stream_seq AND i.stream_timestamp = m.stream_timestamp)
         OR EXISTS (SELECT 1 FROM event_duplicates d WHERE d.event_uid = m.event_uid
                       AND d.stream_seq = m.stream_seq AND d.stream_timestamp = m.stream_timestamp)`,
    [JSON.stringify(messages)],
  );
  return new Set(rows.map((row) => `${row.event_uid} ${row.stream_seq}`));
}
