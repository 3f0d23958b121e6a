/** (c) The same rows by the same statements, with nothing in between: no engine, no rules, no dispatches. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/until.ts';
import { type Bench, inRounds } from './bench.ts';
import { type BenchStream, openBenchStream } from './bench-stream.ts';
import { type Load, perSecond, sendAll, specsOf } from './events.ts';
import type { PipeSettings } from './pipe-process.ts';
import { medianRow, type Row } from './report.ts';
import { boundOf } from './subject.ts';

const PROCESS = fileURLToPath(new URL('./pipe-process.ts', import.meta.url));

export async function measurePipe(bench: Bench): Promise<Row[]> {
  const { servers, options } = bench;
  await using stream = await openBenchStream(servers.nats_url);
  const start = (database: TestDatabase) =>
    startPipe({
      nats_url: servers.nats_url,
      database_url: database.url,
      stream: stream.name,
      consumer: stream.consumer,
      lanes: options.pipeLanes,
    });
  const atOnce = { events: options.events, specsOfTen: 8 };
  const backlog = { events: options.backlog, specsOfTen: 8 };
  return [
    medianRow(
      'pipe.at_once',
      `engine-free pipe, ${atOnce.events} published and drained at once, specs from 8 of 10`,
      'events/s',
      await inDatabase(bench, atOnce, async (database) => {
        await using _pipe = await start(database);
        const started = performance.now();
        await sendAll(atOnce, (text) => stream.publish(text));
        await drained(stream, atOnce);
        return performance.now() - started;
      }),
    ),
    medianRow(
      'pipe.drain',
      `engine-free pipe, drains a backlog of ${backlog.events}, specs from 8 of 10`,
      'events/s',
      await inDatabase(bench, backlog, async (database) => {
        await sendAll(backlog, (text) => stream.publish(text));
        await using _pipe = await start(database);
        const started = performance.now();
        await drained(stream, backlog);
        return performance.now() - started;
      }),
    ),
  ];
}

/** Rates of all rounds, in one migrated database as activity-core has one. */
async function inDatabase(
  bench: Bench,
  load: Load,
  measure: (database: TestDatabase) => Promise<number>,
): Promise<number[]> {
  await using database = await createTestDatabase(bench.servers.database_url);
  const rates = await inRounds(bench, async () => perSecond(load.events, await measure(database)));
  const { rows } = await database.pool.query(
    'SELECT (SELECT count(*) FROM activity_runs) AS runs, (SELECT count(*) FROM task_spawn_log) AS specs',
  );
  const { rounds } = bench.options;
  const { runs, specs } = rows[0];
  if (runs !== load.events * rounds || specs !== specsOf(load) * rounds)
    throw new Error(`the pipe made ${runs} runs and ${specs} specs of ${rounds} × ${load.events} events`);
  return rates;
}

async function drained(stream: BenchStream, { events }: Load): Promise<void> {
  const isDrained = async () => (await stream.waiting()) === 0;
  await until('the pipe has drained the stream', isDrained, { boundMs: boundOf(events) });
}

/** Resolves when it begins to pull. */
async function startPipe(settings: PipeSettings): Promise<AsyncDisposable> {
  const child = fork(PROCESS, [JSON.stringify(settings)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  const failed = ended.then(([code]) => {
    throw new Error(`the pipe ended with ${code}`);
  });
  failed.catch(() => undefined);
  await Promise.race([once(child, 'message'), failed]);
  return {
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
