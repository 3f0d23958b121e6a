/** `pinned_contexts`: what the sources answered a run whose model is asked, so that a later attempt asks about the same. */
import type { JsonObject } from '../core/json.ts';
import type { Queryable } from './pool.ts';

/** A run, on the revision that it is pinned to: one that was held meanwhile may be released on another. */
export interface PinnedRun {
  run_id: string;
  definition_hash: string;
}

/** The first of a revision wins: where there is one, that is returned, and this one is forgotten. Another revision's gives way. */
export async function pinContext(
  db: Queryable,
  { run_id, definition_hash }: PinnedRun,
  context: JsonObject,
): Promise<JsonObject> {
  const { rows } = await db.query(
    // Of the same revision the update changes nothing: it returns the row that is there, also one that another transaction is making.
    `INSERT INTO pinned_contexts AS p (run_id, definition_hash, context) VALUES ($1, $2, $3)
     ON CONFLICT (run_id) DO UPDATE SET
       definition_hash = EXCLUDED.definition_hash,
       context   = CASE WHEN p.definition_hash = EXCLUDED.definition_hash THEN p.context ELSE EXCLUDED.context END,
       pinned_at = CASE WHEN p.definition_hash = EXCLUDED.definition_hash THEN p.pinned_at ELSE EXCLUDED.pinned_at END
     RETURNING context`,
    [run_id, definition_hash, JSON.stringify(context)],
  );
  return rows[0].context;
}

export async function readPinnedContext(
  db: Queryable,
  { run_id, definition_hash }: PinnedRun,
): Promise<JsonObject | null> {
  const { rows } = await db.query(
    'SELECT context FROM pinned_contexts WHERE run_id = $1 AND definition_hash = $2',
    [run_id, definition_hash],
  );
  return rows[0]?.context ?? null;
}

/** Of the first run of the chain, on this revision, that has an accepted answer; null where none has, or it is not on record. */
export async function findAnsweredContext(
  db: Queryable,
  chain: { definition_id: string; origin_trigger_key: string; definition_hash: string },
): Promise<JsonObject | null> {
  const { rows } = await db.query(
    `SELECT r.context FROM instruction_calls c JOIN activity_runs r USING (run_id)
      WHERE c.definition_id = $1 AND c.origin_trigger_key = $2 AND c.definition_hash = $3 AND c.outcome = 'accepted'
        AND r.context IS NOT NULL
      ORDER BY c.ended_at LIMIT 1`,
    [chain.definition_id, chain.origin_trigger_key, chain.definition_hash],
  );
  return rows[0]?.context ?? null;
}

export async function unpinContexts(db: Queryable, runIds: string[]): Promise<void> {
  if (runIds.length === 0) return;
  await db.query('DELETE FROM pinned_contexts WHERE run_id = ANY ($1)', [runIds]);
}
