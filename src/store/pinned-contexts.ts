/** `pinned_contexts`: what the sources answered a run whose model is asked, so that a later attempt asks about the same. */
import type { JsonObject } from '../core/json.ts';
import type { Queryable } from './pool.ts';

export interface PinnedContext {
  context: JsonObject;
  pinned_at: string;
}

/** The first one wins: where there is one, that is returned, and this one is forgotten. */
export async function pinContext(db: Queryable, runId: string, context: JsonObject): Promise<PinnedContext> {
  const { rows } = await db.query(
    // The update changes nothing: it returns the row that is there, also one that another transaction is making.
    `INSERT INTO pinned_contexts (run_id, context) VALUES ($1, $2)
     ON CONFLICT (run_id) DO UPDATE SET run_id = EXCLUDED.run_id
     RETURNING context, pinned_at`,
    [runId, JSON.stringify(context)],
  );
  return rows[0];
}

export async function readPinnedContext(db: Queryable, runId: string): Promise<PinnedContext | null> {
  const { rows } = await db.query('SELECT context, pinned_at FROM pinned_contexts WHERE run_id = $1', [
    runId,
  ]);
  return rows[0] ?? null;
}

export async function unpinContexts(db: Queryable, runIds: string[]): Promise<void> {
  if (runIds.length === 0) return;
  await db.query('DELETE FROM pinned_contexts WHERE run_id = ANY ($1)', [runIds]);
}
