/** `quarantine_overflow`: what was refused while quarantine was full, counted for each reason. */
import type { QuarantineReason } from '../core/envelope.ts';
import type { Queryable } from './pool.ts';

export interface OverflowedMessage {
  /** As it would be in quarantine: of the stream message. */
  id: string;
  reason: QuarantineReason;
  subject: string;
  stream_seq: number;
}

export interface QuarantineOverflow {
  reason: QuarantineReason;
  count: number;
  first_at: string;
  last_at: string;
  last_subject: string;
  first_stream_seq: number;
  last_stream_seq: number;
}

/** Returns the ids of those that were not counted before. */
export async function countOverflow(db: Queryable, messages: OverflowedMessage[]): Promise<Set<string>> {
  const { rows } = await db.query(
    `WITH refused AS (
       SELECT id, reason, subject, stream_seq
         FROM jsonb_to_recordset($1) AS t (id uuid, reason text, subject text, stream_seq bigint)
     ), fresh AS (
       INSERT INTO quarantine_overflow_messages (id) SELECT id FROM refused ORDER BY id ON CONFLICT DO NOTHING RETURNING id
     ), counted AS (
       INSERT INTO quarantine_overflow AS o
              (reason, count, first_at, last_at, last_subject, first_stream_seq, last_stream_seq)
       SELECT reason, count(*), now(), now(), (array_agg(subject ORDER BY stream_seq DESC))[1], min(stream_seq), max(stream_seq)
         FROM refused JOIN fresh USING (id) GROUP BY reason ORDER BY reason
       ON CONFLICT (reason) DO UPDATE SET
         count = o.count + excluded.count,
         last_at = greatest(o.last_at, excluded.last_at),
         last_subject = excluded.last_subject,
         first_stream_seq = least(o.first_stream_seq, excluded.first_stream_seq),
         last_stream_seq = greatest(o.last_stream_seq, excluded.last_stream_seq)
     )
     SELECT id FROM fresh`,
    [JSON.stringify(messages)],
  );
  return new Set(rows.map((row) => row.id));
}

export async function listOverflow(db: Queryable): Promise<QuarantineOverflow[]> {
  const { rows } = await db.query(
    `SELECT reason, count, first_at, last_at, last_subject, first_stream_seq, last_stream_seq
       FROM quarantine_overflow ORDER BY reason`,
  );
  return rows;
}
