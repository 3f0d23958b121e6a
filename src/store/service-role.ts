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

/** All that PostgreSQL 18 knows for a table, and those of them that it knows for a column. */
const TABLE_VERBS = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'];
const COLUMN_VERBS = ['SELECT', 'INSERT', 'UPDATE', 'REFERENCES'];
/** Of PostgreSQL's own roles, those that only watch. Any other, also of a version to come, is refused. */
const WATCHING_ROLES = ['pg_monitor', 'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables'];

/** The role is not there, or could do more than it is granted. Nothing was granted when this is thrown. */
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
    await refuseSurplus(client, role);
  });
}

/** Returns the schema of the tables. What a role may become with SET ROLE counts as if it were that. */
async function refuseUnfit(client: Queryable, role: string): Promise<string> {
  const { rows } = await client.query(
    `SELECT n.nspname AS schema,
            EXISTS (SELECT FROM pg_roles g WHERE pg_has_role(r.oid, g.oid, 'MEMBER')
                       AND (g.rolsuper OR g.rolcreaterole OR g.rolreplication)) AS is_administrator,
            pg_has_role(r.oid, n.nspowner, 'MEMBER')
              OR EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
                            AND pg_has_role(r.oid, c.relowner, 'MEMBER')) AS is_owner,
            ARRAY(SELECT g.rolname::text FROM pg_roles g
                   WHERE starts_with(g.rolname, 'pg_') AND g.rolname <> ALL ($2::text[])
                     AND pg_has_role(r.oid, g.oid, 'MEMBER') ORDER BY 1) AS predefined,
            EXISTS (SELECT FROM aclexplode(n.nspacl) a
                     WHERE a.grantee = 0 AND a.privilege_type = 'CREATE') AS all_create
       FROM pg_roles r, pg_namespace n WHERE r.rolname = $1 AND n.nspname = current_schema()`,
    [role, WATCHING_ROLES],
  );
  const [found] = rows;
  if (!found) throw new ServiceRoleError(`there is no role ${role}; make it first: CREATE ROLE … LOGIN`);
  if (found.is_administrator)
    throw new ServiceRoleError(`${role} administers the server, whatever it is granted; use another role`);
  if (found.is_owner)
    throw new ServiceRoleError(`${role} is, or may become, the owner of the tables; use another role`);
  if (found.predefined.length > 0)
    throw new ServiceRoleError(
      `${role} is a member of ${found.predefined.join(', ')}; revoke that, or use another role`,
    );
  if (found.all_create)
    throw new ServiceRoleError(
      `every role may make tables in the schema ${found.schema}; first: REVOKE CREATE ON SCHEMA ${found.schema} FROM PUBLIC`,
    );
  return found.schema;
}

/** REVOKE takes away what was granted to the role itself; what it has from a group or from PUBLIC stays. */
async function refuseSurplus(client: Queryable, role: string): Promise<void> {
  const { rows } = await client.query(
    `WITH reachable AS (SELECT oid FROM pg_roles WHERE pg_has_role($1, oid, 'MEMBER')),
          tables AS (SELECT oid, relname::text AS name FROM pg_class
                      WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p'))
     SELECT t.name AS on, verb, NULL AS column FROM tables t, reachable g, unnest($2::text[]) AS verb
      WHERE has_table_privilege(g.oid, t.oid, verb)
     UNION
     SELECT t.name, verb, a.attname::text
       FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped,
            reachable g, unnest($3::text[]) AS verb
      WHERE has_column_privilege(g.oid, t.oid, a.attnum, verb) AND NOT has_table_privilege(g.oid, t.oid, verb)
     UNION
     SELECT 'the schema', 'CREATE', NULL FROM reachable g
      WHERE has_schema_privilege(g.oid, current_schema()::regnamespace, 'CREATE')
     ORDER BY 1, 2, 3`,
    [role, TABLE_VERBS, COLUMN_VERBS],
  );
  const surplus = rows.filter(({ on, verb, column }) => {
    const declared = SERVICE_PRIVILEGES[on] ?? [];
    return !declared.includes(verb) && !declared.includes(`${verb} (${column})`);
  });
  if (surplus.length === 0) return;
  const told = surplus.map(({ on, verb, column }) => `${column ? `${verb} (${column})` : verb} on ${on}`);
  throw new ServiceRoleError(
    `${role} could do more than the service needs, from a group or as every role: ${told.join(', ')}; revoke that first`,
  );
}
