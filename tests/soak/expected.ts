/**
 * What should have become of everything, as tables of a schema of its own beside the service's: millions of rows are compared where
 * they lie.
 */
import type { Pool } from '../../src/store/pool.ts';
import type { Change } from './changes.ts';
import { excludedBy, GUEST, LIVE, MAIN, SAMPLE } from './definitions.ts';
import { DUPLICATE_EVERY, SOURCE } from './messages.ts';
import type { Published } from './publisher.ts';

/** A batch that was matched before a change may be committed after it. */
export const LATE_MS = 5_000;

/**
 * `soak.events` (event_uid, id, n, kind `metrics` or `wanted`, fate, duplicates), as received; `soak.sent` (id, duplicates);
 * `soak.revisions` (definition_id, definition_hash, revision, excluded); `soak.stretches` (began, ended, main_hash, guest_hash): what
 * decided, without doubt, the events of a time; `soak.decisions` with `expected`, the outcome that its revision gives.
 */
export async function writeExpected(
  pool: Pool,
  { changes, published }: { changes: Change[]; published: Published },
): Promise<void> {
  await pool.query('CREATE SCHEMA soak');
  const again = DUPLICATE_EVERY;
  await pool.query(
    `CREATE TABLE soak.sent AS
       SELECT 'e-' || n AS id, CASE WHEN n % ${again} = ${again - 1} AND n + ${again} < ${published.metrics} THEN 1 ELSE 0 END AS duplicates
         FROM generate_series(0, ${published.metrics} - 1) AS n
       UNION ALL SELECT 'w-' || n, 0 FROM generate_series(0, ${published.wanted} - 1) AS n`,
  );
  await pool.query(
    `CREATE TABLE soak.events AS
       SELECT event_uid, id, substr(id, 3)::bigint AS n, CASE WHEN left(id, 1) = 'e' THEN 'metrics' ELSE 'wanted' END AS kind,
              fate, source = '${SOURCE}' AS is_ours, duplicates FROM events`,
  );
  await pool.query(
    'CREATE TABLE soak.revisions (definition_id text, definition_hash text, revision int, excluded int)',
  );
  await pool.query(
    `INSERT INTO soak.revisions SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::int[])`,
    columnsOf(await revisionsOf(pool, changes), 4),
  );
  await pool.query(
    'CREATE TABLE soak.stretches (began timestamptz, ended timestamptz, main_hash text, guest_hash text)',
  );
  await pool.query(
    `INSERT INTO soak.stretches SELECT * FROM
       (SELECT began + interval '${LATE_MS} ms' AS began, ended, main_hash, guest_hash
          FROM unnest($1::timestamptz[], $2::timestamptz[], $3::text[], $4::text[]) AS s (began, ended, main_hash, guest_hash)) s
      WHERE began < ended`,
    columnsOf(stretchesOf(changes), 4),
  );
  await pool.query(
    `CREATE TABLE soak.decisions AS
       SELECT d.event_uid, d.definition_id, d.definition_hash, d.outcome, d.run_id, d.decided_at, e.id, e.n, r.revision,
              CASE WHEN r.revision IS NULL THEN 'none'
                   WHEN d.definition_id = '${MAIN}' THEN CASE WHEN n % 20 = r.excluded THEN 'filtered' ELSE 'fired' END
                   WHEN d.definition_id = '${SAMPLE}' THEN CASE WHEN n % 10 = 0 THEN 'fired' ELSE 'filtered' END
                   WHEN d.definition_id = '${GUEST}' THEN CASE WHEN n % 10 = 1 THEN 'fired' ELSE 'filtered' END
                   WHEN d.definition_id = '${LIVE}' THEN 'fired' END AS expected
         FROM event_decisions d JOIN soak.events e USING (event_uid)
         LEFT JOIN soak.revisions r USING (definition_id, definition_hash)`,
  );
  await pool.query('ANALYZE');
}

type Cell = string | number | null;

const columnsOf = (rows: Cell[][], count: number): Cell[][] =>
  Array.from({ length: count }, (_, column) => rows.map((row) => row[column] ?? null));

async function revisionsOf(pool: Pool, changes: Change[]): Promise<Cell[][]> {
  const { rows } = await pool.query(
    'SELECT definition_id, definition_hash FROM activity_definitions WHERE definition_id = ANY($1)',
    [[SAMPLE, LIVE]],
  );
  const all: Cell[][] = [
    ...rows.map(({ definition_id, definition_hash }) => [definition_id, definition_hash, 0, null]),
    ...changes.flatMap(({ declared, main_hash, guest_hash }) => [
      [MAIN, main_hash, declared.main, excludedBy(declared.main)],
      ...(guest_hash && declared.guest ? [[GUEST, guest_hash, declared.guest.revision, null]] : []),
    ]),
  ];
  return [...new Map(all.map((row) => [`${row[0]} ${row[1]}`, row])).values()];
}

/** Between two changes that follow one another. */
function stretchesOf(changes: Change[]): Cell[][] {
  return changes.map(({ answered, main_hash, guest_hash }, place) => [
    answered,
    changes[place + 1]?.asked ?? 'infinity',
    main_hash,
    guest_hash,
  ]);
}
