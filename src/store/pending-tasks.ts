/** Specs that wait in `task_spawn_log` as `pending`: what an operator resumes or discards. */
import type { Queryable } from './pool.ts';
import { TASK_COLUMNS, type Task } from './task-spawn-log.ts';

/** Whose specs; without members, everybody's. */
export interface PendingScope {
  run_id?: string | undefined;
  definition_id?: string | undefined;
}

const IN_SCOPE = '($1::uuid IS NULL OR t.run_id = $1) AND ($2::text IS NULL OR t.definition_id = $2)';
const inScope = ({ run_id = undefined, definition_id = undefined }: PendingScope) => [
  run_id ?? null,
  definition_id ?? null,
];

/** Another run of its chain is at work: it may take these specs over. Both ways have an index. */
const CHAIN_AT_WORK = `EXISTS (
  SELECT 1 FROM activity_runs o
   WHERE o.definition_id = r.definition_id AND o.status = 'running' AND o.run_id <> r.run_id
     AND (o.trigger_key = r.origin_trigger_key OR (o.retry_of IS NOT NULL AND o.origin_trigger_key = r.origin_trigger_key)))`;

/** Pending specs of runs that are over, by the revision that made them. */
export interface PendingRevision {
  definition_id: string;
  definition_hash: string;
  /** A retry of their runs is at work. */
  is_retried: boolean;
  count: number;
}

export async function listPendingRevisions(db: Queryable, scope: PendingScope): Promise<PendingRevision[]> {
  const { rows } = await db.query(
    `SELECT definition_id, definition_hash, is_retried, sum(specs)::bigint AS count
       FROM (SELECT r.definition_id, r.definition_hash, ${CHAIN_AT_WORK} AS is_retried, count(*) AS specs
               FROM task_spawn_log t JOIN activity_runs r USING (run_id)
              WHERE t.status = 'pending' AND r.status <> 'running' AND ${IN_SCOPE}
              GROUP BY r.run_id) AS runs
      GROUP BY definition_id, definition_hash, is_retried ORDER BY definition_id, definition_hash, is_retried`,
    inScope(scope),
  );
  return rows;
}

/** A revision whose specs are to be resumed. */
export type ResumableRevision = Pick<PendingRevision, 'definition_id' | 'definition_hash'>;

/** A run that is over and has pending specs. */
export interface PendingRun extends ResumableRevision {
  run_id: string;
  origin_trigger_key: string;
}

const RUNS_OF_REVISIONS = `task_spawn_log t JOIN activity_runs r USING (run_id)
  WHERE t.status = 'pending' AND r.status <> 'running' AND ${IN_SCOPE} AND NOT ${CHAIN_AT_WORK}
    AND (r.definition_id, r.definition_hash) IN (SELECT * FROM unnest($3::text[], $4::text[]))`;

const ofRevisions = (revisions: readonly ResumableRevision[]) => [
  revisions.map(({ definition_id }) => definition_id),
  revisions.map(({ definition_hash }) => definition_hash),
];

/** By id, those after `after`. */
export async function listPendingRuns(
  db: Queryable,
  { scope, revisions }: { scope: PendingScope; revisions: readonly ResumableRevision[] },
  { after, limit }: { after: string | null; limit: number },
): Promise<PendingRun[]> {
  const { rows } = await db.query(
    `SELECT DISTINCT r.run_id, r.definition_id, r.definition_hash, r.origin_trigger_key FROM ${RUNS_OF_REVISIONS}
        AND ($5::uuid IS NULL OR r.run_id > $5) ORDER BY r.run_id LIMIT $6`,
    [...inScope(scope), ...ofRevisions(revisions), after, limit],
  );
  return rows;
}

/** What a resume would send, newest first. */
export async function previewPendingTasks(
  db: Queryable,
  { scope, revisions }: { scope: PendingScope; revisions: readonly ResumableRevision[] },
  limit: number,
): Promise<Task[]> {
  const { rows } = await db.query(
    `SELECT ${taskColumns('t')} FROM ${RUNS_OF_REVISIONS} ORDER BY t.created_at DESC, t.idempotency_key DESC LIMIT $5`,
    [...inScope(scope), ...ofRevisions(revisions), limit],
  );
  return rows;
}

/** Those of these runs that are over, locked until the transaction ends, and whose chain has no other run at work. */
export async function lockRunsToReopen(db: Queryable, runIds: readonly string[]): Promise<Set<string>> {
  await db.query('SELECT 1 FROM activity_runs WHERE run_id = ANY ($1) ORDER BY run_id FOR UPDATE', [runIds]);
  // A statement of its own: it sees what those committed whom the lock waited for.
  const { rows } = await db.query(
    `SELECT r.run_id FROM activity_runs r
      WHERE r.run_id = ANY ($1) AND r.status <> 'running' AND NOT ${CHAIN_AT_WORK}
        AND EXISTS (SELECT 1 FROM task_spawn_log t WHERE t.run_id = r.run_id AND t.status = 'pending')`,
    [runIds],
  );
  return new Set(rows.map((row) => row.run_id));
}

/** The pending specs of these runs: the newest, and how many there are. */
export async function listPendingTasksOfRuns(
  db: Queryable,
  runIds: readonly string[],
  limit: number,
): Promise<{ count: number; items: Task[] }> {
  const { rows } = await db.query(
    `SELECT ${TASK_COLUMNS}, count(*) OVER () AS total FROM task_spawn_log
      WHERE run_id = ANY ($1) AND status = 'pending' ORDER BY created_at DESC, idempotency_key DESC LIMIT $2`,
    [runIds, limit],
  );
  return { count: rows[0]?.total ?? 0, items: rows.map(({ total: _total, ...task }) => task) };
}

/** All that is pending, also of runs that are emitting: the newest, and how many there are. */
export async function listPendingTasks(
  db: Queryable,
  scope: PendingScope,
  limit: number,
): Promise<{ count: number; items: Task[] }> {
  const { rows } = await db.query(
    `SELECT ${TASK_COLUMNS}, count(*) OVER () AS total FROM task_spawn_log t
      WHERE status = 'pending' AND ${IN_SCOPE} ORDER BY created_at DESC, idempotency_key DESC LIMIT $3`,
    [...inScope(scope), limit],
  );
  return { count: rows[0]?.total ?? 0, items: rows.map(({ total: _total, ...task }) => task) };
}

/** An answer that is on its way is recorded all the same. `by_definition`: how many of each. */
export async function discardPendingTasks(
  db: Queryable,
  scope: PendingScope,
  limit: number,
): Promise<{ items: Task[]; by_definition: Record<string, number> }> {
  // Locked in one order, so that two at once cannot deadlock.
  const { rows } = await db.query(
    `WITH picked AS (SELECT idempotency_key FROM task_spawn_log t WHERE status = 'pending' AND ${IN_SCOPE}
                      ORDER BY idempotency_key FOR UPDATE),
          gone AS (UPDATE task_spawn_log AS t SET status = 'discarded' FROM picked
                    WHERE t.idempotency_key = picked.idempotency_key RETURNING ${taskColumns('t')}),
          counted AS (SELECT definition_id, count(*) AS n FROM gone GROUP BY definition_id)
     SELECT *, (SELECT jsonb_object_agg(definition_id, n) FROM counted) AS by_definition
       FROM gone ORDER BY created_at DESC, idempotency_key DESC LIMIT $3`,
    [...inScope(scope), limit],
  );
  const { by_definition = {} } = rows[0] ?? {};
  return { items: rows.map(({ by_definition: _counts, ...task }) => task), by_definition };
}

function taskColumns(table: string): string {
  return TASK_COLUMNS.split(',')
    .map((column) => `${table}.${column.trim()}`)
    .join(', ');
}
