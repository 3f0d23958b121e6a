/**
 * Old runs, with all that is theirs. A run and its retries are one chain: they share their specs and answers, so they go
 * together or not at all.
 */
import { inOrder, isEach } from './in-order.ts';
import type { Queryable } from './pool.ts';
import type { DeletedRows, Walk, Walked } from './retention.ts';
import { RUN_KIND, RUN_KINDS } from './run-views.ts';

const OLDEST = inOrder({
  select: 'SELECT run_id, started_at FROM activity_runs',
  where: ['started_at < $1', '(started_at, run_id) > ($2::timestamptz, $3::uuid)'],
  each: [isEach(RUN_KIND, RUN_KINDS)],
  ...{ time: 'started_at', key: 'run_id', direction: 'ASC', limit: '$4' },
});

/** Inside a transaction. */
export async function deleteExpiredRuns(client: Queryable, { before, after, limit }: Walk): Promise<Walked> {
  const { rows } = await client.query(OLDEST, [before, after.time, after.key, limit]);
  const last = rows.at(-1);
  if (!last) return { deleted: {}, next: null };
  const locked = await lockChains(
    client,
    rows.map((row) => row.run_id),
  );
  return {
    deleted: await deleteChains(client, locked, before),
    next: rows.length === limit ? { time: last.started_at, key: last.run_id } : null,
  };
}

/** These runs and the others of their chains: none is retried, resumed or spoken of until the transaction ends. */
async function lockChains(client: Queryable, runIds: string[]): Promise<string[]> {
  const { rows } = await client.query(
    `WITH picked AS (SELECT run_id, definition_id, origin_trigger_key, retry_of FROM activity_runs WHERE run_id = ANY ($1)),
          members AS (
            SELECT run_id FROM picked
            UNION
            SELECT r.run_id FROM picked p JOIN activity_runs r USING (definition_id, origin_trigger_key)
             WHERE r.retry_of IS NOT NULL
            UNION
            SELECT r.run_id FROM picked p
              JOIN activity_runs r ON r.definition_id = p.definition_id AND r.trigger_key = p.origin_trigger_key
             WHERE p.retry_of IS NOT NULL)
     SELECT r.run_id FROM activity_runs r JOIN members USING (run_id) ORDER BY r.run_id FOR UPDATE OF r SKIP LOCKED`,
    [runIds],
  );
  return rows.map((row) => row.run_id);
}

/** What keeps an old run; `r` is the run, $2 the time before which things are old. */
const KEPT_BY = [
  `SELECT 1 FROM task_spawn_log t WHERE t.run_id = r.run_id AND t.status = 'pending'`,
  // Trust reads the newest ticks' runs and what was said of them.
  `SELECT 1 FROM schedule_ticks t
    WHERE t.definition_id = r.definition_id AND t.scheduled_for = r.scheduled_for AND t.run_id = r.run_id`,
  'SELECT 1 FROM run_reviews v WHERE v.run_id = r.run_id',
  `SELECT 1 FROM run_feedback f
    WHERE f.run_id = r.run_id AND (f.at >= $2 OR (f.for_state_hub AND f.posted_at IS NULL))`,
  // The newest completed run of what is enabled: an expectation that is declared later is counted from it.
  `SELECT 1 FROM watched_definitions w
    WHERE w.definition_id = r.definition_id AND r.status = 'completed'
      AND NOT EXISTS (SELECT 1 FROM activity_runs n WHERE n.definition_id = r.definition_id AND n.status = 'completed'
                         AND n.finished_at > r.finished_at)`,
  // It would be run again as a member that has no run.
  `SELECT 1 FROM (SELECT unnest(run_ids) AS run_id FROM dispatches WHERE closed_at IS NULL) AS open
    WHERE open.run_id = r.run_id`,
];

/** A statement of its own: it sees what those committed who held a run before it was locked. */
async function deleteChains(client: Queryable, runIds: string[], before: string): Promise<DeletedRows> {
  const { rows } = await client.query(
    `WITH old AS MATERIALIZED (
       SELECT run_id, definition_id, origin_trigger_key FROM activity_runs r
        WHERE run_id = ANY ($1) AND status <> 'running' AND greatest(started_at, finished_at) < $2
          AND ${KEPT_BY.map((reason) => `NOT EXISTS (${reason})`).join('\n          AND ')}),
     gone AS MATERIALIZED (
       SELECT run_id, definition_id, origin_trigger_key FROM old r
        WHERE NOT EXISTS (SELECT 1 FROM activity_runs m
                           WHERE m.definition_id = r.definition_id AND m.trigger_key = r.origin_trigger_key
                             AND NOT EXISTS (SELECT 1 FROM old WHERE old.run_id = m.run_id))
          AND NOT EXISTS (SELECT 1 FROM activity_runs m
                           WHERE m.definition_id = r.definition_id AND m.origin_trigger_key = r.origin_trigger_key
                             AND m.retry_of IS NOT NULL
                             AND NOT EXISTS (SELECT 1 FROM old WHERE old.run_id = m.run_id))),
     tasks AS (DELETE FROM task_spawn_log USING gone WHERE task_spawn_log.run_id = gone.run_id RETURNING 1),
     calls AS (DELETE FROM instruction_calls c USING gone
                WHERE c.definition_id = gone.definition_id AND c.origin_trigger_key = gone.origin_trigger_key RETURNING 1),
     feedback AS (DELETE FROM run_feedback USING gone WHERE run_feedback.run_id = gone.run_id RETURNING 1),
     runs AS (DELETE FROM activity_runs USING gone WHERE activity_runs.run_id = gone.run_id RETURNING 1)
     SELECT (SELECT count(*) FROM runs) AS activity_runs, (SELECT count(*) FROM tasks) AS task_spawn_log,
            (SELECT count(*) FROM calls) AS instruction_calls, (SELECT count(*) FROM feedback) AS run_feedback`,
    [runIds, before],
  );
  return rows[0];
}
