/** What a promotion looks at: a definition's revisions, and the last audit run of some of them. */
import type { Definition } from '../core/definition.ts';
import type { Queryable } from './pool.ts';

export interface RevisionDocument {
  definition_hash: string;
  document: Definition;
}

/** The newest first. */
export async function listRevisions(
  db: Queryable,
  definitionId: string,
  limit: number,
): Promise<RevisionDocument[]> {
  const { rows } = await db.query(
    `SELECT definition_hash, document FROM activity_definitions
      WHERE definition_id = $1 ORDER BY is_current DESC, applied_at DESC LIMIT $2`,
    [definitionId, limit],
  );
  return rows;
}

/** The last completed audit run, of one of these revisions, that made a spec. */
export async function findAuditRun(
  db: Queryable,
  definitionId: string,
  hashes: readonly string[],
): Promise<string | null> {
  const { rows } = await db.query(
    `SELECT run_id FROM activity_runs
      WHERE definition_id = $1 AND definition_hash = ANY ($2) AND status = 'completed' AND sink_mode = 'audit' AND task_count > 0
      ORDER BY started_at DESC, run_id DESC LIMIT 1`,
    [definitionId, hashes],
  );
  return rows[0]?.run_id ?? null;
}
