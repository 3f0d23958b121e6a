/** `npm run bench`: what is measured and what it means stands in docs/performance.md. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultCacheDir, startServers } from '../../src/dev/servers.ts';
import { environmentLines, readEnvironment, readLoad } from './environment.ts';
import { goalsOf, goalTable } from './goals.ts';
import { type BenchOptions, parseOptions, UsageError } from './options.ts';
import { type Row, table } from './report.ts';
import { chosen, LETTERS } from './rows.ts';

async function main(options: BenchOptions): Promise<void> {
  const tell = (message: string) => console.error(message);
  const load = readLoad();
  await using servers = await startServers({
    stateDir: await mkdtemp(join(tmpdir(), 'activity-core-bench-')),
    cacheDir: process.env.ACTIVITY_CORE_CACHE ?? defaultCacheDir(),
    path: process.env.PATH ?? '',
    ports: { temporal: 0, temporal_ui: 0, nats: 0, postgres: 0 },
    ephemeral: true,
    log: (message, fields) => tell(`servers: ${message} ${fields ? JSON.stringify(fields) : ''}`),
  });
  const environment = await readEnvironment(servers, load);
  const rows: Row[] = [];
  for (const { letters, title, measure } of chosen(options)) {
    tell(`${letters.join(', ')} ${title}`.trim());
    const measured = await measure({ servers, options, tell }).catch((error: Error) => {
      // Half an hour of other rows is not to be lost with it.
      console.error(error);
      process.exitCode = 1;
      return [failedRow(title, error)];
    });
    tell(table(measured));
    rows.push(...measured);
  }
  const goals = goalsOf(rows);
  if (options.json) {
    const { only, ...sizes } = options;
    const asked = { ...sizes, only: only ? [...only] : null };
    console.log(JSON.stringify({ ...environment, options: asked, rows, goals }, null, 2));
    return;
  }
  console.log(`\n${table(rows)}\n`);
  if (goals.length > 0) console.log(`${goalTable(goals)}\n`);
  console.log(`${environmentLines(environment)}\n${options.rounds} rounds, medians`);
}

function failedRow(title: string, { message }: Error): Row {
  const note = `failed: ${message.split('\n')[0]}`;
  return { id: `failed.${title}`, what: title, value: null, unit: '', note };
}

// What is started here is ended when this process exits, which it does not by itself at a signal.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => process.exit(code));

try {
  await main(parseOptions(process.argv.slice(2), LETTERS));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
