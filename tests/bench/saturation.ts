/** (d) activity-core from publish to run and spec committed, while the publisher goes on; and (d, f) draining what waits. */

import { NOT_LINUX, readMemory, watchMemory } from '../setup/memory.ts';
import { type Bench, inRounds } from './bench.ts';
import { type Load, perSecond } from './events.ts';
import { medianRow, type Row } from './report.ts';
import { boundOf, expectWork, openSubject, publishAll, type Subject } from './subject.ts';

const WARM_UP: Load = { events: 2_000, specsOfTen: 8 };

export async function measureAtOnce(bench: Bench): Promise<Row[]> {
  const { servers, options } = bench;
  const rows: Row[] = [];
  for (const specsOfTen of [8, 0]) {
    await using subject = await openSubject(servers);
    await subject.start();
    const warmUp = { ...WARM_UP, events: Math.min(WARM_UP.events, options.events), specsOfTen };
    await publishAndSettle(subject, warmUp);
    await subject.pool.query('TRUNCATE activity_runs, task_spawn_log');
    const load = { events: options.events, specsOfTen };
    const rates = await inRounds(bench, async () => {
      return perSecond(load.events, await publishAndSettle(subject, load));
    });
    await expectWork(subject, load, { definitions: 1, rounds: options.rounds });
    const what = `activity-core, ${load.events} published and drained at once, specs from ${specsOfTen} of 10`;
    rows.push(medianRow(`product.at_once.${specsOfTen}`, what, 'events/s', rates));
  }
  return rows;
}

/** Milliseconds from the first publish to the last committed run. */
async function publishAndSettle(subject: Subject, load: Load): Promise<number> {
  const started = performance.now();
  await publishAll(subject, load);
  await subject.settled(boundOf(load.events));
  return performance.now() - started;
}

export async function measureBacklog(bench: Bench): Promise<Row[]> {
  const { servers, options } = bench;
  await using subject = await openSubject(servers);
  const load = { events: options.backlog, specsOfTen: 8 };
  const drains = await inRounds(bench, () => drain(subject, load, { definitions: 1 }));
  await expectWork(subject, load, { definitions: 1, rounds: options.rounds });
  const what = `activity-core, drains a backlog of ${load.events}, specs from 8 of 10`;
  return [
    drainRow('product.drain.8', what, drains),
    ...memoryRow('peak', 'memory during the backlog, most', drains),
    ...memoryRow('last', 'memory at its end', drains),
    ...memoryRow('since_start', 'memory since the start of the process, most', drains),
  ];
}

export interface Drain {
  perSecond: number;
  /** So little was left when it was ready that the rate counts from its start, and is too low. */
  isTooSmall: boolean;
  /** Megabytes; null where the system does not tell. */
  memory: { peak: number; last: number; since_start: number } | null;
}

/** Publishes while the service is stopped, starts it, and measures from its readiness to the last committed run. */
export async function drain(
  subject: Subject,
  load: Load,
  { definitions }: { definitions: number },
): Promise<Drain> {
  const before = await subject.countRuns();
  await publishAll(subject, load);
  const spawned = performance.now();
  const service = await subject.start();
  const ready = performance.now();
  const memory = watchMemory(service.pid);
  const done = ((await subject.countRuns()) - before) / definitions;
  await subject.settled(boundOf(load.events * definitions));
  const settled = performance.now();
  const peak = memory.stop();
  const last = readMemory(service.pid);
  await subject.stop();
  const isTooSmall = done > load.events / 2;
  return {
    perSecond: isTooSmall
      ? perSecond(load.events, settled - spawned)
      : perSecond(load.events - done, settled - ready),
    isTooSmall,
    memory: last && peak !== null ? { peak, last: last.now, since_start: last.most } : null,
  };
}

export function drainRow(id: string, what: string, drains: Drain[]): Row {
  const row = medianRow(
    id,
    what,
    'events/s',
    drains.map((one) => one.perSecond),
  );
  const isTooSmall = drains.some((one) => one.isTooSmall);
  return isTooSmall ? { ...row, note: 'most were done before it was ready: too few to measure' } : row;
}

/** The worst of the rounds. */
function memoryRow(part: keyof NonNullable<Drain['memory']>, what: string, drains: Drain[]): Row[] {
  const rounds = drains.flatMap(({ memory }) => (memory ? [memory[part]] : []));
  const row = { id: `memory.${part}`, what, unit: 'MB' };
  return [
    rounds.length > 0
      ? { ...row, value: Math.max(...rounds), rounds }
      : { ...row, value: null, note: NOT_LINUX },
  ];
}
