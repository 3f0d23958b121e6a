/**
 * `npm run chaos -- --seed N`: what is done and checked stands in docs/survival.md.
 * Options: --seed N (1), --seeds M (1): N, N+1, … one after the other, --seconds S (20), --json
 */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { verdictLines } from '../setup/checks.ts';
import { lineOf } from './ledger.ts';
import { runSeed, type SeedResult } from './run-seed.ts';

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
});
const [first, count, seconds] = [options.seed, options.seeds, options.seconds].map((text) => {
  if (!/^\d+$/.test(text)) throw new Error(`${text} is not a whole number`);
  return Number(text);
}) as [number, number, number];
// What was started is ended on exit, which a signal alone does not bring about.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const tell = (line: string) => (options.json ? console.error(line) : console.log(line));

const results: SeedResult[] = [];
for (let seed = first; seed < first + count; seed += 1) {
  tell(`seed ${seed}, ${seconds} s`);
  const result = await runSeed({ seed, seconds, tell: (entry) => tell(lineOf(entry)) });
  for (const line of verdictLines(result.checks)) tell(line);
  if (!result.passed) await keepLogs(result);
  tell(`seed ${seed} ${result.passed ? 'passed' : 'FAILED'}: ${figuresOf([result])}\n`);
  results.push(result);
}

const failed = results.filter(({ passed }) => !passed).map(({ seed }) => seed);
tell(`${results.length - failed.length} of ${results.length} seeds passed: ${figuresOf(results)}`);
if (failed.length > 0)
  tell(`failed: ${failed.join(', ')}; repeat one with npm run chaos -- --seed N --seconds ${seconds}`);
if (options.json) {
  const seeds = results.map(({ logs: _, ...result }) => result);
  console.log(JSON.stringify({ passed: failed.length === 0, failed, seeds }, null, 2));
}
process.exitCode = failed.length > 0 ? 1 : 0;

function figuresOf(of: SeedResult[]): string {
  const sum = (what: 'acts' | 'kills' | 'events' | 'messages' | 'tasks') =>
    of.reduce((total, result) => total + result[what], 0);
  return `${sum('acts')} acts, ${sum('kills')} kills, ${sum('events')} events in ${sum('messages')} messages, ${sum('tasks')} tasks`;
}

async function keepLogs({ seed, logs }: SeedResult): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), `activity-core-chaos-seed-${seed}-`));
  for (const [name, log] of Object.entries(logs)) await writeFile(join(folder, `${name}.log`), log);
  tell(`the replicas' logs are in ${folder}`);
}
