/** (e) One event at a time while nothing else happens, from its publish to the commit of all its runs. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type Bench, inRounds } from './bench.ts';
import { eventText } from './events.ts';
import { type OneWorkflow, withNoOpWorkflow } from './no-op-workflow.ts';
import { latencyRow, type Row } from './report.ts';
import { openSubject, type Subject } from './subject.ts';

export const DEFINITION_COUNTS = [1, 10, 50];

/** Between two, so that each finds everything at rest. */
const REST_MS = 20;
const LOST_MS = 60_000;

export function measureIdleLatency(bench: Bench): Promise<Row[]> {
  const { servers, options } = bench;
  return withNoOpWorkflow(servers, async (one) => {
    const noOp: number[] = [];
    const rows: Row[] = [];
    for (const definitions of DEFINITION_COUNTS) {
      await using subject = await openSubject(servers, { definitions });
      await subject.start();
      for (let n = 0; n < 5; n += 1) await timeEvent(subject, definitions);
      const latencies: number[] = [];
      await inRounds(bench, async () => {
        for (let n = 0; n < options.singles; n += 1) noOp.push(await timeNoOp(one));
        for (let n = 0; n < options.singles; n += 1) latencies.push(await timeEvent(subject, definitions));
      });
      const what = `one event to its ${definitions === 1 ? 'run' : `${definitions} runs`}, committed, idle`;
      rows.push(latencyRow(`idle.${definitions}`, what, latencies));
    }
    return [latencyRow('idle.no_op', 'no-op workflow, started and awaited, idle', noOp), ...rows];
  });
}

async function timeNoOp(one: OneWorkflow): Promise<number> {
  await pause(REST_MS);
  const started = performance.now();
  await one();
  return performance.now() - started;
}

async function timeEvent(subject: Subject, definitions: number): Promise<number> {
  await pause(REST_MS);
  const id = randomUUID();
  const started = performance.now();
  await subject.publish(eventText(id, 0.5));
  for (;;) {
    const { rows } = await subject.pool.query('SELECT count(*) AS n FROM activity_runs WHERE event_id = $1', [
      id,
    ]);
    const took = performance.now() - started;
    if (rows[0].n === definitions) return took;
    if (took > LOST_MS) throw new Error(`event ${id} made ${rows[0].n} of ${definitions} runs`);
    await pause(1);
  }
}
