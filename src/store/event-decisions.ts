/** `event_decisions`: for each accepted event and matching definition, what was decided and why. */
import type { JsonObject } from '../core/json.ts';
import type { Queryable } from './pool.ts';

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

export type DecisionView = Omit<EventDecision, 'event_uid' | 'dispatch_id'> & { decided_at: string };

export async function listDecisions(db: Queryable, eventUid: string): Promise<DecisionView[]> {
  const { rows } = await db.query(
    `SELECT definition_id, definition_hash, outcome, reason, values, run_id, decided_at
       FROM event_decisions WHERE event_uid = $1 ORDER BY definition_id`,
    [eventUid],
  );
  return rows;
}

/** Members that go on in another dispatch: redelivery and explain follow the new one. */
export async function moveDecisions(
  db: Queryable,
  from: string,
  members: { event_uid: string | null; definition_id: string }[],
  to: string,
): Promise<void> {
  await db.query(
    `UPDATE event_decisions AS d SET dispatch_id = $2
       FROM jsonb_to_recordset($3) AS m (event_uid uuid, definition_id text)
      WHERE d.event_uid = m.event_uid AND d.definition_id = m.definition_id AND d.dispatch_id = $1`,
    [from, to, JSON.stringify(members)],
  );
}
