/** (e) One event at a time while nothing else happens, from its publish to the commit of all its runs. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type Bench, inRounds } from './bench.ts';
import { eventText } from './events.ts';
import { type OneWorkflow, withNoOpWorkflow } from './no-op-workflow.ts';
import { latencyRow, type Row } from './report.ts';
import { type Commits, watchCommits } from './run-commits.ts';
import { openSubject, type Subject } from './subject.ts';

export const DEFINITION_COUNTS = [1, 10, 50];

/** Between two, so that each finds everything at rest. */
const REST_MS = 20;
const WARM_UP = 50;

export function measureIdleLatency(bench: Bench): Promise<Row[]> {
  const { servers, options } = bench;
  return withNoOpWorkflow(servers, async (one) => {
    const noOp: number[] = [];
    const rows: Row[] = [];
    for (const definitions of DEFINITION_COUNTS) {
      await using subject = await openSubject(servers, { definitions });
      await subject.start();
      await using commits = await watchCommits(subject.pool);
      for (let n = 0; n < WARM_UP; n += 1) {
        await timeNoOp(one);
        await timeEvent(subject, commits, definitions);
      }
      const latencies: number[] = [];
      await inRounds(bench, async () => {
        for (let n = 0; n < options.singles; n += 1) noOp.push(await timeNoOp(one));
        for (let n = 0; n < options.singles; n += 1)
          latencies.push(await timeEvent(subject, commits, definitions));
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

async function timeEvent(subject: Subject, commits: Commits, definitions: number): Promise<number> {
  await pause(REST_MS);
  const id = randomUUID();
  const committed = commits.of(id, definitions);
  const started = performance.now();
  await subject.publish(eventText(id, 0.5));
  await committed;
  return performance.now() - started;
}
