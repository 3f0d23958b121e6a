/** (l) A changed definition over a long record: the command as an author calls it, from its start to its end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { BacktestReport } from '../../src/backtest/report.ts';
import { transaction } from '../../src/store/pool.ts';
import { rssOf } from '../chaos/processes.ts';
import { definitionsFolder } from '../setup/event-path.ts';
import { type Bench, inRounds } from './bench.ts';
import { type EventRows, insertRows, rowsOf } from './event-rows.ts';
import { type Load, sendAll, specsOf } from './events.ts';
import { medianRow, type Row } from './report.ts';
import { DEFINITION, expectWork, openSubject, type Subject } from './subject.ts';

const SAMPLE_EVERY_MS = 100;

export async function measureBacktest(bench: Bench): Promise<Row[]> {
  const { servers, options, tell } = bench;
  await using subject = await openSubject(servers);
  const load = { events: options.backtestEvents, specsOfTen: 8 };
  tell(`  recording ${load.events} events`);
  await record(subject, load);
  const { url } = await subject.start();
  await expectWork(subject, load, { definitions: 1, rounds: 1 });

  const shipped = await readFile(`definitions/${DEFINITION}.yaml`, 'utf8');
  await using folder = await definitionsFolder({});
  const file = join(folder.path, `${DEFINITION}.yaml`);
  const measure = async (document: string, gone: number): Promise<Backtest[]> => {
    await writeFile(file, document);
    return inRounds(bench, () => backtest(url, file, { events: load.events, gone }));
  };
  const same = await measure(shipped, 0);
  // Of the rates that are sent, the lower one is 0.5: every spec is gone.
  const changed = await measure(shipped.replace('success_rate < 0.8', 'success_rate < 0.4'), specsOf(load));
  const of = `backtest of ${load.events} events`;
  const seconds = (all: Backtest[]) => all.map((one) => one.seconds);
  return [
    medianRow('backtest.same', `${of}, unchanged`, 's', seconds(same)),
    medianRow('backtest.changed', `${of}, another threshold`, 's', seconds(changed)),
    medianRow(
      'backtest.memory',
      '  most memory of the command',
      'MB',
      [...same, ...changed].map((one) => one.megabytes),
    ),
  ];
}

/** The rows that the service would have written, with its own statements. */
async function record({ pool }: Subject, load: Load): Promise<void> {
  let batch: EventRows[] = [];
  let sequence = 0;
  const write = async () => {
    const rows = batch;
    batch = [];
    await transaction(pool, (client) => insertRows(client, rows));
  };
  const oneAtATime = 1;
  await sendAll(
    load,
    async (event) => {
      sequence += 1;
      batch.push(rowsOf(Buffer.from(event), { stream_seq: sequence, stream_timestamp: sequence }));
      if (batch.length === EVENTS_A_TRANSACTION) await write();
    },
    oneAtATime,
  );
  if (batch.length > 0) await write();
  await pool.query('VACUUM (ANALYZE)');
}

const EVENTS_A_TRANSACTION = 500;

interface Backtest {
  seconds: number;
  megabytes: number;
}

/** @throws Error where it is not what is expected: a figure would be worth nothing */
async function backtest(
  url: string,
  file: string,
  wanted: { events: number; gone: number },
): Promise<Backtest> {
  const started = performance.now();
  const args = ['src/main.ts', 'backtest', file, '--since', '1d', '--json', '--api', url];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let megabytes = 0;
  const sampling = setInterval(() => {
    megabytes = Math.max(megabytes, rssOf(child.pid ?? 0) * MEGABYTES_OF_MIB);
  }, SAMPLE_EVERY_MS);
  const [out, [exitCode]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  clearInterval(sampling);
  const seconds = (performance.now() - started) / 1_000;
  if (exitCode !== 0) throw new Error(`the backtest ended with ${exitCode}`);
  const { compared, specs }: BacktestReport = JSON.parse(out);
  if (compared !== wanted.events || specs.gone !== wanted.gone || specs.added + specs.changed > 0)
    throw new Error(`the backtest compared ${compared}, ${JSON.stringify(specs)}`);
  return { seconds, megabytes };
}

const MEGABYTES_OF_MIB = 1.048576;
