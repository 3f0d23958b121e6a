/**
 * Every page that reads what grows: each filter of each list with values that are common, rare and absent, all filters
 * together, from the beginning and by cursor from the middle. Made for the history of api-history.ts.
 */
import { QUARANTINE_REASONS } from '../../src/core/envelope.ts';
import { FATES } from '../../src/store/events.ts';
import { MOST_COUNTED } from '../../src/store/overview.ts';
import { encodeCursor } from '../../src/store/page.ts';
import type { Pool } from '../../src/store/pool.ts';
import { QUARANTINE_STATES } from '../../src/store/quarantined-events.ts';
import { TRIGGER_KINDS } from '../../src/store/run-views.ts';
import { RUN_STATUSES } from '../../src/store/runs.ts';
import { TICK_OUTCOMES } from '../../src/store/schedule-ticks.ts';
import { TASK_STATUSES } from '../../src/store/task-spawn-log.ts';
import {
  COMMON_DEFINITION,
  COMMON_KEY,
  COMMON_SOURCE,
  COMMON_TYPE,
  RARE_DEFINITION,
  RARE_TYPE,
  SCHEDULED_DEFINITION,
} from './api-history.ts';

export interface ApiPage {
  /** `runs`, `one run`, and so on: pages that are told of together. */
  resource: string;
  path: string;
  /** How many rows the answer is made of at most. */
  rows: number;
}

/** What nobody has. */
const ABSENT = 'nobody';
const DEFINITIONS = [COMMON_DEFINITION, SCHEDULED_DEFINITION, RARE_DEFINITION, ABSENT];

type Filters = Record<string, readonly string[]>;

const FILTERS: Record<string, Filters> = {
  runs: { definition_id: DEFINITIONS, status: RUN_STATUSES, trigger: TRIGGER_KINDS },
  tasks: { definition_id: DEFINITIONS, status: TASK_STATUSES },
  events: {
    type: [COMMON_TYPE, RARE_TYPE, 'nobody.said'],
    fate: FATES,
    source: [COMMON_SOURCE, 'bench-3', ABSENT],
  },
  ticks: { definition_id: DEFINITIONS, outcome: TICK_OUTCOMES },
  quarantine: { state: QUARANTINE_STATES, reason: QUARANTINE_REASONS },
};

const FROM_THE_MIDDLE: Record<string, string> = {
  runs: 'SELECT started_at AS time, run_id AS key FROM activity_runs',
  tasks: 'SELECT created_at AS time, idempotency_key AS key FROM task_spawn_log',
  events: 'SELECT received_at AS time, event_uid AS key FROM events',
  ticks: 'SELECT scheduled_for AS time, definition_id AS key FROM schedule_ticks',
  quarantine: 'SELECT received_at AS time, id AS key FROM quarantined_events',
};

const PAGE = 50;
const LARGEST_PAGE = 500;
/** Trust looks at so many of the newest ticks when it is asked for a hundred. */
const TRUST_TICKS = 200;
/** Its counts, up to their bounds. */
const OVERVIEW_ROWS = 6 * MOST_COUNTED;

export async function listApiPages(pool: Pool): Promise<ApiPage[]> {
  const pages: ApiPage[] = [];
  const add = (resource: string, path: string, rows = PAGE) => pages.push({ resource, path, rows });
  for (const [resource, filters] of Object.entries(FILTERS)) {
    const cursor = await middleOf(pool, FROM_THE_MIDDLE[resource] ?? '');
    for (const query of queriesOf(filters)) {
      add(resource, `/api/v1/${resource}?${query}`);
      add(resource, `/api/v1/${resource}?${[query, `cursor=${cursor}`].filter(Boolean).join('&')}`);
    }
    add(resource, `/api/v1/${resource}?limit=${LARGEST_PAGE}`, LARGEST_PAGE);
  }
  const { run_id, event_id, event_uid, since, until, quarantine_id } = await someOf(pool);
  for (const query of ['', '&status=failed', `&definition_id=${ABSENT}`])
    add('runs', `/api/v1/runs?event_id=${event_id}${query}`);
  for (const query of ['', `&definition_id=${RARE_DEFINITION}`, '&status=failed', '&trigger=retry']) {
    add('runs', `/api/v1/runs?since=${since}&until=${until}${query}`);
    add('runs', `/api/v1/runs?until=${since}${query}&limit=${LARGEST_PAGE}`, LARGEST_PAGE);
  }
  for (const query of ['', '&status=failed', `&dedupe_key=${COMMON_KEY}`])
    add('tasks', `/api/v1/tasks?run_id=${run_id}${query}`);
  for (const key of [COMMON_KEY, 'low-success-rate:repository-7', ABSENT])
    for (const query of [
      '',
      `&definition_id=${ABSENT}`,
      ...TASK_STATUSES.map((status) => `&status=${status}`),
    ])
      add('tasks', `/api/v1/tasks?dedupe_key=${key}${query}`);
  for (const query of ['', `&source=${ABSENT}`, '&fate=unmatched'])
    add('events', `/api/v1/events?id=${event_id}${query}`);
  for (const id of [COMMON_KEY, ABSENT])
    for (const query of ['', ...QUARANTINE_STATES.map((state) => `&state=${state}`)])
      add('quarantine', `/api/v1/quarantine?event_id=${id}${query}`);
  add('ticks', `/api/v1/ticks?since=${since}&until=${until}`);
  add('ticks', `/api/v1/ticks?definition_id=${SCHEDULED_DEFINITION}&outcome=paused&until=${until}`);
  add('one run', `/api/v1/runs/${run_id}`);
  add('one event', `/api/v1/events/${event_uid}`);
  add('one event', `/api/v1/events/${event_id}`);
  add('one refused message', `/api/v1/quarantine/${quarantine_id}`);
  add('definitions', '/api/v1/definitions');
  add('definitions', `/api/v1/definitions?limit=${LARGEST_PAGE}`, LARGEST_PAGE);
  for (const id of [COMMON_DEFINITION, SCHEDULED_DEFINITION]) {
    add('one definition', `/api/v1/definitions/${id}`);
    add('promotion', `/api/v1/definitions/${id}/promotion`);
    add('trust', `/api/v1/trust/${id}?required=100`, TRUST_TICKS);
  }
  add('event types', '/api/v1/event-types');
  add('overview', '/api/v1/overview', OVERVIEW_ROWS);
  add('health', '/readyz');
  add('health', '/metrics');
  return pages;
}

/** Each filter with each value or without, together with each of the others. */
function queriesOf(filters: Filters): string[] {
  return Object.entries(filters).reduce<string[]>(
    (queries, [name, values]) =>
      queries.flatMap((query) => [
        query,
        ...values.map((value) => `${query === '' ? '' : `${query}&`}${name}=${value}`),
      ]),
    [''],
  );
}

async function middleOf(pool: Pool, rows: string): Promise<string> {
  const { rows: found } = await pool.query(
    `SELECT * FROM (${rows}) AS t WHERE time <= (SELECT min(time) + (max(time) - min(time)) / 2 FROM (${rows}) AS t)
      ORDER BY time DESC LIMIT 1`,
  );
  const [{ time, key }] = found;
  return encodeCursor(time, key);
}

/** A run that an event triggered, with its event, from the middle. */
async function someOf(pool: Pool): Promise<Record<string, string>> {
  const { rows } = await pool.query(
    `WITH span AS (SELECT min(started_at) AS first, max(started_at) AS last FROM activity_runs)
     SELECT run_id, event_id, event_uid, started_at AS until, first + (last - first) / 20 AS since,
            (SELECT id FROM quarantined_events LIMIT 1) AS quarantine_id
       FROM activity_runs, span
      WHERE trigger_kind = 'event' AND started_at <= first + (last - first) / 2 ORDER BY started_at DESC LIMIT 1`,
  );
  return rows[0];
}
