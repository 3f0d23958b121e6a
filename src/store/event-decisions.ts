/** `event_decisions`: for each accepted event and matching definition, what was decided and why. */
import type { JsonObject } from '../core/json.ts';
import type { Queryable } from './pool.ts';
import type { RunStatus } from './runs.ts';

export type DecisionOutcome = 'fired' | 'filtered' | 'held' | 'discarded' | 'filter_error';

export interface EventDecision {
  event_uid: string;
  definition_id: string;
  definition_hash: string;
  outcome: DecisionOutcome;
  reason: string | null;
  values: JsonObject;
  run_id: string | null;
  dispatch_id: string | null;
}

export async function insertDecisions(db: Queryable, decisions: EventDecision[]): Promise<void> {
  await db.query(
    `INSERT INTO event_decisions (event_uid, definition_id, definition_hash, outcome, reason, values, run_id, dispatch_id)
     SELECT event_uid, definition_id, definition_hash, outcome, reason, values, run_id, dispatch_id
       FROM jsonb_to_recordset($1) AS t (event_uid uuid, definition_id text, definition_hash text, outcome text,
                                        reason text, values jsonb, run_id uuid, dispatch_id uuid)`,
    [JSON.stringify(decisions)],
  );
}

export interface DecisionView extends Omit<EventDecision, 'event_uid' | 'dispatch_id'> {
  /** Null where its run is not on record, or not yet. */
  run_status: RunStatus | null;
  decided_at: string;
}

export async function listDecisions(db: Queryable, eventUid: string): Promise<DecisionView[]> {
  const { rows } = await db.query(
    `SELECT d.definition_id, d.definition_hash, d.outcome, d.reason, d.values, d.run_id, r.status AS run_status, d.decided_at
       FROM event_decisions d LEFT JOIN activity_runs r USING (run_id)
      WHERE d.event_uid = $1 ORDER BY d.definition_id`,
    [eventUid],
  );
  return rows;
}

/** Members that go on in another dispatch: redelivery and explain follow the new one. */
export async function moveDecisions(
  db: Queryable,
  from: string,
  members: MemberDecision[],
  to: string,
): Promise<void> {
  await db.query(
    `UPDATE event_decisions AS d SET dispatch_id = $2
       FROM jsonb_to_recordset($3) AS m (event_uid uuid, definition_id text)
      WHERE d.event_uid = m.event_uid AND d.definition_id = m.definition_id AND d.dispatch_id = $1`,
    [from, to, JSON.stringify(members)],
  );
}

export interface MemberDecision {
  event_uid: string | null;
  definition_id: string;
}

/** What of a dispatch is not to run after all: it waits for a resume like any held event. Returns the definition of each. */
export async function holdDecisions(
  db: Queryable,
  dispatchId: string,
  members: (MemberDecision & { reason: string })[],
): Promise<string[]> {
  if (members.length === 0) return [];
  const { rows } = await db.query(
    `UPDATE event_decisions AS d
        SET outcome = 'held', reason = m.reason, run_id = NULL, dispatch_id = NULL, decided_at = now()
       FROM jsonb_to_recordset($2) AS m (event_uid uuid, definition_id text, reason text)
      WHERE d.event_uid = m.event_uid AND d.definition_id = m.definition_id AND d.dispatch_id = $1
     RETURNING d.definition_id`,
    [dispatchId, JSON.stringify(members)],
  );
  return rows.map((row) => row.definition_id);
}

/** Members of a dispatch whose decision does not name it any more: they are held, or another one runs them. Their run ids. */
export async function listDecisionsElsewhere(
  db: Queryable,
  dispatchId: string,
  members: (MemberDecision & { run_id: string })[],
): Promise<Set<string>> {
  if (members.length === 0) return new Set();
  const named = members.map(({ run_id, event_uid, definition_id }) => ({ run_id, event_uid, definition_id }));
  const { rows } = await db.query(
    `SELECT m.run_id
       FROM jsonb_to_recordset($2) AS m (run_id uuid, event_uid uuid, definition_id text)
       JOIN event_decisions d USING (event_uid, definition_id)
      WHERE d.dispatch_id IS DISTINCT FROM $1`,
    [dispatchId, JSON.stringify(named)],
  );
  return new Set(rows.map((row) => row.run_id));
}

export async function countHeld(db: Queryable, definitionId: string): Promise<number> {
  const { rows } = await db.query(
    "SELECT count(*) AS n FROM event_decisions WHERE definition_id = $1 AND outcome = 'held'",
    [definitionId],
  );
  return rows[0].n;
}

/** The events that a definition holds, in the order of their receipt. `client`: inside a transaction; one reader at a time. */
export async function* readHeldEvents(
  client: Queryable,
  definitionId: string,
  atOnce: number,
): AsyncGenerator<string[]> {
  await client.query(
    // An event that is no longer stored is released as well: its run then says so.
    `DECLARE held_events NO SCROLL CURSOR FOR
     SELECT event_uid FROM event_decisions d LEFT JOIN events e USING (event_uid)
      WHERE definition_id = $1 AND outcome = 'held'
      ORDER BY coalesce(e.received_at, d.decided_at), e.stream_seq, event_uid`,
    [definitionId],
  );
  for (;;) {
    const { rows } = await client.query(`FETCH ${atOnce} FROM held_events`);
    if (rows.length === 0) break;
    yield rows.map((row) => row.event_uid);
  }
  await client.query('CLOSE held_events');
}

export interface ReleasedDecision {
  event_uid: string;
  run_id: string;
  dispatch_id: string | null;
}

/** `reason` is put behind the one that it was held for. */
export async function fireHeldDecisions(
  db: Queryable,
  revision: { definition_id: string; definition_hash: string },
  decisions: ReleasedDecision[],
  reason: string,
): Promise<void> {
  await db.query(
    `UPDATE event_decisions AS d
        SET outcome = 'fired', reason = concat('held: ', d.reason, '; ', $3::text), definition_hash = $2,
            run_id = t.run_id, dispatch_id = t.dispatch_id, decided_at = now()
       FROM jsonb_to_recordset($4) AS t (event_uid uuid, run_id uuid, dispatch_id uuid)
      WHERE d.event_uid = t.event_uid AND d.definition_id = $1 AND d.outcome = 'held'`,
    [revision.definition_id, revision.definition_hash, reason, JSON.stringify(decisions)],
  );
}

/** At most `limit` of them. Returns how many. */
export async function discardHeldDecisions(
  db: Queryable,
  definitionId: string,
  reason: string,
  limit: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE event_decisions SET outcome = 'discarded', reason = $2, decided_at = now()
      WHERE definition_id = $1 AND event_uid IN (
        SELECT event_uid FROM event_decisions WHERE definition_id = $1 AND outcome = 'held' LIMIT $3)`,
    [definitionId, reason, limit],
  );
  return rowCount ?? 0;
}
