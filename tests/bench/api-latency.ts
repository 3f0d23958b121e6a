/** (h) Every page of the API that reads what grows, with a long history, over HTTP. */
import { quantile } from '../setup/statistics.ts';
import { DEFINITIONS, makeHistory } from './api-history.ts';
import { type ApiPage, listApiPages } from './api-pages.ts';
import type { Bench } from './bench.ts';
import { latencyRow, type Row } from './report.ts';
import { openSubject } from './subject.ts';

export async function measureApiLatency(bench: Bench): Promise<Row[]> {
  const { servers, options, tell } = bench;
  await using subject = await openSubject(servers, { definitions: DEFINITIONS });
  tell(`  making ${options.apiRuns} runs`);
  await makeHistory(subject.pool, options.apiRuns);
  const { url } = await subject.start();
  const pages = await listApiPages(subject.pool);
  tell(`  ${pages.length} pages`);
  const measured = pages.map((page): Measured => ({ page, times: [] }));
  for (const { page } of measured) await timed(`${url}${page.path}`);
  // In turns, so that no page has all its requests in one good or bad moment.
  for (let n = 0; n < options.rounds * options.apiRequests; n += 1)
    for (const { page, times } of measured) times.push(await timed(`${url}${page.path}`));
  const sorted = measured.toSorted((a, b) => p95(b) - p95(a));
  for (const slow of sorted.slice(0, SLOWEST_TOLD)) tell(`  p95 ${p95(slow).toFixed(1)} ms: ${nameOf(slow)}`);
  const [slowest] = sorted;
  if (!slowest) throw new Error('there is no page');
  // Of each resource its slowest page: a mean would hide it among the others.
  const rows = [...Map.groupBy(sorted, ({ page }) => page.resource)].map(
    ([resource, [worst = slowest, ...others]]) =>
      latencyRow(
        `api ${resource}`,
        `API, ${options.apiRuns} runs: ${resource}, the slowest of ${others.length + 1}, ${nameOf(worst)}`,
        worst.times,
        'p95',
      ),
  );
  return [...rows, latencyRow('api.slowest', `API: the slowest, ${nameOf(slowest)}`, slowest.times, 'p95')];
}

const SLOWEST_TOLD = 10;

interface Measured {
  page: ApiPage;
  times: number[];
}

const p95 = ({ times }: Measured): number => quantile(times, 0.95);

const nameOf = ({ page }: Measured): string => page.path.replace(/cursor=[\w-]+/, 'deep');

async function timed(url: string): Promise<number> {
  const started = performance.now();
  const answer = await fetch(url);
  const text = await answer.text();
  const took = performance.now() - started;
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  return took;
}
