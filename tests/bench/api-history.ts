/** A database with as much history as years leave behind, made by PostgreSQL itself. */
import type { Pool } from '../../src/store/pool.ts';

/** What an operator may ask for, from what is common to what hardly exists. */
export const COMMON_DEFINITION = 'low-success-rate-review';
export const RARE_DEFINITION = 'bench-rare';
export const SCHEDULED_DEFINITION = 'bench-scheduled';
/** The common one and its copies, as they are declared. */
export const DEFINITIONS = 200;
export const COMMON_KEY = 'the-same-each-time';
export const COMMON_TYPE = 'kaizen.metrics.recorded';
export const RARE_TYPE = 'bench.rare';
/** It has never sent the rare type. */
export const COMMON_SOURCE = 'bench-0';

/** The newest is a minute old, and each is 30 seconds older: a million of them are a year. */
const STARTED = "now() - interval '1 minute' - n * interval '30 seconds'";
const RUN_ID = "md5('run ' || n)::uuid";
const EVENT_UID = "md5('event ' || n)::uuid";

const NUMBERED = `
  SELECT n, ${STARTED} AS at, ${RUN_ID} AS run_id, ${EVENT_UID} AS event_uid, 'bench-' || n AS event_id,
         CASE WHEN n % 2000 = 7 THEN '${RARE_DEFINITION}' WHEN n % 12 = 5 THEN '${SCHEDULED_DEFINITION}'
              WHEN n % 3 = 1 THEN '${COMMON_DEFINITION}-' || 2 + n % ${DEFINITIONS - 1}
              ELSE '${COMMON_DEFINITION}' END AS definition_id,
         CASE WHEN n % 5 = 2 THEN '${COMMON_KEY}' ELSE 'low-success-rate:repository-' || n % 300 END AS dedupe_key,
         CASE WHEN n % 2000 <> 7 AND n % 12 = 5 THEN 'schedule' WHEN n % 97 = 3 THEN 'manual' WHEN n % 499 = 2 THEN 'retry'
              ELSE 'event' END AS kind,
         CASE WHEN n % 25 = 1 THEN 'failed' WHEN n % 400 = 11 THEN 'missed' ELSE 'completed' END AS status,
         jsonb_build_object('agent', 'coach', 'project', 'repository-' || n % 300,
           'summary', jsonb_build_object('success_rate', (n % 100) / 100.0, 'runs', n % 40)) AS attributes
    FROM generate_series(1, $1::integer) AS n`;

const STATEMENTS = [
  `INSERT INTO activity_runs (run_id, definition_id, definition_hash, trigger_key, origin_trigger_key, trigger_kind,
     event_id, event_uid, scheduled_for, status, task_count, sink_mode, sink_reason, dispatch_id, workflow_id,
     workflow_run_id, started_at, finished_at, error, context, rules)
   SELECT run_id, definition_id, repeat('0', 64), kind || ':' || n, kind || ':' || n, kind,
     CASE WHEN kind = 'event' THEN event_id END, CASE WHEN kind = 'event' THEN event_uid END,
     CASE WHEN kind = 'schedule' THEN at END, status, CASE WHEN status = 'completed' AND n % 10 < 8 THEN 1 ELSE 0 END,
     'audit', 'the definition says emit: audit', md5('dispatch ' || n / 200)::uuid, md5('dispatch ' || n / 200),
     md5('workflow run ' || n / 200), at, at + interval '40 milliseconds',
     CASE WHEN status = 'failed' THEN jsonb_build_object('code', 'rule_error', 'message', 'a field is missing',
       'details', jsonb_build_object('expression', 'context.metrics.summary.success_rate < 0.8')) END,
     jsonb_build_object('metrics', attributes),
     jsonb_build_array(jsonb_build_object('rule_id', 'low-success-rate', 'result', n % 10 < 8,
       'expression', 'context.metrics.summary.success_rate < 0.8',
       'values', jsonb_build_object('context.metrics.summary.success_rate', (n % 100) / 100.0)))
   FROM (${NUMBERED}) AS numbered`,
  `INSERT INTO task_spawn_log (idempotency_key, run_id, definition_id, rule_id, spec, dedupe_key, status, created_at)
   SELECT encode(sha256(('task ' || n)::bytea), 'hex'), run_id, definition_id, 'low-success-rate',
     jsonb_build_object('title', 'Review coach in repository-' || n % 300, 'description', 'Success rate 0.62',
       'labels', jsonb_build_array('kaizen', 'quality'), 'priority', 'medium', 'target_repo', 'repository-' || n % 300,
       'dedupe_key', dedupe_key),
     dedupe_key,
     CASE WHEN n % 50 = 3 THEN 'created' WHEN n % 1000 = 4 THEN 'failed' ELSE 'audited' END, at
   FROM (${NUMBERED}) AS numbered WHERE status = 'completed' AND n % 10 < 8`,
  `INSERT INTO events (event_uid, fate, id, source, type, time, received_at, subject, stream_seq, envelope)
   SELECT event_uid, CASE WHEN n % 1000 = 9 THEN 'unmatched' ELSE 'accepted' END, event_id, 'bench-' || n % 5,
     CASE WHEN n % 3000 = 3 THEN '${RARE_TYPE}' ELSE '${COMMON_TYPE}' END, at, at,
     'activity.kaizen.metrics.recorded', n,
     jsonb_build_object('id', event_id, 'type', 'kaizen.metrics.recorded', 'source', 'bench-' || n % 5, 'time', at,
       'attributes', attributes)
   FROM (${NUMBERED}) AS numbered`,
  `INSERT INTO event_decisions (event_uid, definition_id, definition_hash, outcome, values, run_id, decided_at)
   SELECT event_uid, definition_id, repeat('0', 64), 'fired',
     jsonb_build_object('event.attributes.project', 'repository-' || n % 300), run_id, at
   FROM (${NUMBERED}) AS numbered`,
  `INSERT INTO schedule_ticks (definition_id, scheduled_for, deadline, outcome, run_id, workflow_started_at)
   SELECT CASE WHEN n % 2000 = 7 THEN '${RARE_DEFINITION}' ELSE '${SCHEDULED_DEFINITION}' END, at, at + interval '1 hour',
     CASE WHEN n % 500 = 9 THEN 'missed' WHEN n % 5000 = 11 THEN 'overlapped' ELSE 'fired' END, run_id, at
   FROM (${NUMBERED}) AS numbered WHERE n % 4 = 1 OR n % 2000 = 7`,
  // Those that may still start are not listed.
  `INSERT INTO schedule_ticks (definition_id, scheduled_for, deadline)
   SELECT '${SCHEDULED_DEFINITION}', now() - n * interval '1 millisecond', now() + interval '1 hour'
     FROM generate_series(1, least(500, $1::integer)) AS n`,
  `INSERT INTO quarantined_events (id, event_id, received_at, subject, headers, reason, violations, bytes, size, state, state_changed_at)
   SELECT event_uid, CASE WHEN n % 20 = 0 THEN '${COMMON_KEY}' ELSE event_id END, at, 'activity.kaizen.metrics.recorded', '{}',
     CASE WHEN n % 1000 = 0 THEN 'too_large' WHEN n % 30 = 0 THEN 'not_json' ELSE 'invalid_attributes' END, '[]',
     convert_to(repeat('x', 300), 'UTF8'), 300, CASE WHEN n % 700 = 0 THEN 'open' ELSE 'discarded' END,
     CASE WHEN n % 700 <> 0 THEN at END
   FROM (${NUMBERED}) AS numbered WHERE n % 10 = 0`,
];

/** A definition that is declared, like the common one, and has a schedule. */
const DECLARE_SCHEDULED = `
  INSERT INTO activity_definitions (definition_id, definition_hash, title, owner, enabled, trigger, emit, document, is_current)
  SELECT '${SCHEDULED_DEFINITION}', repeat('1', 64), title, owner, enabled, scheduled.trigger, emit,
         document || jsonb_build_object('id', '${SCHEDULED_DEFINITION}', 'trigger', scheduled.trigger,
                                        'context_sources', '[]'::jsonb, 'rules', '[]'::jsonb), true
    FROM activity_definitions,
         (SELECT '{"schedule": {"every": "60s", "timezone": "UTC", "overlap": "skip", "catchup_window": "1h",
                                "jitter": "0s"}}'::jsonb AS trigger) AS scheduled
   WHERE definition_id = '${COMMON_DEFINITION}' AND is_current`;

/**
 * The common definition is declared already.
 * @param count of runs, of events, and of their decisions; of specs, ticks and refused messages there are fewer
 */
export async function makeHistory(pool: Pool, count: number): Promise<void> {
  for (const statement of STATEMENTS) await pool.query(statement, [count]);
  await pool.query(DECLARE_SCHEDULED);
  await pool.query('UPDATE registry_version SET version = version + 1');
  await pool.query('VACUUM (ANALYZE)');
}
