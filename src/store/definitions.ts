/** `activity_definitions` (revisions), `definition_pauses` and the version that tells readers of a change. */
import type { Definition } from '../core/definition.ts';
import type { Queryable } from './pool.ts';
import { beginWatch, endWatches } from './watched-definitions.ts';

export interface DefinitionRow {
  definition_id: string;
  definition_hash: string;
  document: Definition;
  enabled: boolean;
  paused: boolean;
  pause_reason: string | null;
}

export async function readRegistryVersion(db: Queryable): Promise<number> {
  const { rows } = await db.query('SELECT version FROM registry_version');
  return rows[0].version;
}

/** Until the transaction ends: one writer of the registry at a time. */
export async function lockRegistry(db: Queryable): Promise<void> {
  await db.query('SELECT version FROM registry_version FOR UPDATE');
}

/** Tells every reader to read again. */
export async function advanceRegistryVersion(db: Queryable): Promise<void> {
  await db.query('UPDATE registry_version SET version = version + 1');
}

export async function listCurrentDefinitions(db: Queryable): Promise<DefinitionRow[]> {
  const { rows } = await db.query(
    `SELECT d.definition_id, d.definition_hash, d.document, d.enabled,
            p.definition_id IS NOT NULL AS paused, p.reason AS pause_reason
       FROM activity_definitions d LEFT JOIN definition_pauses p USING (definition_id)
      WHERE d.is_current ORDER BY d.definition_id`,
  );
  return rows;
}

/** Null where it is not declared now. */
export async function findCurrentDefinition(
  db: Queryable,
  definitionId: string,
): Promise<DefinitionRow | null> {
  const { rows } = await db.query(
    `SELECT d.definition_id, d.definition_hash, d.document, d.enabled,
            p.definition_id IS NOT NULL AS paused, p.reason AS pause_reason
       FROM activity_definitions d LEFT JOIN definition_pauses p USING (definition_id)
      WHERE d.is_current AND d.definition_id = $1`,
    [definitionId],
  );
  return rows[0] ?? null;
}

/** Any revision that was ever applied: runs are pinned to theirs. */
export async function findRevision(
  db: Queryable,
  definitionId: string,
  hash: string,
): Promise<Definition | null> {
  const { rows } = await db.query(
    'SELECT document FROM activity_definitions WHERE definition_id = $1 AND definition_hash = $2',
    [definitionId, hash],
  );
  return rows[0]?.document ?? null;
}

export async function makeRevisionCurrent(
  db: Queryable,
  definition: Definition,
  hash: string,
): Promise<void> {
  await db.query(
    'UPDATE activity_definitions SET is_current = false WHERE definition_id = $1 AND is_current AND definition_hash <> $2',
    [definition.id, hash],
  );
  await db.query(
    `INSERT INTO activity_definitions
       (definition_id, definition_hash, title, owner, enabled, trigger, emit, document, is_current)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, true)
     ON CONFLICT (definition_id, definition_hash) DO UPDATE SET is_current = true, applied_at = now()`,
    [
      definition.id,
      hash,
      definition.title,
      definition.owner,
      definition.enabled,
      JSON.stringify(definition.trigger),
      definition.emit,
      JSON.stringify(definition),
    ],
  );
  await (definition.enabled ? beginWatch(db, definition.id) : endWatches(db, [definition.id]));
}

/** What is no longer declared is no longer current; its revisions stay. Returns the ids. */
export async function pruneDefinitions(db: Queryable, keep: string[]): Promise<string[]> {
  const { rows } = await db.query(
    `UPDATE activity_definitions SET is_current = false
      WHERE is_current AND NOT definition_id = ANY ($1) RETURNING definition_id`,
    [keep],
  );
  const pruned = rows.map((row) => row.definition_id);
  await endWatches(db, pruned);
  return pruned;
}
