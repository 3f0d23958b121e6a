/** `task_spawn_log`: each task spec, and what became of it. */
import type { TaskSpec } from '../core/decision.ts';
import type { JsonObject } from '../core/json.ts';
import { type Page, type PageRequest, readPage } from './page.ts';
import type { Queryable } from './pool.ts';

export const TASK_STATUSES = ['audited', 'pending', 'created', 'duplicate', 'failed', 'discarded'] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

export interface NewTask {
  idempotency_key: string;
  run_id: string;
  definition_id: string;
  rule_id: string;
  spec: TaskSpec;
  dedupe_key: string | null;
  status: TaskStatus;
  /** For audits and reports only; never sent (M10). */
  review_required: boolean;
}

export interface Task extends NewTask {
  task_ref: string | null;
  attempts: number;
  last_error: JsonObject | null;
  created_at: string;
  emitted_at: string | null;
}

const ANEW = "t.status IN ('failed', 'audited')";

/**
 * A key that is there belongs to an earlier run of the chain: the row moves to the retry, and only one that failed, or was
 * never to be sent, is rendered anew. One that was posted keeps its bytes, and how often nobody read an answer.
 */
export async function insertTasks(db: Queryable, tasks: NewTask[]): Promise<void> {
  await db.query(
    `INSERT INTO task_spawn_log AS t (idempotency_key, run_id, definition_id, rule_id, spec, dedupe_key, status,
                                      review_required)
     SELECT idempotency_key, run_id, definition_id, rule_id, spec, dedupe_key, status, review_required
       FROM jsonb_to_recordset($1) AS n (idempotency_key text, run_id uuid, definition_id text, rule_id text, spec jsonb,
                                        dedupe_key text, status text, review_required boolean)
     ON CONFLICT (idempotency_key) DO UPDATE SET
       run_id     = EXCLUDED.run_id,
       spec       = CASE WHEN ${ANEW} THEN EXCLUDED.spec ELSE t.spec END,
       dedupe_key = CASE WHEN ${ANEW} THEN EXCLUDED.dedupe_key ELSE t.dedupe_key END,
       request    = CASE WHEN ${ANEW} THEN NULL ELSE t.request END,
       duplicate_of = CASE WHEN ${ANEW} THEN NULL ELSE t.duplicate_of END,
       review_required = CASE WHEN ${ANEW} THEN EXCLUDED.review_required ELSE t.review_required END,
       not_before = NULL,
       status     = CASE WHEN ${ANEW} THEN EXCLUDED.status ELSE t.status END`,
    [JSON.stringify(tasks)],
  );
}

export interface TaskFilter {
  run_id?: string | undefined;
  definition_id?: string | undefined;
  status?: string | undefined;
  dedupe_key?: string | undefined;
}

export const TASK_COLUMNS = `idempotency_key, run_id, definition_id, rule_id, spec, dedupe_key, status, task_ref, attempts, last_error,
  review_required, created_at, emitted_at`;

export function listTasks(db: Queryable, filter: TaskFilter, request: PageRequest): Promise<Page<Task>> {
  const { run_id, definition_id, dedupe_key } = filter;
  // Without another filter, the column as task_spawn_log_by_status has it.
  const status = run_id || definition_id || dedupe_key ? 'status' : "(status || '')";
  return readPage<Task>(
    db,
    {
      select: `SELECT ${TASK_COLUMNS} FROM task_spawn_log`,
      time: 'created_at',
      key: 'idempotency_key',
      where: [
        { sql: 'run_id = ?', value: run_id },
        { sql: 'dedupe_key = ?', value: dedupe_key },
        { sql: 'definition_id = ?', value: definition_id },
        // A run has few, which an index of their own finds.
        { sql: `${status} = ?`, value: filter.status, each: run_id ? undefined : TASK_STATUSES },
      ],
    },
    request,
  );
}

export async function listTasksOfRun(db: Queryable, runId: string): Promise<Task[]> {
  const { rows } = await db.query(
    `SELECT ${TASK_COLUMNS} FROM task_spawn_log WHERE run_id = $1 ORDER BY created_at, rule_id, idempotency_key`,
    [runId],
  );
  return rows;
}

/** Whether the run was to send specs that it did not: refused ones, or ones that still wait. */
export async function hasUnsentTasks(db: Queryable, runId: string): Promise<boolean> {
  const { rows } = await db.query(
    "SELECT 1 FROM task_spawn_log WHERE run_id = $1 AND status IN ('failed', 'pending') LIMIT 1",
    [runId],
  );
  return rows.length > 0;
}
