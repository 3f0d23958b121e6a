/** `dispatches`: what one workflow runs. The row's id is the workflow's id. */
import { type Queryable, UNSYNCED } from './pool.ts';

export interface DispatchMember {
  run_id: string;
  definition_id: string;
  definition_hash: string;
  /** Null where the run was started by hand or is a retry: its row stands in `activity_runs` already. */
  event_uid: string | null;
}

export interface NewDispatch {
  dispatch_id: string;
  members: DispatchMember[];
  /** The reconciler is to start it at its next pass. */
  due?: boolean;
  /** Of one event, whose run may wait for somebody else: back-pressure passes it over. */
  alone?: boolean;
  /** It waits until it is taken: queued-dispatches.ts. */
  queued?: boolean;
  /** Its runs are decided; only their specs are to be sent. */
  prepared?: boolean;
  /** Of a workflow that a schedule started; every other one has the dispatch's id. */
  workflow_id?: string;
  first_workflow_run_id?: string;
}

export interface Dispatch {
  dispatch_id: string;
  members: DispatchMember[];
  /** Attempts before this one that ended without an answer. */
  attempts: number;
  alone: boolean;
  /** Its runs are decided and committed; specs of theirs are to be sent. */
  prepared_at: string | null;
  closed_at: string | null;
}

export async function insertDispatch(db: Queryable, dispatch: NewDispatch): Promise<void> {
  const { members } = dispatch;
  await db.query(
    `INSERT INTO dispatches (dispatch_id, run_ids, definition_ids, definition_hashes, event_uids, checked_at,
                             workflow_id, first_workflow_run_id, prepared_at, alone, queued_at)
     VALUES ($1, $2, $3, $4, $5, CASE WHEN $6 THEN 'epoch' WHEN $11 THEN 'infinity' ELSE now() END,
             $7, $8, CASE WHEN $9 THEN now() END, $10, CASE WHEN $11 THEN clock_timestamp() END)`,
    [
      dispatch.dispatch_id,
      members.map((member) => member.run_id),
      members.map((member) => member.definition_id),
      members.map((member) => member.definition_hash),
      members.map((member) => member.event_uid),
      dispatch.due ?? false,
      dispatch.workflow_id ?? null,
      dispatch.first_workflow_run_id ?? null,
      dispatch.prepared ?? false,
      dispatch.alone ?? false,
      dispatch.queued ?? false,
    ],
  );
}

/** Many at once. They are taken, and those that are never started are looked at by the reconciler, in this order. */
export async function insertDispatches(db: Queryable, dispatches: NewDispatch[]): Promise<void> {
  const rows = dispatches.map(({ dispatch_id, members, due = false, alone = false, queued = false }) => ({
    dispatch_id,
    due,
    alone,
    queued,
    run_ids: members.map((member) => member.run_id),
    definition_ids: members.map((member) => member.definition_id),
    definition_hashes: members.map((member) => member.definition_hash),
    event_uids: members.map((member) => member.event_uid),
  }));
  await db.query(
    `INSERT INTO dispatches (dispatch_id, run_ids, definition_ids, definition_hashes, event_uids, alone, checked_at, queued_at)
     SELECT dispatch_id, run_ids, definition_ids, definition_hashes, event_uids, alone,
            CASE WHEN due THEN 'epoch' WHEN queued THEN 'infinity' ELSE clock_timestamp() END,
            CASE WHEN queued THEN clock_timestamp() END
       FROM jsonb_to_recordset($1) AS t (dispatch_id uuid, due boolean, alone boolean, queued boolean, run_ids uuid[],
                                        definition_ids text[], definition_hashes text[], event_uids uuid[])`,
    [JSON.stringify(rows)],
  );
}

/**
 * Reads a dispatch to run it. The first attempt is counted with it; `attempts` of 1 or more before that means that an
 * earlier one ended without an answer.
 */
export async function beginDispatch(db: Queryable, dispatchId: string): Promise<Dispatch | null> {
  // Losing the count in a power cut is harmless, and waiting for the disk is a good part of a small dispatch's time.
  const { rows } = await db.query(
    `WITH ${UNSYNCED},
          before AS (SELECT attempts FROM dispatches WHERE dispatch_id = $1)
     UPDATE dispatches AS d SET attempts = greatest(d.attempts, 1) FROM unsynced, before WHERE dispatch_id = $1
     RETURNING dispatch_id, run_ids, definition_ids, definition_hashes, event_uids, before.attempts,
               alone, prepared_at, closed_at`,
    [dispatchId],
  );
  const row = rows[0];
  if (!row) return null;
  const members = (row.run_ids as string[]).map((run_id, position) => ({
    run_id,
    definition_id: row.definition_ids[position],
    definition_hash: row.definition_hashes[position],
    event_uid: row.event_uids[position],
  }));
  const { dispatch_id, attempts, alone, prepared_at, closed_at } = row;
  return { dispatch_id, members, attempts, alone, prepared_at, closed_at };
}

export async function hasDispatch(db: Queryable, dispatchId: string): Promise<boolean> {
  const { rows } = await db.query('SELECT 1 FROM dispatches WHERE dispatch_id = $1', [dispatchId]);
  return rows.length > 0;
}

/** One more attempt of a dispatch that had one before. Returns how many it has now. */
export async function countAttempt(db: Queryable, dispatchId: string): Promise<number> {
  const { rows } = await db.query(
    'UPDATE dispatches SET attempts = attempts + 1 WHERE dispatch_id = $1 RETURNING attempts',
    [dispatchId],
  );
  return rows[0]?.attempts ?? 0;
}

/** An attempt that ended in an orderly way, to be made again, did not kill its worker. */
export async function forgetAttempt(db: Queryable, dispatchId: string): Promise<void> {
  await db.query('UPDATE dispatches SET attempts = attempts - 1 WHERE dispatch_id = $1', [dispatchId]);
}

/**
 * Whether it was open until now. Whoever ends a dispatch calls this first: the row's lock keeps a second one, who would
 * compose its members again, waiting until it finds the dispatch closed.
 * `of`: what the caller ends. One who was to decide must not end the sending of what another has decided meanwhile.
 */
export async function closeDispatch(
  db: Queryable,
  dispatchId: string,
  of: 'deciding' | 'emission',
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE dispatches SET closed_at = now()
      WHERE dispatch_id = $1 AND closed_at IS NULL AND (prepared_at IS NOT NULL) = $2`,
    [dispatchId, of === 'emission'],
  );
  return rowCount === 1;
}

/** Whether its members are still to be decided; until the transaction ends nobody else decides them. */
export async function lockDeciding(db: Queryable, dispatchId: string): Promise<boolean> {
  const { rowCount } = await db.query(
    'SELECT 1 FROM dispatches WHERE dispatch_id = $1 AND closed_at IS NULL AND prepared_at IS NULL FOR UPDATE',
    [dispatchId],
  );
  return rowCount === 1;
}

/** Like `closeDispatch`, where specs are to be sent yet: it stays open until they are, and is not prepared again. */
export async function markPrepared(db: Queryable, dispatchId: string): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE dispatches SET prepared_at = now() WHERE dispatch_id = $1 AND closed_at IS NULL AND prepared_at IS NULL',
    [dispatchId],
  );
  return rowCount === 1;
}

/** For how long an emission that goes on is left alone by the reconciler. */
const EMISSION_QUIET = '3 minutes';

/** An emission says that it is at work. Null where there is nothing to send any more. */
export async function touchEmission(
  db: Queryable,
  dispatchId: string,
): Promise<{ prepared_at: string; now: string } | null> {
  const { rows } = await db.query(
    `UPDATE dispatches SET checked_at = now() + $2::interval
      WHERE dispatch_id = $1 AND closed_at IS NULL AND prepared_at IS NOT NULL RETURNING prepared_at, now() AS now`,
    [dispatchId, EMISSION_QUIET],
  );
  return rows[0] ?? null;
}

/** What back-pressure counts: dispatches_pressing. */
const IS_PRESSING = 'closed_at IS NULL AND prepared_at IS NULL AND event_uids[1] IS NOT NULL AND NOT alone';

/** Of events. A backfill or a run by hand does not hold up what comes from NATS, nor does a slow issue-core, source or model. */
export async function countOpenDispatches(db: Queryable): Promise<number> {
  const { rows } = await db.query(
    `SELECT count(*) AS n FROM dispatches
      WHERE ${IS_PRESSING}`,
  );
  return rows[0].n;
}

export interface Pressure {
  /** As `countOpenDispatches` counts them. */
  open: number;
  /** Those of them that were asked for. */
  among: string[];
}

export async function readPressure(db: Queryable, dispatchIds: string[]): Promise<Pressure> {
  const { rows } = await db.query(
    `SELECT count(*) AS open, array_agg(dispatch_id) FILTER (WHERE dispatch_id = ANY ($1)) AS among FROM dispatches
      WHERE ${IS_PRESSING}`,
    [dispatchIds],
  );
  return { open: rows[0].open, among: rows[0].among ?? [] };
}

/** The dispatches of these events that are to be at work, and not prepared yet: what a redelivery starts again. */
export async function listOpenDispatchesOf(db: Queryable, eventUids: string[]): Promise<string[]> {
  const { rows } = await db.query(
    `SELECT DISTINCT dispatch_id FROM event_decisions JOIN dispatches USING (dispatch_id)
      WHERE event_uid = ANY ($1) AND closed_at IS NULL AND prepared_at IS NULL AND queued_at IS NULL`,
    [eventUids],
  );
  return rows.map((row) => row.dispatch_id);
}

export interface StaleDispatch {
  dispatch_id: string;
  workflow_id: string | null;
  first_workflow_run_id: string | null;
  prepared_at: string | null;
  alone: boolean;
}

/**
 * Open dispatches that nobody looked at for a while. Looking at one leases it: other replicas pass it over meanwhile. Those
 * that emit are leased apart: ten thousand of them, while issue-core is away, must not keep the others waiting.
 */
export async function leaseStaleDispatches(
  db: Queryable,
  of: 'deciding' | 'emission',
  { idleSeconds, limit }: { idleSeconds: number; limit: number },
): Promise<StaleDispatch[]> {
  const { rows } = await db.query(
    `UPDATE dispatches SET checked_at = now() WHERE dispatch_id IN (
       SELECT dispatch_id FROM dispatches
        WHERE closed_at IS NULL AND (prepared_at IS NOT NULL) = $3 AND queued_at IS NULL
          AND checked_at < now() - make_interval(secs => $1)
        ORDER BY checked_at LIMIT $2 FOR UPDATE SKIP LOCKED)
     RETURNING dispatch_id, workflow_id, first_workflow_run_id, prepared_at, alone`,
    [idleSeconds, limit, of === 'emission'],
  );
  return rows;
}

/** Its schedule's workflow is gone: from now on it has one of its own, named after it. */
export async function forgetScheduledWorkflow(db: Queryable, dispatchId: string): Promise<void> {
  await db.query(
    'UPDATE dispatches SET workflow_id = NULL, first_workflow_run_id = NULL WHERE dispatch_id = $1',
    [dispatchId],
  );
}

/**
 * What of a dispatch has no run yet: its workflow ended before `prepare` committed. A member whose decision names this
 * dispatch no more is not among them: it is held, or another dispatch runs it.
 */
export async function listMembersWithoutRun(db: Queryable, dispatchId: string): Promise<DispatchMember[]> {
  const { rows } = await db.query(
    `SELECT m.run_id, m.definition_id, m.definition_hash, m.event_uid
       FROM dispatches d,
            unnest(d.run_ids, d.definition_ids, d.definition_hashes, d.event_uids)
              AS m (run_id, definition_id, definition_hash, event_uid)
      WHERE d.dispatch_id = $1
        AND NOT EXISTS (SELECT 1 FROM activity_runs r WHERE r.run_id = m.run_id)
        AND NOT EXISTS (SELECT 1 FROM event_decisions e
                         WHERE e.event_uid = m.event_uid AND e.definition_id = m.definition_id
                           AND e.dispatch_id IS DISTINCT FROM d.dispatch_id)`,
    [dispatchId],
  );
  return rows;
}
