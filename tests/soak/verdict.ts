/** Whether the promises were kept: every event, decision, run and task is counted. Each check gives the first faults it finds. */
import type { Pool } from '../../src/store/pool.ts';
import { type Check, differences } from '../setup/checks.ts';
import { tickFaults } from '../setup/due-ticks.ts';
import { messagesLeft } from '../setup/work-left.ts';
import type { Change } from './changes.ts';
import { GUEST, LIVE, MAIN, SAMPLE, TICK_EVERY_MS, TICKS } from './definitions.ts';
import { writeExpected } from './expected.ts';
import { MALFORMED_EVERY, wantedId } from './messages.ts';
import type { Published } from './publisher.ts';
import type { Rested } from './rest.ts';
import type { SoakSubject } from './subject.ts';

export interface Evidence {
  subject: SoakSubject;
  published: Published;
  changes: Change[];
  rested: Rested;
}

type Judge = (evidence: Evidence) => Promise<string[]>;

const CHECKS: Record<string, Judge> = {
  'nothing is left to be done': async ({ rested }) => rested.left,
  'the stream is empty and nothing waits for an acknowledgement': ({ subject }) => messagesLeft(subject),
  'each published event is accepted once, and its duplicates are counted': eventsAreOnce,
  'each malformed message is in quarantine, and nothing else': malformedAreQuarantined,
  'each event has one decision of each definition, and the one that its revision gives': decisionsAreRight,
  'each event was decided by the revisions that were applied then': revisionsAreCurrent,
  'each fired pair has one completed run': runsAreOnce,
  'each run has exactly its task': tasksAreOnce,
  'each tick has one outcome, and a completed run where it fired': ticksAreOnce,
  'each expected task is in issue-core once': issueCoreHasEach,
};

/** To be called once: it leaves tables behind. */
export async function judge(evidence: Evidence): Promise<Check[]> {
  await writeExpected(evidence.subject.pool, evidence);
  const checks: Check[] = [];
  for (const [what, check] of Object.entries(CHECKS)) checks.push({ what, faults: await check(evidence) });
  return checks;
}

const SHOWN = 20;

/** Each row that the query gives is a fault. */
async function faultsOf(pool: Pool, ...queries: string[]): Promise<string[]> {
  const faults: string[] = [];
  for (const query of queries) {
    const { rows } = await pool.query(`${query} LIMIT ${SHOWN}`);
    faults.push(...rows.map((row) => JSON.stringify(row)));
  }
  return faults;
}

function eventsAreOnce({ subject: { pool } }: Evidence): Promise<string[]> {
  return faultsOf(
    pool,
    `SELECT id, count(e.event_uid) AS times, min(s.duplicates) AS sent_again, sum(e.duplicates) AS duplicates, min(fate) AS fate
       FROM soak.sent s FULL JOIN soak.events e USING (id) GROUP BY id
     HAVING count(e.event_uid) <> 1 OR count(s.id) <> 1 OR sum(e.duplicates) <> min(s.duplicates)
         OR min(fate) <> 'accepted' OR NOT bool_and(is_ours)`,
    `SELECT e.id, e.duplicates FROM soak.events e LEFT JOIN event_duplicates d USING (event_uid)
      GROUP BY e.id, e.duplicates HAVING count(d.event_uid) <> e.duplicates`,
  );
}

function malformedAreQuarantined({ subject: { pool }, published }: Evidence): Promise<string[]> {
  return faultsOf(
    pool,
    `SELECT coalesce(body, 'quarantined ' || reason) AS fault, count(q.id) AS times
       FROM (SELECT 'not JSON, number ' || n AS body FROM generate_series(0, ${published.metrics} - 1, ${MALFORMED_EVERY}) AS n) s
       FULL JOIN (SELECT id, reason, state, encode(bytes, 'escape') AS text FROM quarantined_events) q ON q.text = s.body
      GROUP BY 1 HAVING count(q.id) <> 1 OR count(body) <> 1 OR min(reason) <> 'not_json' OR min(state) <> 'open'`,
  );
}

function decisionsAreRight({ subject: { pool } }: Evidence): Promise<string[]> {
  return faultsOf(
    pool,
    `SELECT id, definition_id, definition_hash, outcome, expected FROM soak.decisions WHERE outcome IS DISTINCT FROM expected`,
    `SELECT e.id, count(d.event_uid) AS decisions FROM soak.events e
       LEFT JOIN event_decisions d ON d.event_uid = e.event_uid AND d.definition_id <> '${GUEST}' GROUP BY e.id, e.kind
     HAVING array_agg(d.definition_id ORDER BY d.definition_id) IS DISTINCT FROM
            CASE e.kind WHEN 'metrics' THEN ARRAY['${MAIN}', '${SAMPLE}'] ELSE ARRAY['${LIVE}'] END`,
  );
}

/** Buckets with an odd number are stretches; between them a change was being made. Where nothing was compared, nothing is shown. */
async function revisionsAreCurrent({ subject: { pool } }: Evidence): Promise<string[]> {
  await pool.query(
    `CREATE TABLE soak.compared AS
     WITH bounds AS (SELECT array_agg(bound ORDER BY bound) AS bounds
                       FROM (SELECT unnest(ARRAY[began, ended]) AS bound FROM soak.stretches) b),
          placed AS (SELECT m.*, width_bucket(m.decided_at, bounds) AS bucket FROM soak.decisions m, bounds
                      WHERE definition_id = '${MAIN}' AND bounds IS NOT NULL),
          stretches AS (SELECT s.*, 2 * row_number() OVER (ORDER BY began) - 1 AS bucket FROM soak.stretches s)
     SELECT p.id, p.definition_hash, s.main_hash, g.definition_hash AS guest, s.guest_hash
       FROM placed p JOIN stretches s USING (bucket)
       LEFT JOIN event_decisions g ON g.event_uid = p.event_uid AND g.definition_id = '${GUEST}'`,
  );
  return faultsOf(
    pool,
    `SELECT * FROM soak.compared WHERE definition_hash <> main_hash OR guest IS DISTINCT FROM guest_hash`,
    `SELECT 'no event was decided long enough after a change' AS fault WHERE NOT EXISTS (SELECT 1 FROM soak.compared)`,
  );
}

function runsAreOnce({ subject: { pool } }: Evidence): Promise<string[]> {
  return faultsOf(
    pool,
    `SELECT coalesce(d.definition_id, r.definition_id) AS definition_id, coalesce(d.id, r.event_id) AS event_id, count(r.run_id) AS runs,
            min(r.status) AS status, min(r.sink_mode) AS sink_mode
       FROM (SELECT * FROM soak.decisions WHERE outcome = 'fired') d
       FULL JOIN (SELECT * FROM activity_runs WHERE trigger_kind <> 'schedule') r
              ON r.definition_id = d.definition_id AND r.event_uid = d.event_uid
      GROUP BY 1, 2
     HAVING count(r.run_id) <> 1 OR count(d.id) <> 1 OR min(r.status) <> 'completed' OR NOT bool_and(r.run_id = d.run_id)
         OR NOT bool_and(r.definition_hash = d.definition_hash)
         OR NOT bool_and(r.sink_mode = CASE r.definition_id WHEN '${LIVE}' THEN 'live' ELSE 'audit' END)`,
  );
}

/** By title, in which the revision stands: a run is what its decision is pinned to. */
function tasksAreOnce({ subject: { pool } }: Evidence): Promise<string[]> {
  return faultsOf(
    pool,
    `WITH due AS (SELECT run_id, CASE definition_id WHEN '${LIVE}' THEN 'Task ' || id ELSE 'Revision ' || revision || ': ' || id END AS title,
                         CASE definition_id WHEN '${LIVE}' THEN 'created' ELSE 'audited' END AS status
                    FROM soak.decisions WHERE outcome = 'fired' AND (definition_id <> '${MAIN}' OR n % 10 < 8))
     SELECT coalesce(due.run_id, t.run_id) AS run_id, min(due.title) AS title, min(t.spec->>'title') AS found, count(t.run_id) AS times,
            min(t.status) AS status
       FROM due FULL JOIN (SELECT * FROM task_spawn_log WHERE definition_id <> '${TICKS}') t USING (run_id)
      GROUP BY 1
     HAVING count(t.run_id) <> 1 OR count(due.title) <> 1 OR min(t.spec->>'title') <> min(due.title) OR min(t.status) <> min(due.status)`,
  );
}

async function ticksAreOnce({ subject: { pool }, changes, rested }: Evidence): Promise<string[]> {
  const since = changes[0]?.answered ?? rested.until;
  const due = { definition_id: TICKS, every_ms: TICK_EVERY_MS, since, until: rested.until };
  return [
    ...(await tickFaults(pool, due)),
    ...(await faultsOf(
      pool,
      `SELECT scheduled_for, t.outcome, count(r.run_id) AS runs, min(r.status) AS status FROM schedule_ticks t
         FULL JOIN (SELECT * FROM activity_runs WHERE trigger_kind = 'schedule' AND status <> 'missed') r USING (definition_id, scheduled_for)
        GROUP BY scheduled_for, t.outcome
       HAVING count(r.run_id) <> CASE t.outcome WHEN 'fired' THEN 1 ELSE 0 END OR min(r.status) <> 'completed'`,
    )),
  ];
}

async function issueCoreHasEach({ subject: { pool, issueCore }, published }: Evidence): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT scheduled_for FROM schedule_ticks WHERE definition_id = $1 AND outcome = 'fired'`,
    [TICKS],
  );
  const expected = [
    ...Array.from({ length: published.wanted }, (_, n) => `Task ${wantedId(n)}`),
    ...rows.map(({ scheduled_for }) => `Tick ${scheduled_for}`),
  ];
  const { rows: log } = await pool.query(
    'SELECT idempotency_key, status, task_ref FROM task_spawn_log WHERE definition_id = ANY($1)',
    [[LIVE, TICKS]],
  );
  const tasks = issueCore.tasks();
  return [
    ...differences(
      expected,
      tasks.map(({ body }) => body.title),
    ),
    ...differences(
      tasks.map(({ idempotency_key, ref }) => `${idempotency_key} created ${ref}`),
      log.map(({ idempotency_key, status, task_ref }) => `${idempotency_key} ${status} ${task_ref}`),
    ),
  ];
}
