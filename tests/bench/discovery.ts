/** (j) How long it takes to discover the schedules of many repositories, beside bare reading of the same files. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concurrently } from '../../src/resolvers/concurrently.ts';
import { discoverScheduledRepos, READS_AT_ONCE } from '../../src/resolvers/kaizen-discovery.ts';
import { SCHEDULE_FILE } from '../../src/resolvers/kaizen-schedule.ts';
import { type Bench, inRounds } from './bench.ts';
import { medianRow, type Row } from './report.ts';

interface DiscoveryFigures {
  /** One discovery by roster, after another: the file cache and the code are warm. */
  milliseconds: number;
  /** How much more memory the process held at most while it ran (resident set). */
  extraMegabytes: number;
  /** The same files read and thrown away, at the same concurrency. */
  bareReadMilliseconds: number;
}

const SCHEDULE = `version: 1
engagement: bench
schedules:
  - { agent: coach, cadence: daily, cron: "15 * * * *" }
  - { agent: optimization, cadence: daily, cron: "30 * * * *" }
`;

export async function measureDiscoveryInRounds(bench: Bench): Promise<Row[]> {
  const { repos } = bench.options;
  const rounds = await inRounds(bench, () => measureDiscovery(repos));
  const row = (id: string, what: string, unit: string, value: (figures: DiscoveryFigures) => number) =>
    medianRow(`discovery.${id}`, what, unit, rounds.map(value));
  return [
    row('bare', `schedules read bare, ${repos} repositories`, 'ms', (one) => one.bareReadMilliseconds),
    row('found', `schedules discovered, ${repos} repositories`, 'ms', (one) => one.milliseconds),
    row('ratio', '  ratio to bare reading', '×', (one) => one.milliseconds / one.bareReadMilliseconds),
    row('memory', '  more memory meanwhile', 'MB', (one) => one.extraMegabytes),
  ];
}

async function measureDiscovery(repos: number): Promise<DiscoveryFigures> {
  const root = await mkdtemp(join(tmpdir(), 'activity-core-bench-repos-'));
  try {
    const names = Array.from({ length: repos }, (_, n) => `repo-${String(n).padStart(6, '0')}`);
    await writeRepos(root, names);
    const readBare = async () => {
      await concurrently(names, READS_AT_ONCE, async (name) => {
        await readFile(join(root, name, SCHEDULE_FILE));
      });
    };
    const discover = async () => {
      const deps = { kaizenReposRoot: root, kaizenEngagementRoster: join(root, 'roster.yaml') };
      const run = { scheduled_for: '2026-11-20T08:15:00.000Z' };
      const { entries } = await discoverScheduledRepos(deps, { cadence: 'daily' }, run);
      if (entries.length !== 2 * repos) throw new Error(`${repos} repositories gave ${entries.length} runs`);
    };
    await discover();
    await readBare();
    const bareReadMilliseconds = await timed(readBare);

    const before = process.memoryUsage.rss();
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss());
    }, 5);
    const milliseconds = await timed(discover);
    clearInterval(watch);
    most = Math.max(most, process.memoryUsage.rss());
    return { milliseconds, extraMegabytes: (most - before) / 1e6, bareReadMilliseconds };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function writeRepos(root: string, names: string[]): Promise<void> {
  await concurrently(names, READS_AT_ONCE, async (name) => {
    await mkdir(join(root, name, '.kaizen'), { recursive: true });
    await writeFile(join(root, name, SCHEDULE_FILE), SCHEDULE);
  });
  const lines = names.map((name) => `  - { slug: ${name}, path: ${name} }\n`);
  await writeFile(join(root, 'roster.yaml'), `engagement: bench\nrepos:\n${lines.join('')}`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
