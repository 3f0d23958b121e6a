/** What a promotion looks at: a definition's revisions, and the last audit run of some of them. */
import type { Definition } from '../core/definition.ts';
import { inOrder, isEach } from './in-order.ts';
import type { Queryable } from './pool.ts';
import { TRIGGER_KINDS } from './run-views.ts';

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

/** Longer than any transaction: a run's time is that of its transaction's beginning. */
const MARGIN = '1 hour';

/** The last completed audit run, of one of these revisions, that made a spec. */
export async function findAuditRun(
  db: Queryable,
  definitionId: string,
  hashes: readonly string[],
): Promise<string | null> {
  // A statement of its own, so that the other is planned for this time: a new revision is not looked for among a million runs.
  const { rows: revisions } = await db.query(
    `SELECT min(first_applied_at) - interval '${MARGIN}' AS since FROM activity_definitions
      WHERE definition_id = $1 AND definition_hash = ANY ($2)`,
    [definitionId, hashes],
  );
  const { rows } = await db.query(NEWEST_AUDIT_RUN, [definitionId, hashes, revisions[0].since]);
  return rows[0]?.run_id ?? null;
}

const NEWEST_AUDIT_RUN = inOrder({
  select: 'SELECT run_id, started_at FROM activity_runs',
  where: [
    'definition_id = $1',
    'definition_hash = ANY ($2)',
    'started_at >= $3',
    `status = 'completed' AND sink_mode = 'audit' AND task_count > 0`,
  ],
  each: [isEach('trigger_kind', TRIGGER_KINDS)],
  ...{ time: 'started_at', key: 'run_id', direction: 'DESC', limit: '1' },
});
