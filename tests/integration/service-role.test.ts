/** The role that the service connects as: exactly what is declared, whoever grants it and however often. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { grantServiceRole, SERVICE_PRIVILEGES } from '../../src/store/service-role.ts';
import { createTestDatabase, type MigratedDatabase } from '../setup/database.ts';

const REFUSED = { code: '42501' };
/** All that PostgreSQL 18 knows for a table. */
const PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'];

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createTestDatabase(inject('servers').database_url);
});
afterAll(() => database[Symbol.asyncDispose]());

const roleOf = ({ serviceUrl }: MigratedDatabase) => new URL(serviceUrl).username;

/** `<privilege>`, or `<privilege> (column)` where it is of one column alone, by table. */
async function privilegesOf(role: string): Promise<Record<string, string[]>> {
  const { rows } = await database.pool.query(
    `SELECT tablename AS "table", ARRAY(
              SELECT p FROM unnest($2::text[]) AS p WHERE has_table_privilege($1, format('public.%I', tablename), p)
              UNION ALL
              SELECT format('%s (%s)', p, attname) FROM unnest($2::text[]) AS p, pg_attribute a
               WHERE a.attrelid = format('public.%I', tablename)::regclass AND a.attnum > 0 AND NOT a.attisdropped
                 AND p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                 AND has_column_privilege($1, a.attrelid, a.attnum, p)
                 AND NOT has_table_privilege($1, a.attrelid, p)) AS privileges
       FROM pg_tables WHERE schemaname = 'public'`,
    [role, PRIVILEGES],
  );
  return Object.fromEntries(rows.map(({ table, privileges }) => [table, privileges.toSorted()]));
}

const DECLARED = Object.fromEntries(
  Object.entries(SERVICE_PRIVILEGES).map(([table, privileges]) => [table, privileges.toSorted()]),
);

async function createRole(options = '', prefix = 'role_'): Promise<string> {
  const role = `${prefix}${randomUUID().replaceAll('-', '')}`;
  await database.pool.query(`CREATE ROLE ${role} ${options}`);
  onTestFinished(async () => {
    await database.pool.query(`DROP OWNED BY ${role}`);
    await database.pool.query(`DROP ROLE ${role}`);
  });
  return role;
}

test('the role has exactly the privileges that are declared, for every table of the schema', async () => {
  expect(await privilegesOf(roleOf(database))).toEqual(DECLARED);
});

test('it administers nothing, owns nothing and makes nothing', async () => {
  const { rows } = await database.servicePool.query(
    `SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
            has_schema_privilege('public', 'CREATE') AS creates, has_database_privilege(current_database(), 'CREATE') AS schemas,
            (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owned
       FROM pg_roles r WHERE rolname = current_user`,
  );
  expect(rows).toEqual([
    {
      rolsuper: false,
      rolcreaterole: false,
      rolcreatedb: false,
      rolreplication: false,
      rolbypassrls: false,
      creates: false,
      schemas: false,
      owned: 0,
    },
  ]);
});

test.each([
  'CREATE TABLE mine (id integer)',
  'ALTER TABLE events ADD COLUMN mine text',
  'DROP TABLE events',
  'CREATE INDEX mine ON events (id)',
  'TRUNCATE events',
  'DELETE FROM activity_definitions',
  'DELETE FROM schema_migrations',
  "UPDATE event_ids SET content_hash = ''",
  'UPDATE event_ids SET recorded_at = now()',
  "UPDATE run_reviews SET verdict = 'approved'",
  'UPDATE tick_evidence SET evidence_hash = run_id::text',
  "INSERT INTO schema_migrations VALUES (99, 'x', 'x')",
  'SELECT * FROM task_instances',
  "COPY events TO PROGRAM 'true'",
  'SELECT * FROM pg_authid',
])('it may not: %s', async (statement) => {
  await expect(database.servicePool.query(statement)).rejects.toMatchObject(
    statement.startsWith('ALTER') || statement.startsWith('DROP') || statement.startsWith('CREATE INDEX')
      ? { code: '42501', message: expect.stringContaining('must be owner') }
      : REFUSED,
  );
});

test('a lock on rows that never change is all that their column allows: a verdict keeps its number', async () => {
  await expect(database.servicePool.query('UPDATE run_reviews SET review_id = 1')).rejects.toMatchObject({
    message: expect.stringContaining('can only be updated to DEFAULT'),
  });
});

test('granting again takes away what the role had besides, and two at once are safe', async () => {
  const role = await createRole();
  await database.pool.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`);
  await database.pool.query(`GRANT UPDATE (content_hash) ON event_ids TO ${role}`);
  await database.pool.query(`GRANT CREATE ON SCHEMA public TO ${role}`);
  await Promise.all([grantServiceRole(database.pool, role), grantServiceRole(database.pool, role)]);
  expect(await privilegesOf(role)).toEqual(DECLARED);
  const { rows } = await database.pool.query(
    "SELECT has_schema_privilege($1, 'public', 'CREATE') AS creates",
    [role],
  );
  expect(rows).toEqual([{ creates: false }]);
});

test.each([
  ['a group that it inherits', 'events', 'TRUNCATE', ''],
  ['a group that it may only become', 'schema_migrations', 'INSERT', 'WITH INHERIT FALSE, SET TRUE'],
  ['a group, for a column', 'run_reviews', 'UPDATE (verdict)', ''],
])(
  'what it has from %s is more than declared: it is told, and nothing was granted',
  async (_from, table, privilege, how) => {
    const role = await createRole();
    const group = await createRole();
    await database.pool.query(`GRANT ${privilege} ON ${table} TO ${group}`);
    await database.pool.query(`GRANT ${group} TO ${role} ${how}`);
    await expect(grantServiceRole(database.pool, role)).rejects.toMatchObject({
      code: 'service_role_refused',
      message: expect.stringContaining(`as every role: ${privilege} on ${table}; revoke`),
    });
    await database.pool.query(`REVOKE ${group} FROM ${role}`);
    expect((await privilegesOf(role)).events).toEqual([]);
  },
);

test.each([
  ['events', 'TRIGGER'],
  ['task_instances', 'SELECT'],
  ['event_ids', 'UPDATE (content_hash)'],
])('what every role may do is more than declared, too: on %s %s', async (table, privilege) => {
  const role = await createRole();
  await database.pool.query(`GRANT ${privilege} ON ${table} TO PUBLIC`);
  try {
    await expect(grantServiceRole(database.pool, role)).rejects.toThrow(`${privilege} on ${table}; revoke`);
  } finally {
    await database.pool.query(`REVOKE ${privilege} ON ${table} FROM PUBLIC`);
  }
});

test('a group that may do no more than is declared, or only watches, harms nothing', async () => {
  const group = await createRole('BYPASSRLS', 'pgx');
  await database.pool.query(`GRANT SELECT, UPDATE (status) ON task_spawn_log TO ${group}`);
  const role = await createRole(`BYPASSRLS IN ROLE ${group}, pg_monitor`);
  await grantServiceRole(database.pool, role);
  expect(await privilegesOf(role)).toEqual(DECLARED);
});

test('a role that may make tables through a group is refused', async () => {
  const group = await createRole();
  await database.pool.query(`GRANT CREATE ON SCHEMA public TO ${group}`);
  await expect(grantServiceRole(database.pool, await createRole(`IN ROLE ${group}`))).rejects.toThrow(
    'CREATE on the schema; revoke',
  );
});

test.each([
  'pg_write_all_data',
  'pg_read_all_data',
  'pg_maintain',
  'pg_execute_server_program',
  'pg_signal_backend',
])('a member of %s is refused', async (predefined) => {
  const role = await createRole(`IN ROLE ${predefined}`);
  await expect(grantServiceRole(database.pool, role)).rejects.toThrow(`is a member of ${predefined}; revoke`);
});

test('who owns a single table is refused, whoever grants', async () => {
  const role = await createRole();
  const { rows } = await database.pool.query('SELECT current_user AS owner');
  await database.pool.query(`ALTER TABLE events OWNER TO ${role}`);
  try {
    await expect(grantServiceRole(database.pool, role)).rejects.toThrow('the owner of the tables');
  } finally {
    await database.pool.query(`ALTER TABLE events OWNER TO ${rows[0].owner}`);
  }
});

test('a role that is not there, an administrator, and one that is or may become the owner are refused', async () => {
  const { rows } = await database.pool.query('SELECT current_user AS owner');
  const { owner } = rows[0];
  const refused = (role: string) =>
    expect(grantServiceRole(database.pool, role)).rejects.toMatchObject({ code: 'service_role_refused' });
  await refused('nobody"; DROP TABLE events; --');
  await refused(await createRole('SUPERUSER'));
  await refused(await createRole('CREATEROLE'));
  await refused(await createRole('REPLICATION'));
  await refused(await createRole(`IN ROLE ${await createRole('CREATEROLE')}`));
  await refused(owner);
  await refused(await createRole(`IN ROLE ${owner}`));
});

test('where every role may make tables in the schema, that is told first', async () => {
  const role = await createRole();
  await database.pool.query('GRANT CREATE ON SCHEMA public TO PUBLIC');
  try {
    await expect(grantServiceRole(database.pool, role)).rejects.toThrow(
      'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
    );
  } finally {
    await database.pool.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  }
});

test('`migrate --service-role` grants, is safe to repeat, and ends with 2 for a role that is none', async () => {
  const role = await createRole();
  for (const _ of [1, 2]) {
    const granted = await migrateCommand(role);
    expect(granted).toMatchObject({ code: 0, output: expect.stringContaining(`${role} has the privileges`) });
  }
  expect(await privilegesOf(role)).toEqual(DECLARED);
  expect(await migrateCommand('nobody')).toMatchObject({
    code: 2,
    output: expect.stringContaining('error: there is no role nobody; make it first'),
  });
});

function migrateCommand(role: string): Promise<{ code: number; output: string }> {
  const args = ['src/main.ts', 'migrate', '--service-role', role];
  const env = { PATH: process.env.PATH, DATABASE_URL: database.url };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, output: `${stdout}${stderr}` });
    });
  });
}
