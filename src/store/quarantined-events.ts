/** `quarantined_events`: what was refused, whole, with the reason. */
import type { QuarantineReason, Violation } from '../core/envelope.ts';
import { storableText } from '../core/storable.ts';
import { encodeCursor, type Page, type PageRequest, readPage } from './page.ts';
import type { Queryable } from './pool.ts';
import { STORED_BYTES } from './quarantine-volume.ts';

export const QUARANTINE_STATES = ['open', 'redriven', 'discarded'] as const;

export interface NewQuarantinedEvent {
  id: string;
  event_id: string | null;
  subject: string;
  headers: Record<string, string[]>;
  reason: QuarantineReason;
  violations: Violation[];
  bytes: Uint8Array;
  stream_seq: number;
  stream_timestamp: number;
}

export interface QuarantinedEvent {
  id: string;
  /** The event's own; null where it could not be read. */
  event_id: string | null;
  received_at: string;
  subject: string;
  headers: Record<string, string[]>;
  reason: QuarantineReason;
  violations: Violation[];
  size: number;
  state: (typeof QUARANTINE_STATES)[number];
  state_reason: string | null;
  event_uid: string | null;
  bytes: Buffer;
}

const MOST_VIOLATIONS = 100;
/** A pointer leads through keys that may be as long as the event. */
const LONGEST_VIOLATION = 2_000;

/** A message about bytes that cannot be stored quotes them. */
const storable = ({ pointer, message }: Violation): Violation => ({
  pointer: storableText(cut(pointer)),
  message: storableText(cut(message)),
});

const cut = (text: string): string =>
  text.length > LONGEST_VIOLATION ? `${text.slice(0, LONGEST_VIOLATION)}… [truncated]` : text;

/** The id is made of the stream message: delivered again, it is the same row. Returns the ids of the new ones. */
export async function insertQuarantined(db: Queryable, events: NewQuarantinedEvent[]): Promise<Set<string>> {
  const rows = events.map((event) => ({
    ...event,
    violations: event.violations.slice(0, MOST_VIOLATIONS).map(storable),
    bytes: `\\x${Buffer.from(event.bytes).toString('hex')}`,
    size: event.bytes.byteLength,
  }));
  const { rows: inserted } = await db.query(
    `WITH inserted AS (
       INSERT INTO quarantined_events
              (id, event_id, subject, headers, reason, violations, bytes, size, stream_seq, stream_timestamp)
       SELECT id, event_id, subject, headers, reason, violations, bytes, size, stream_seq, stream_timestamp
         FROM jsonb_to_recordset($1) AS t (id uuid, event_id text, subject text, headers jsonb, reason text, violations jsonb,
                                          bytes bytea, size integer, stream_seq bigint, stream_timestamp bigint)
        ORDER BY stream_seq
       ON CONFLICT DO NOTHING RETURNING id, ${STORED_BYTES} AS stored
     ), added AS (
       INSERT INTO quarantine_volume (bytes) SELECT sum(stored) FROM inserted HAVING count(*) > 0
     )
     SELECT id FROM inserted`,
    [JSON.stringify(rows)],
  );
  return new Set(inserted.map((row) => row.id));
}

/** Kept, or counted in `quarantine_overflow`. */
export async function listRefusedAmong(db: Queryable, ids: string[]): Promise<Set<string>> {
  const { rows } = await db.query(
    `SELECT id FROM quarantined_events WHERE id = ANY ($1)
      UNION ALL SELECT id FROM quarantine_overflow_messages WHERE id = ANY ($1)`,
    [ids],
  );
  return new Set(rows.map((row) => row.id));
}

const FACTS =
  'id, event_id, received_at, subject, headers, reason, violations, size, state, state_reason, event_uid';
const COLUMNS = `${FACTS}, bytes`;
/** A page ends early where its rows hold more: five hundred of the largest would be half a gigabyte. */
const MOST_PAGE_BYTES = 16 * 1024 * 1024;

export interface QuarantineFilter {
  event_id?: string | undefined;
  state?: string | undefined;
  reason?: string | undefined;
}

export async function listQuarantined(
  db: Queryable,
  filter: QuarantineFilter,
  request: PageRequest,
): Promise<Page<QuarantinedEvent>> {
  const page = await readPage<Omit<QuarantinedEvent, 'bytes'>>(
    db,
    {
      select: `SELECT ${FACTS} FROM quarantined_events`,
      time: 'received_at',
      key: 'id',
      where: [
        { sql: 'event_id = ?', value: filter.event_id },
        { sql: 'state = ?', value: filter.state, each: QUARANTINE_STATES },
        { sql: 'reason = ?', value: filter.reason },
      ],
    },
    request,
  );
  const items = takeBytes(page.items);
  const last = items.at(-1);
  const next_cursor =
    last && items.length < page.items.length ? encodeCursor(last.received_at, last.id) : page.next_cursor;
  const ids = items.map(({ id }) => id);
  const { rows } = await db.query('SELECT id, bytes FROM quarantined_events WHERE id = ANY ($1)', [ids]);
  const bytes = new Map<string, Buffer>(rows.map((row) => [row.id, row.bytes]));
  return {
    items: items.map((item) => ({ ...item, bytes: bytes.get(item.id) ?? Buffer.alloc(0) })),
    next_cursor,
  };
}

/** At least one, however large: a page always leads on. */
function takeBytes<Item extends { size: number }>(items: Item[]): Item[] {
  let bytes = 0;
  const end = items.findIndex(({ size }) => {
    bytes += size;
    return bytes > MOST_PAGE_BYTES;
  });
  return end === -1 ? items : items.slice(0, Math.max(1, end));
}

export async function findQuarantined(db: Queryable, id: string): Promise<QuarantinedEvent | null> {
  const { rows } = await db.query(`SELECT ${COLUMNS} FROM quarantined_events WHERE id = $1`, [id]);
  return rows[0] ?? null;
}

/** With what the stream knew of the message. */
export type LockedQuarantined = QuarantinedEvent & { stream_seq: number; stream_timestamp: number };

/** Holds the row until the transaction ends: two redrives of one event at once are one. */
export async function lockQuarantined(db: Queryable, id: string): Promise<LockedQuarantined | null> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS}, stream_seq, stream_timestamp FROM quarantined_events WHERE id = $1 FOR UPDATE`,
    [id],
  );
  return rows[0] ?? null;
}

export async function closeQuarantined(
  db: Queryable,
  id: string,
  change: { state: 'redriven' | 'discarded'; reason: string | null; event_uid: string | null },
): Promise<void> {
  await db.query(
    `UPDATE quarantined_events SET state = $2, state_reason = $3, event_uid = $4, state_changed_at = now() WHERE id = $1`,
    [id, change.state, change.reason, change.event_uid],
  );
}

/** A redrive that was refused once more keeps the newest reason. */
export async function updateRefusal(
  db: Queryable,
  id: string,
  reason: QuarantineReason,
  violations: Violation[],
): Promise<void> {
  await db.query('UPDATE quarantined_events SET reason = $2, violations = $3 WHERE id = $1', [
    id,
    reason,
    JSON.stringify(violations.slice(0, MOST_VIOLATIONS).map(storable)),
  ]);
}
