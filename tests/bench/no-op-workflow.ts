/** (a) Temporal's own ceiling here: a workflow that does nothing, in a worker of its own. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Servers } from '../../src/dev/servers.ts';
import { type Bench, inRounds } from './bench.ts';
import { perSecond } from './events.ts';
import { medianRow, type Row } from './report.ts';

// The SDK would take the signals, and warn of a worker that has workflows alone.
Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });

export const WORKFLOWS_AT_ONCE = 32;
export const WORKFLOWS_PATH = fileURLToPath(new URL('./workflows.ts', import.meta.url));

export type OneWorkflow = () => Promise<unknown>;

/** `work` gets what starts one and waits for its end. */
export async function withNoOpWorkflow<T>(
  servers: Servers,
  work: (one: OneWorkflow) => Promise<T>,
): Promise<T> {
  const connection = await NativeConnection.connect({ address: servers.temporal_address });
  try {
    const taskQueue = `bench-${randomUUID()}`;
    const worker = await Worker.create({ connection, taskQueue, workflowsPath: WORKFLOWS_PATH });
    const { workflow } = new Client({ connection });
    const one = () =>
      workflow.execute('noOp', { taskQueue, workflowId: randomUUID(), requestEagerStart: true });
    return await worker.runUntil(async () => {
      for (let n = 0; n < 5; n += 1) await one();
      return work(one);
    });
  } finally {
    await connection.close();
  }
}

export function measureNoOpWorkflow(bench: Bench): Promise<Row[]> {
  const { servers, options } = bench;
  return withNoOpWorkflow(servers, async (one) => {
    const rates = await inRounds(bench, async () => {
      const started = performance.now();
      let left = options.workflows;
      const lane = async () => {
        while (left > 0) {
          left -= 1;
          await one();
        }
      };
      await Promise.all(Array.from({ length: WORKFLOWS_AT_ONCE }, lane));
      return perSecond(options.workflows, performance.now() - started);
    });
    const what = `no-op workflows, started and awaited, ${WORKFLOWS_AT_ONCE} at a time`;
    return [medianRow('no_op', what, 'workflows/s', rates)];
  });
}
