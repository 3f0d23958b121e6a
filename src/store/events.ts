/** `events`: the accepted ones, whole. */
import type { Envelope } from '../core/envelope.ts';
import { type Page, type PageRequest, readPage } from './page.ts';
import type { Queryable } from './pool.ts';

export interface NewEvent {
  event_uid: string;
  fate: 'accepted' | 'unmatched';
  subject: string;
  stream_seq: number | null;
  envelope: Envelope;
}

export interface EventItem {
  event_uid: string;
  fate: 'accepted' | 'unmatched';
  id: string;
  source: string;
  type: string;
  time: string;
  received_at: string;
  subject: string;
  stream_seq: number | null;
  duplicates: number;
}

export async function insertEvents(db: Queryable, events: NewEvent[]): Promise<void> {
  await db.query(
    `INSERT INTO events (event_uid, fate, id, source, type, time, subject, stream_seq, envelope)
     SELECT event_uid, fate, envelope->>'id', envelope->>'source', envelope->>'type',
            time, subject, stream_seq, envelope
       FROM jsonb_to_recordset($1) AS t (event_uid uuid, fate text, time timestamptz, subject text, stream_seq bigint, envelope jsonb)`,
    // RFC 3339 knows offsets that PostgreSQL does not, so the time comes in UTC; the envelope keeps it as it was written.
    [
      JSON.stringify(
        events.map((event) => ({ ...event, time: new Date(event.envelope.time).toISOString() })),
      ),
    ],
  );
}

export async function readEnvelopes(db: Queryable, eventUids: string[]): Promise<Map<string, Envelope>> {
  if (eventUids.length === 0) return new Map();
  const { rows } = await db.query('SELECT event_uid, envelope FROM events WHERE event_uid = ANY ($1)', [
    eventUids,
  ]);
  return new Map(rows.map((row) => [row.event_uid, row.envelope]));
}

/** Bytes of each envelope as text, which is a measure of what its run will keep. */
export async function readEnvelopeSizes(db: Queryable, eventUids: string[]): Promise<Map<string, number>> {
  const { rows } = await db.query(
    'SELECT event_uid, octet_length(envelope::text) AS bytes FROM events WHERE event_uid = ANY ($1)',
    [eventUids],
  );
  return new Map(rows.map((row) => [row.event_uid, row.bytes]));
}

const ITEM = 'event_uid, fate, id, source, type, time, received_at, subject, stream_seq, duplicates';

export interface EventFilter {
  type?: string | undefined;
  fate?: string | undefined;
  id?: string | undefined;
  source?: string | undefined;
}

export function listEvents(
  db: Queryable,
  filter: EventFilter,
  request: PageRequest,
): Promise<Page<EventItem>> {
  return readPage<EventItem>(
    db,
    {
      select: `SELECT ${ITEM} FROM events`,
      time: 'received_at',
      key: 'event_uid',
      where: [
        { sql: 'type = ?', value: filter.type },
        { sql: 'fate = ?', value: filter.fate },
        { sql: 'id = ?', value: filter.id },
        { sql: 'source = ?', value: filter.source },
      ],
    },
    request,
  );
}

export type EventDetail = EventItem & { envelope: Envelope };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** By `event_uid`, or by `id`, which several sources may have: then there is more than one row. */
export async function findEvents(db: Queryable, uidOrId: string): Promise<EventDetail[]> {
  if (UUID.test(uidOrId)) {
    const { rows } = await db.query(`SELECT ${ITEM}, envelope FROM events WHERE event_uid = $1`, [uidOrId]);
    if (rows.length > 0) return rows;
  }
  const { rows } = await db.query(
    `SELECT ${ITEM}, envelope FROM events WHERE id = $1 ORDER BY received_at DESC LIMIT 20`,
    [uidOrId],
  );
  return rows;
}
