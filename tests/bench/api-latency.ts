/** (h) Lists and details of the API with a long history: each filter, first pages and deep ones, over HTTP. */
import { encodeCursor } from '../../src/store/page.ts';
import type { Pool } from '../../src/store/pool.ts';
import { quantile } from '../setup/statistics.ts';
import { COMMON_DEFINITION, makeHistory, RARE_DEFINITION, SCHEDULED_DEFINITION } from './api-history.ts';
import type { Bench } from './bench.ts';
import { latencyRow, type Row } from './report.ts';
import { openSubject } from './subject.ts';

interface Page {
  what: string;
  path: string;
}

export async function measureApiLatency(bench: Bench): Promise<Row[]> {
  const { servers, options, tell } = bench;
  await using subject = await openSubject(servers);
  tell(`  making ${options.apiRuns} runs`);
  await makeHistory(subject.pool, options.apiRuns);
  const { url } = await subject.start();
  const pages = await pagesOf(subject.pool);
  const times = new Map<Page, number[]>(pages.map((page) => [page, []]));
  for (const { path } of pages) await timed(`${url}/api/v1${path}`);
  // In turns, so that no page has all its requests in one good or bad moment.
  for (let n = 0; n < options.rounds * options.apiRequests; n += 1)
    for (const [page, milliseconds] of times) milliseconds.push(await timed(`${url}/api/v1${page.path}`));
  const slowest = [...times].toSorted(([, a], [, b]) => quantile(b, 0.95) - quantile(a, 0.95))[0];
  if (!slowest) throw new Error('there is no page');
  const rows = [...times].map(([{ what, path }, milliseconds]) =>
    latencyRow(`api ${path.split('cursor=')[0]}`, `API, ${options.apiRuns} runs: ${what}`, milliseconds),
  );
  return [...rows, latencyRow('api.slowest', `API: the slowest, ${slowest[0].what}`, slowest[1], 'p95')];
}

async function timed(url: string): Promise<number> {
  const started = performance.now();
  const answer = await fetch(url);
  const text = await answer.text();
  const took = performance.now() - started;
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  return took;
}

async function pagesOf(pool: Pool): Promise<Page[]> {
  const [half, old] = [await runAt(pool, 0.5), await runAt(pool, 0.95)];
  const list = (resource: string, filter: string): Page => ({
    what: `${resource}${filter === '' ? '' : ` by ${filter.replaceAll('&', ', ')}`}`,
    path: `/${resource}?${filter}`,
  });
  const deep = (resource: string, filter: string, cursor: string): Page => ({
    what: `${resource}${filter === '' ? '' : ` by ${filter}`}, deep`,
    path: `/${resource}?${filter === '' ? '' : `${filter}&`}cursor=${cursor}`,
  });
  const runCursor = encodeCursor(half.started_at, half.run_id);
  const span = `since=${old.started_at}&until=${half.started_at}`;
  return [
    list('runs', ''),
    list('runs', 'limit=500'),
    deep('runs', '', runCursor),
    list('runs', `definition_id=${COMMON_DEFINITION}`),
    deep('runs', `definition_id=${COMMON_DEFINITION}`, runCursor),
    list('runs', `definition_id=${RARE_DEFINITION}`),
    ...['completed', 'failed', 'missed', 'running'].map((status) => list('runs', `status=${status}`)),
    deep('runs', 'status=failed', runCursor),
    ...['event', 'schedule', 'manual', 'retry'].map((kind) => list('runs', `trigger=${kind}`)),
    list('runs', `event_id=${half.event_id}`),
    { ...list('runs', span), what: 'runs by since, until' },
    list('runs', `definition_id=${RARE_DEFINITION}&status=failed`),
    list('runs', `definition_id=${COMMON_DEFINITION}&status=missed`),
    // What no index has together: nothing is found, and nothing may have to be read for that.
    list('runs', `definition_id=${SCHEDULED_DEFINITION}&trigger=event`),
    list('runs', `definition_id=${COMMON_DEFINITION}&trigger=schedule`),
    list('runs', `definition_id=${SCHEDULED_DEFINITION}&status=running`),
    { what: 'one run', path: `/runs/${half.run_id}` },
    list('tasks', ''),
    { ...list('tasks', `run_id=${half.run_id}`), what: 'tasks by run_id' },
    list('tasks', `definition_id=${RARE_DEFINITION}`),
    ...['audited', 'created', 'failed', 'pending'].map((status) => list('tasks', `status=${status}`)),
    list('tasks', 'dedupe_key=low-success-rate:repository-7'),
    list('events', ''),
    list('events', 'type=bench.rare'),
    list('events', 'fate=unmatched'),
    list('events', 'source=bench-3'),
    list('events', 'source=nobody'),
    list('events', 'type=bench.rare&fate=unmatched'),
    list('events', `id=${half.event_id}`),
    { what: 'one event with its decisions', path: `/events/${half.event_uid}` },
    list('definitions', ''),
  ];
}

interface RunAt {
  run_id: string;
  started_at: string;
  event_uid: string;
  event_id: string;
}

/** `part`: 0 is the newest, 1 the oldest. One that an event triggered. */
async function runAt(pool: Pool, part: number): Promise<RunAt> {
  const { rows } = await pool.query(
    `SELECT run_id, started_at, event_uid, event_id FROM activity_runs
      WHERE trigger_kind = 'event' AND started_at <= (SELECT max(started_at) - $1 * (max(started_at) - min(started_at)) FROM activity_runs)
      ORDER BY started_at DESC LIMIT 1`,
    [part],
  );
  return rows[0];
}
