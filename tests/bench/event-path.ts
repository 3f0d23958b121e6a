import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Subject } from './subject.ts';

const IN_FLIGHT = 1_000;

/** Events a second from the first publish to the last committed run; 8 of 10 yield a task spec. */
export async function measureSaturation(subject: Subject, events: number): Promise<number> {
  const batch = randomUUID();
  const before = await subject.countRuns();
  const started = performance.now();
  const flying = new Set<Promise<unknown>>();
  for (let n = 0; n < events; n += 1) {
    const published: Promise<unknown> = subject
      .publish(`${batch}-${n}`, n % 10 < 8 ? 0.5 : 0.9)
      .finally(() => flying.delete(published));
    flying.add(published);
    if (flying.size >= IN_FLIGHT) await Promise.race(flying);
  }
  await Promise.all(flying);
  while (!(await subject.isIdle())) await pause(25);
  const rate = (events / (performance.now() - started)) * 1000;
  const runs = (await subject.countRuns()) - before;
  if (runs !== events) throw new Error(`${events} events made ${runs} runs`);
  return rate;
}

/** Milliseconds from publishing one event to its committed run, one after another. */
export async function measureIdleLatency(subject: Subject, events: number): Promise<number[]> {
  const latencies: number[] = [];
  for (let n = 0; n < events; n += 1) {
    const id = randomUUID();
    const started = performance.now();
    await subject.publish(id, 0.5);
    while ((await subject.pool.query('SELECT 1 FROM activity_runs WHERE event_id = $1', [id])).rowCount === 0)
      await pause(1);
    latencies.push(performance.now() - started);
    await pause(20);
  }
  return latencies;
}
