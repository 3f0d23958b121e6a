/** Whether all that was promised was kept: counts, from the tables and from issue-core's own book. Nothing is counted in time. */
import type { Pool } from '../../src/store/pool.ts';
import { type Check, differences } from '../setup/checks.ts';
import { tickFaults } from '../setup/due-ticks.ts';
import { messagesLeft } from '../setup/work-left.ts';
import {
  AUDIT,
  EVENT_SOURCE,
  eventId,
  isFiltered,
  LIVE,
  malformedBody,
  TICK_EVERY_MS,
  TICKS,
} from './definitions.ts';
import type { Drained } from './drain.ts';
import type { Publications, Sent } from './publisher.ts';
import type { Subjects } from './subjects.ts';

export interface Evidence {
  subjects: Subjects;
  sent: Publications;
  /** Before anything was applied, and when all was ready; RFC 3339. */
  ready: string;
  drained: Drained;
}

type Judge = (evidence: Evidence) => Promise<string[]>;

const CHECKS: Record<string, Judge> = {
  'nothing is left to be done': async ({ drained }) => drained.left,
  'each published event has one fate': eventsHaveOneFate,
  'each malformed message is quarantined': malformedAreQuarantined,
  'each event has one decision of each definition': decisionsAreOne,
  'each fired pair and tick has one completed run': runsAreOne,
  'each expected task is in issue-core once': tasksAreOnce,
  'the spawn log has each task with its reference': logHasEachTask,
  'each due tick has one outcome': ticksHaveOutcomes,
  'the stream is empty and nothing waits for an acknowledgement': ({ subjects }) => messagesLeft(subjects),
};

export async function judge(evidence: Evidence): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [what, check] of Object.entries(CHECKS)) checks.push({ what, faults: await check(evidence) });
  return checks;
}

async function eventsHaveOneFate({ subjects: { pool }, sent }: Evidence): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT id, fate, source, duplicates,
            (SELECT count(*) FROM event_duplicates d WHERE d.event_uid = e.event_uid) AS counted FROM events e`,
  );
  const byId = Map.groupBy(rows, ({ id }) => id as string);
  const faults = [...sent.events].flatMap(([n, one]) => {
    const found = byId.get(eventId(n)) ?? [];
    byId.delete(eventId(n));
    const [row] = found;
    if (found.length !== 1 || row.fate !== 'accepted' || row.source !== EVENT_SOURCE)
      return [`${eventId(n)}: ${JSON.stringify(found)}`];
    if (row.duplicates !== row.counted)
      return [`${eventId(n)}: ${row.duplicates} duplicates, ${row.counted} rows`];
    return countedWithin(eventId(n), row.duplicates + 1, one);
  });
  return [...faults, ...[...byId.keys()].map((id) => `${id} was never published`)];
}

/** What was not answered may have been stored besides what was. */
function countedWithin(what: string, found: number, { acknowledged, unanswered }: Sent): string[] {
  if (found >= acknowledged && found <= acknowledged + unanswered) return [];
  return [`${what}: ${found} messages on record, ${acknowledged} acknowledged, ${unanswered} unanswered`];
}

async function malformedAreQuarantined({ subjects: { pool }, sent }: Evidence): Promise<string[]> {
  const { rows } = await pool.query(`SELECT bytes, reason, state FROM quarantined_events`);
  const byBody = Map.groupBy(rows, ({ bytes }) => (bytes as Buffer).toString());
  const faults = [...sent.malformed].flatMap(([n, one]) => {
    const found = byBody.get(malformedBody(n)) ?? [];
    byBody.delete(malformedBody(n));
    const strange = found.filter(({ reason, state }) => reason !== 'not_json' || state !== 'open');
    return [
      ...strange.map((row) => JSON.stringify(row)),
      ...countedWithin(`malformed ${n}`, found.length, one),
    ];
  });
  return [...faults, ...[...byBody].map(([body, [row]]) => `quarantined ${row?.reason}: ${body}`)];
}

async function decisionsAreOne({ subjects: { pool }, sent }: Evidence): Promise<string[]> {
  const { rows } = await pool.query(
    'SELECT e.id, d.definition_id, d.outcome FROM event_decisions d JOIN events e USING (event_uid)',
  );
  const found = rows.map(({ id, definition_id, outcome }) => `${id} ${definition_id} ${outcome}`);
  const expected = [...sent.events.keys()].flatMap((n) => [
    `${eventId(n)} ${LIVE} fired`,
    `${eventId(n)} ${AUDIT} ${isFiltered(n) ? 'filtered' : 'fired'}`,
  ]);
  return differences(expected, found);
}

/** A retry belongs to the same chain: of a chain, exactly one run is completed. */
async function runsAreOne({ subjects: { pool }, sent }: Evidence): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT definition_id, event_id, scheduled_for, trigger_kind, status, sink_mode, sink_reason, error, run_id FROM activity_runs
      WHERE definition_id <> $1 OR status <> 'missed'`,
    [TICKS],
  );
  const over = rows.filter(
    ({ status, error }) =>
      status !== 'completed' && !(status === 'failed' && error?.code === 'workflow_terminated'),
  );
  const due = await timesRun(pool);
  const completed = rows
    .filter(({ status }) => status === 'completed')
    .map((run) => `${run.definition_id} ${run.event_id ?? run.scheduled_for} ${run.sink_mode}`);
  const expected = [
    ...[...sent.events.keys()].flatMap((n) => [
      `${LIVE} ${eventId(n)} live`,
      ...(isFiltered(n) ? [] : [`${AUDIT} ${eventId(n)} audit`]),
    ]),
    ...due.map((time) => `${TICKS} ${time} live`),
  ];
  return [...over.map((run) => JSON.stringify(run)), ...differences(expected, completed)];
}

/** By title, from what was published and what ticked: it does not ask how the keys are made. */
async function tasksAreOnce({ subjects: { pool, issueCore }, sent }: Evidence): Promise<string[]> {
  const due = await timesRun(pool);
  const expected = [
    ...[...sent.events.keys()].map((n) => `Event ${eventId(n)}`),
    ...due.map((time) => `Tick ${time}`),
  ];
  const bodies = Map.groupBy(
    issueCore.requests().filter(({ method, path }) => method === 'POST' && path === '/api/v1/tasks'),
    ({ idempotency_key }) => idempotency_key,
  );
  const changed = [...bodies].filter(([, posts]) => new Set(posts.map(({ body }) => body)).size > 1);
  return [
    ...differences(
      expected,
      issueCore.tasks().map(({ body }) => body.title),
    ),
    ...changed.map(([key]) => `${key} was posted with different bytes`),
  ];
}

/** Of ticks that fired. What an operator's reset starts again after its tick was missed is a run by hand. */
async function timesRun(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT scheduled_for FROM schedule_ticks WHERE definition_id = $1 AND outcome = 'fired'
     UNION ALL
     SELECT scheduled_for FROM activity_runs WHERE definition_id = $1 AND trigger_kind = 'manual'`,
    [TICKS],
  );
  return rows.map(({ scheduled_for }) => scheduled_for);
}

async function logHasEachTask({ subjects: { pool, issueCore } }: Evidence): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT idempotency_key, status, task_ref FROM task_spawn_log WHERE definition_id <> $1`,
    [AUDIT],
  );
  const { rows: audited } = await pool.query(
    `SELECT status FROM task_spawn_log WHERE definition_id = $1 AND status <> 'audited'`,
    [AUDIT],
  );
  return [
    ...differences(
      issueCore.tasks().map(({ idempotency_key, ref }) => `${idempotency_key} created ${ref}`),
      rows.map(({ idempotency_key, status, task_ref }) => `${idempotency_key} ${status} ${task_ref}`),
    ),
    ...audited.map(({ status }) => `a spec of ${AUDIT} is ${status}`),
  ];
}

function ticksHaveOutcomes({ subjects: { pool }, ready, drained }: Evidence): Promise<string[]> {
  return tickFaults(pool, {
    definition_id: TICKS,
    every_ms: TICK_EVERY_MS,
    since: ready,
    until: drained.until,
  });
}
