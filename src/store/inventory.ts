/** What stands in PostgreSQL about the service's own operation, read in one snapshot. Nothing is changed. */
import type { ScheduleTrigger } from '../core/definition.ts';
import { type Pool, type Queryable, transaction } from './pool.ts';

export interface StoreInventory {
  /** PostgreSQL's own, like `18.1`. */
  server_version: string;
  /** PostgreSQL's clock. */
  now: string;
  schedules: AppliedSchedule[];
  queues: StoredQueues;
  definitions: DeclaredDefinitions;
}

/** By definition. `paused`: through activity-core, or by hand in Temporal. */
export interface AppliedSchedule {
  definition_id: string;
  schedule: ScheduleTrigger;
  enabled: boolean;
  paused: boolean;
}

/** Without the run that asks, so that nothing waiting is 0. */
export interface StoredQueues {
  open_dispatches: number;
  outbox_pending: number;
  held_events: number;
  quarantine_open: number;
  running_runs: number;
}

/** `paused`: of the enabled ones. */
export interface DeclaredDefinitions {
  enabled: number;
  disabled: number;
  paused: number;
}

/** `askingRunId` is not counted. `timeoutMs`: for each statement. */
export function readStoreInventory(
  pool: Pool,
  askingRunId: string,
  timeoutMs: number,
): Promise<StoreInventory> {
  return transaction(pool, async (client) => {
    await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await client.query(`SET LOCAL statement_timeout = ${timeoutMs}`);
    return {
      ...(await readServer(client)),
      schedules: await listAppliedSchedules(client),
      queues: await countQueues(client, askingRunId),
      definitions: await countDefinitions(client),
    };
  });
}

async function readServer(db: Queryable): Promise<{ server_version: string; now: string }> {
  const { rows } = await db.query(
    "SELECT split_part(current_setting('server_version'), ' ', 1) AS server_version, clock_timestamp() AS now",
  );
  return rows[0];
}

async function listAppliedSchedules(db: Queryable): Promise<AppliedSchedule[]> {
  const { rows } = await db.query(
    `SELECT definition_id, s.schedule, s.enabled,
            p.definition_id IS NOT NULL OR s.paused_by_hand IS NOT NULL AS paused
       FROM schedules s LEFT JOIN definition_pauses p USING (definition_id)
      ORDER BY definition_id`,
  );
  return rows;
}

async function countQueues(db: Queryable, askingRunId: string): Promise<StoredQueues> {
  const { rows } = await db.query(
    `SELECT (SELECT count(*) FROM dispatches WHERE closed_at IS NULL AND $1 <> ALL (run_ids::text[])) AS open_dispatches,
            (SELECT count(*) FROM task_spawn_log WHERE status = 'pending') AS outbox_pending,
            (SELECT count(*) FROM event_decisions WHERE outcome = 'held') AS held_events,
            (SELECT count(*) FROM quarantined_events WHERE state = 'open') AS quarantine_open,
            (SELECT count(*) FROM activity_runs WHERE status = 'running' AND run_id::text <> $1) AS running_runs`,
    [askingRunId],
  );
  return rows[0];
}

async function countDefinitions(db: Queryable): Promise<DeclaredDefinitions> {
  const { rows } = await db.query(
    `SELECT count(*) FILTER (WHERE d.enabled) AS enabled,
            count(*) FILTER (WHERE NOT d.enabled) AS disabled,
            count(*) FILTER (WHERE d.enabled AND (p.definition_id IS NOT NULL OR s.paused_by_hand IS NOT NULL)) AS paused
       FROM activity_definitions d
       LEFT JOIN definition_pauses p USING (definition_id)
       LEFT JOIN schedules s USING (definition_id)
      WHERE d.is_current`,
  );
  return rows[0];
}
