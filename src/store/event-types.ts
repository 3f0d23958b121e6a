/** `event_types`: the registry as applied. */
import type { EventType } from '../core/event-type.ts';
import type { Queryable } from './pool.ts';

export async function listEventTypes(db: Queryable): Promise<EventType[]> {
  const { rows } = await db.query(
    'SELECT type, title, owner, attributes_schema FROM event_types ORDER BY type',
  );
  return rows;
}

export async function upsertEventType(db: Queryable, eventType: EventType): Promise<void> {
  await db.query(
    `INSERT INTO event_types (type, title, owner, attributes_schema) VALUES ($1, $2, $3, $4)
     ON CONFLICT (type) DO UPDATE
       SET title = EXCLUDED.title, owner = EXCLUDED.owner, attributes_schema = EXCLUDED.attributes_schema, applied_at = now()`,
    [eventType.type, eventType.title, eventType.owner, JSON.stringify(eventType.attributes_schema)],
  );
}

/** Returns the types that are gone. */
export async function pruneEventTypes(db: Queryable, keep: string[]): Promise<string[]> {
  const { rows } = await db.query('DELETE FROM event_types WHERE NOT type = ANY ($1) RETURNING type', [keep]);
  return rows.map((row) => row.type);
}
