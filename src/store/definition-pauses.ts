/** `definition_pauses`: a row while a definition is paused. Whoever changes it advances the registry's version. */
import type { Queryable } from './pool.ts';

export interface Pause {
  reason: string;
  paused_at: string;
}

export async function readPause(db: Queryable, definitionId: string): Promise<Pause | null> {
  const { rows } = await db.query(
    'SELECT reason, paused_at FROM definition_pauses WHERE definition_id = $1',
    [definitionId],
  );
  return rows[0] ?? null;
}

/** The same, until the transaction ends. Waits for the batches that hold events because of it. */
export async function lockPause(db: Queryable, definitionId: string): Promise<Pause | null> {
  const { rows } = await db.query(
    'SELECT reason, paused_at FROM definition_pauses WHERE definition_id = $1 FOR UPDATE',
    [definitionId],
  );
  return rows[0] ?? null;
}

/** Which of these are paused. They stay so until the transaction ends; sorted, so that two batches cannot deadlock. */
export async function keepPauses(db: Queryable, definitionIds: string[]): Promise<Set<string>> {
  const { rows } = await db.query(
    'SELECT definition_id FROM definition_pauses WHERE definition_id = ANY ($1) ORDER BY 1 FOR KEY SHARE',
    [definitionIds],
  );
  return new Set(rows.map((row) => row.definition_id));
}

/** What is paused already gets the newer reason, and stays paused since the first. */
export async function upsertPause(db: Queryable, definitionId: string, pause: Pause): Promise<void> {
  await db.query(
    `INSERT INTO definition_pauses (definition_id, reason, paused_at) VALUES ($1, $2, $3)
     ON CONFLICT (definition_id) DO UPDATE SET reason = $2`,
    [definitionId, pause.reason, pause.paused_at],
  );
}

/** Whether it was paused. */
export async function deletePause(db: Queryable, definitionId: string): Promise<boolean> {
  const { rowCount } = await db.query('DELETE FROM definition_pauses WHERE definition_id = $1', [
    definitionId,
  ]);
  return rowCount === 1;
}

/** The ids of all paused definitions, those that are no longer declared among them. */
export async function listPaused(db: Queryable): Promise<string[]> {
  const { rows } = await db.query('SELECT definition_id FROM definition_pauses ORDER BY 1');
  return rows.map((row) => row.definition_id);
}
