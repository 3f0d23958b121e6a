/**
 * What a million identities take on disk: docs/retention.md has what it said. Run it with
 * `npx node tests/bench/event-ids.ts [rows]`; it starts a PostgreSQL of its own and removes it.
 */
import { mkdtemp } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultCacheDir, startServers } from '../../src/dev/servers.ts';
import { createTestDatabase } from '../setup/database.ts';

const rows = Number(process.argv[2] ?? 1_000_000);
/** As many as a busy bridge records in one transaction. */
const BATCH = 500;
const PLANNED = 100_000_000;

await using servers = await startServers({
  stateDir: await mkdtemp(join(tmpdir(), 'activity-core-bench-')),
  cacheDir: process.env.ACTIVITY_CORE_CACHE ?? defaultCacheDir(),
  path: process.env.PATH ?? '',
  ports: { temporal: 0, temporal_ui: 0, nats: 0, postgres: 0 },
  use: { temporal_address: '127.0.0.1:1', nats_url: 'nats://127.0.0.1:1' },
  ephemeral: true,
  log: (message) => console.error(message),
});
await using database = await createTestDatabase(servers.database_url);
const { pool } = database;

await pool.query(`
  CREATE PROCEDURE fill(batches integer) LANGUAGE plpgsql AS $$
  BEGIN
    FOR batch IN 1..batches LOOP
      INSERT INTO event_ids (event_uid, content_hash, stream_seq, stream_timestamp)
      SELECT gen_random_uuid(), sha256((batch * ${BATCH} + n)::text::bytea), batch * ${BATCH} + n,
             extract(epoch FROM clock_timestamp()) * 1000000
        FROM generate_series(1, ${BATCH}) AS n;
      COMMIT;
    END LOOP;
  END $$`);
await pool.query('CALL fill($1)', [Math.ceil(rows / BATCH)]);
await pool.query('VACUUM ANALYZE event_ids');

const version = (await pool.query('SHOW server_version')).rows[0].server_version;
const inserted = (await pool.query('SELECT count(*) AS n FROM event_ids')).rows[0].n;
const parts = await pool.query(
  `SELECT relname AS name, pg_relation_size(oid) AS bytes FROM pg_class
    WHERE oid = 'event_ids'::regclass OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'event_ids'::regclass)
    ORDER BY relkind DESC, relname`,
);
const total = { name: 'together', bytes: parts.rows.reduce((sum, { bytes }) => sum + bytes, 0) };
console.log(
  `PostgreSQL ${version}, ${process.platform} ${process.arch}, ${cpus().length} cores, ${inserted} rows`,
);
for (const { name, bytes } of [...parts.rows, total]) {
  const aRow = bytes / inserted;
  const planned = (aRow * PLANNED) / 2 ** 30;
  console.log(
    `${name}: ${bytes} bytes, ${aRow.toFixed(1)} a row, ${planned.toFixed(1)} GiB at ${PLANNED / 1e6} million`,
  );
}
