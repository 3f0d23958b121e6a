/**
 * What the running service may do, table by table; whoever migrates owns the tables and may do the rest. The role itself
 * is made by a database administrator: neither a role nor a password is made here (docs/security.md).
 */
import pg from 'pg';
import { MIGRATION_LOCK } from './migrate.ts';
import { type Pool, type Queryable, transaction } from './pool.ts';

const READ = ['SELECT'];
const READ_CHANGE = ['SELECT', 'UPDATE'];
const NEVER_DELETED = ['SELECT', 'INSERT', 'UPDATE'];
const NEVER_CHANGED = ['SELECT', 'INSERT', 'DELETE'];
const ALL_ROWS = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

/**
 * Every table of the schema → privileges as GRANT spells them. `UPDATE (column)` is for rows that are locked and never
 * changed: FOR UPDATE needs it of one column, and of these nothing but themselves depends.
 */
export const SERVICE_PRIVILEGES: Readonly<Record<string, readonly string[]>> = {
  activity_definitions: NEVER_DELETED,
  activity_runs: ALL_ROWS,
  definition_pauses: ALL_ROWS,
  dispatches: ALL_ROWS,
  event_decisions: ALL_ROWS,
  event_duplicates: NEVER_CHANGED,
  event_ids: [...NEVER_CHANGED, 'UPDATE (stream_timestamp)'],
  event_types: ALL_ROWS,
  events: ALL_ROWS,
  expectation_breaches: ALL_ROWS,
  instruction_calls: ALL_ROWS,
  pinned_contexts: ALL_ROWS,
  quarantine_overflow: NEVER_DELETED,
  quarantine_overflow_messages: [...NEVER_CHANGED, 'UPDATE (recorded_at)'],
  quarantine_volume: NEVER_CHANGED,
  quarantined_events: ALL_ROWS,
  registry_version: READ_CHANGE,
  retention: READ_CHANGE,
  run_feedback: ALL_ROWS,
  run_reviews: [...NEVER_CHANGED, 'UPDATE (review_id)'],
  schedule_ticks: ALL_ROWS,
  schedules: ALL_ROWS,
  schema_migrations: READ,
  task_budgets: NEVER_DELETED,
  task_instances: [],
  task_spawn_log: ALL_ROWS,
  tick_evidence: NEVER_CHANGED,
  watched_definitions: ALL_ROWS,
};

/** The role is not there, or could do more whatever it is granted. Nothing was granted when this is thrown. */
export class ServiceRoleError extends Error {
  readonly code = 'service_role_refused';
}

/** Takes away what the role had and grants what stands above, in one transaction: safe to repeat, also under load. */
export async function grantServiceRole(pool: Pool, role: string): Promise<void> {
  await transaction(pool, async (client) => {
    // Two at once would fail over PostgreSQL's own rows.
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    const schema = pg.escapeIdentifier(await refuseUnfit(client, role));
    const grantee = pg.escapeIdentifier(role);
    await client.query(
      [
        `REVOKE ALL ON ALL TABLES IN SCHEMA ${schema} FROM ${grantee}`,
        `REVOKE ALL ON ALL SEQUENCES IN SCHEMA ${schema} FROM ${grantee}`,
        `REVOKE ALL ON SCHEMA ${schema} FROM ${grantee}`,
        `GRANT USAGE ON SCHEMA ${schema} TO ${grantee}`,
        ...Object.entries(SERVICE_PRIVILEGES)
          .filter(([, privileges]) => privileges.length > 0)
          .map(([table, privileges]) => `GRANT ${privileges.join(', ')} ON ${schema}.${table} TO ${grantee}`),
      ].join(';\n'),
    );
  });
}

/** Returns the schema of the tables. */
async function refuseUnfit(client: Queryable, role: string): Promise<string> {
  const { rows } = await client.query(
    `SELECT current_schema() AS schema, rolsuper OR rolcreaterole AS is_administrator,
            pg_has_role(oid, current_user, 'MEMBER') AS is_owner,
            EXISTS (SELECT 1 FROM pg_namespace n, aclexplode(n.nspacl) a
                     WHERE n.nspname = current_schema() AND a.grantee = 0 AND a.privilege_type = 'CREATE') AS all_create
       FROM pg_roles WHERE rolname = $1`,
    [role],
  );
  const [found] = rows;
  if (!found) throw new ServiceRoleError(`there is no role ${role}; make it first: CREATE ROLE … LOGIN`);
  if (found.is_administrator)
    throw new ServiceRoleError(`${role} administers the server, whatever it is granted; use another role`);
  if (found.is_owner)
    throw new ServiceRoleError(`${role} is, or may become, the owner of the tables; use another role`);
  if (found.all_create)
    throw new ServiceRoleError(
      `every role may make tables in the schema ${found.schema}; first: REVOKE CREATE ON SCHEMA ${found.schema} FROM PUBLIC`,
    );
  return found.schema;
}
