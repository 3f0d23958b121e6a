/** Old events with their decisions and duplicates, and identities that nobody can send again. */
import { FATES } from './events.ts';
import { inOrder, isEach } from './in-order.ts';
import type { Queryable } from './pool.ts';
import type { Cutoffs, DeletedRows, Walk, Walked } from './retention.ts';

/** What keeps an old event `e`. Retries are not asked for: a chain goes as a whole. */
const KEPT_BY = [
  `SELECT 1 FROM event_decisions d WHERE d.event_uid = e.event_uid AND d.outcome = 'held'`,
  `SELECT 1 FROM event_decisions d JOIN activity_runs r ON r.run_id = d.run_id WHERE d.event_uid = e.event_uid`,
  `SELECT 1 FROM (SELECT unnest(event_uids) AS event_uid FROM dispatches WHERE closed_at IS NULL) AS open
    WHERE open.event_uid = e.event_uid`,
];

const OLDEST = inOrder({
  select: 'SELECT event_uid, received_at FROM events',
  where: ['received_at < $1', '(received_at, event_uid) > ($2::timestamptz, $3::uuid)'],
  each: [isEach('fate', FATES)],
  ...{ time: 'received_at', key: 'event_uid', direction: 'ASC', limit: '$4' },
});

/**
 * One that is dated more than a day ahead of its receipt stays, and its identity with it, until it would be refused as too
 * old: otherwise it could run twice.
 */
export async function deleteExpiredEvents(
  db: Queryable,
  { before, after, limit, identitiesBefore }: Walk & { identitiesBefore: string },
): Promise<Walked> {
  const { rows } = await db.query(
    `WITH walked AS MATERIALIZED (
       ${OLDEST}),
     gone AS MATERIALIZED (
       SELECT e.event_uid FROM events e JOIN walked USING (event_uid)
        WHERE (e.time <= e.received_at + interval '1 day' OR e.time < $5)
          AND ${KEPT_BY.map((reason) => `NOT EXISTS (${reason})`).join('\n          AND ')}
        ORDER BY e.event_uid FOR UPDATE OF e SKIP LOCKED),
     decisions AS (DELETE FROM event_decisions d USING gone WHERE d.event_uid = gone.event_uid RETURNING 1),
     duplicates AS (DELETE FROM event_duplicates d USING gone WHERE d.event_uid = gone.event_uid RETURNING 1),
     deleted AS (DELETE FROM events e USING gone WHERE e.event_uid = gone.event_uid RETURNING 1)
     SELECT (SELECT count(*) FROM deleted) AS events, (SELECT count(*) FROM decisions) AS event_decisions,
            (SELECT count(*) FROM duplicates) AS event_duplicates, (SELECT count(*) FROM walked) AS walked,
            last.received_at AS time, last.event_uid AS key
       FROM (SELECT 1) AS one LEFT JOIN (SELECT * FROM walked ORDER BY received_at DESC, event_uid DESC LIMIT 1) AS last ON true`,
    [before, after.time, after.key, limit, identitiesBefore],
  );
  const { walked, time, key, ...deleted } = rows[0];
  return { deleted, next: walked === limit ? { time, key } : null };
}

/** Duplicates may have come after their event had gone. An event that is still stored keeps its identity. */
export async function deleteExpiredIdentities(
  db: Queryable,
  { identities }: Cutoffs,
  limit: number,
): Promise<DeletedRows> {
  const { rows } = await db.query(
    `WITH gone AS MATERIALIZED (
       SELECT i.event_uid FROM event_ids i
        WHERE i.recorded_at < $1 AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_uid = i.event_uid)
        ORDER BY i.recorded_at LIMIT $2 FOR UPDATE OF i SKIP LOCKED),
     duplicates AS (DELETE FROM event_duplicates d USING gone WHERE d.event_uid = gone.event_uid RETURNING 1),
     deleted AS (DELETE FROM event_ids i USING gone WHERE i.event_uid = gone.event_uid RETURNING 1)
     SELECT (SELECT count(*) FROM deleted) AS event_ids, (SELECT count(*) FROM duplicates) AS event_duplicates`,
    [identities, limit],
  );
  return rows[0];
}
