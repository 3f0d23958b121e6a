/** `events`: the accepted ones, whole. */
import type { Envelope } from '../core/envelope.ts';
import { listDistinct } from './distinct-values.ts';
import { type Page, type PageRequest, readPage } from './page.ts';
import type { Queryable } from './pool.ts';

export const FATES = ['accepted', 'unmatched'] as const;
type Fate = (typeof FATES)[number];

export interface NewEvent {
  event_uid: string;
  fate: Fate;
  subject: string;
  stream_seq: number | null;
  /** How many events came before it, each caused by the one before. */
  depth: number;
  traceparent: string | null;
  envelope: Envelope;
}

/** An event as its runs need it. */
export type RecordedEvent = Pick<NewEvent, 'envelope' | 'traceparent'>;

export interface EventItem {
  event_uid: string;
  fate: Fate;
  id: string;
  source: string;
  type: string;
  time: string;
  received_at: string;
  subject: string;
  stream_seq: number | null;
  duplicates: number;
  /** W3C; null where it came without a valid one. */
  traceparent: string | null;
}

export async function insertEvents(db: Queryable, events: NewEvent[]): Promise<void> {
  await db.query(
    `INSERT INTO events (event_uid, fate, id, source, type, time, subject, stream_seq, depth, traceparent, envelope)
     SELECT event_uid, fate, envelope->>'id', envelope->>'source', envelope->>'type',
            time, subject, stream_seq, depth, traceparent, envelope
       FROM jsonb_to_recordset($1) AS t (event_uid uuid, fate text, time timestamptz, subject text, stream_seq bigint,
                                        depth integer, traceparent text, envelope jsonb)`,
    // RFC 3339 knows offsets that PostgreSQL does not, so the time comes in UTC; the envelope keeps it as it was written.
    [
      JSON.stringify(
        events.map((event) => ({ ...event, time: new Date(event.envelope.time).toISOString() })),
      ),
    ],
  );
}

/** By `event_uid`; those that are no longer stored are missing. */
export async function readEvents(db: Queryable, eventUids: string[]): Promise<Map<string, RecordedEvent>> {
  if (eventUids.length === 0) return new Map();
  const { rows } = await db.query(
    'SELECT event_uid, envelope, traceparent FROM events WHERE event_uid = ANY ($1)',
    [eventUids],
  );
  return byUid(rows);
}

const byUid = (rows: (RecordedEvent & { event_uid: string })[]): Map<string, RecordedEvent> =>
  new Map(rows.map((row) => [row.event_uid, row]));

/** Of the events of a dispatch: asked for together with the dispatch itself. */
export async function readEventsOfDispatch(
  db: Queryable,
  dispatchId: string,
): Promise<Map<string, RecordedEvent>> {
  const { rows } = await db.query(
    `SELECT event_uid, envelope, traceparent FROM events
      WHERE event_uid = ANY (ARRAY(SELECT unnest(event_uids) FROM dispatches WHERE dispatch_id = $1))`,
    [dispatchId],
  );
  return byUid(rows);
}

/** Bytes of each envelope as text, which is a measure of what its run will keep. */
export async function readEnvelopeSizes(db: Queryable, eventUids: string[]): Promise<Map<string, number>> {
  const { rows } = await db.query(
    'SELECT event_uid, octet_length(envelope::text) AS bytes FROM events WHERE event_uid = ANY ($1)',
    [eventUids],
  );
  return new Map(rows.map((row) => [row.event_uid, row.bytes]));
}

const ITEM =
  'event_uid, fate, id, source, type, time, received_at, subject, stream_seq, duplicates, traceparent';

export interface EventFilter {
  type?: string | undefined;
  fate?: string | undefined;
  id?: string | undefined;
  source?: string | undefined;
}

export async function listEvents(
  db: Queryable,
  filter: EventFilter,
  request: PageRequest,
): Promise<Page<EventItem>> {
  const byId = filter.id !== undefined;
  return readPage<EventItem>(
    db,
    {
      select: `SELECT ${ITEM} FROM events`,
      time: 'received_at',
      key: 'event_uid',
      where: [
        { sql: 'id = ?', value: filter.id },
        { sql: 'source = ?', value: filter.source },
        { sql: 'type = ?', value: filter.type, each: await typesOfSource(db, filter) },
        // A source has an id once, and few share one.
        { sql: 'fate = ?', value: filter.fate, each: byId ? undefined : FATES },
      ],
    },
    request,
  );
}

/** With more, the scans would cost more than they save. */
const MOST_TYPES_SCANNED = 32;

/** Where the index by source is used, which has the types before the time; undefined also where a source has too many. */
async function typesOfSource(
  db: Queryable,
  { id, source, type }: EventFilter,
): Promise<string[] | undefined> {
  if (source === undefined || id !== undefined || type !== undefined) return undefined;
  const types = await listDistinct(db, {
    table: 'events',
    column: 'type',
    where: 'source = $1',
    values: [source],
    limit: MOST_TYPES_SCANNED + 1,
  });
  return types.length > MOST_TYPES_SCANNED ? undefined : types;
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

/** What a `causation_id` names. `event_uid`, `id` and `type` are null for a task whose run had no event that is stored. */
export interface Cause {
  /** The event's; 0 where there is none. */
  depth: number;
  event_uid: string | null;
  id: string | null;
  type: string | null;
  /** What the event names in turn. */
  causation_id: string | null;
  /** Where a task of ours is named: the event is what triggered its run. */
  task: { idempotency_key: string; run_id: string; definition_id: string } | null;
}

/**
 * By `id` (of several sources' events of one depth, the earliest), by `event_uid` (in lower case), or by a task's
 * `idempotency_key`. Each name has its entry.
 */
export async function readCauses(db: Queryable, names: string[]): Promise<Map<string, Cause[]>> {
  const { rows } = await db.query(
    `SELECT name, depth, event_uid, id, type, envelope->>'causation_id' AS causation_id, NULL::json AS task
       FROM (SELECT DISTINCT ON (id, depth) id AS name, * FROM events WHERE id = ANY ($1::text[])
              ORDER BY id, depth, received_at) AS by_id
     UNION ALL
     SELECT event_uid::text, depth, event_uid, id, type, envelope->>'causation_id', NULL
       FROM events WHERE event_uid = ANY ($2::uuid[])
     UNION ALL
     SELECT t.idempotency_key, coalesce(e.depth, 0), e.event_uid, e.id, e.type, e.envelope->>'causation_id',
            json_build_object('idempotency_key', t.idempotency_key, 'run_id', t.run_id, 'definition_id', t.definition_id)
       FROM task_spawn_log AS t
            LEFT JOIN activity_runs AS r ON r.run_id = t.run_id
            LEFT JOIN events AS e ON e.event_uid = r.event_uid
      WHERE t.idempotency_key = ANY ($1::text[])`,
    [names, names.filter((name) => UUID.test(name))],
  );
  const causes = new Map<string, Cause[]>(names.map((name) => [name, []]));
  for (const { name, ...cause } of rows) causes.get(name)?.push(cause);
  return causes;
}
