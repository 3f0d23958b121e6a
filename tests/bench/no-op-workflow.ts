/** Temporal's own ceiling here: a workflow that does nothing, in a worker of its own. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Servers } from '../../src/dev/servers.ts';

Runtime.install({ logger: new DefaultLogger('WARN') });

const AT_ONCE = 32;
const WORKFLOWS = 300;

export async function measureNoOpWorkflow(
  servers: Servers,
  singles: number,
): Promise<{ perSecond: number; latencies: number[] }> {
  const connection = await NativeConnection.connect({ address: servers.temporal_address });
  const taskQueue = `bench-${randomUUID()}`;
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
  });
  const { workflow } = new Client({ connection });
  const one = () =>
    workflow.execute('noOp', { taskQueue, workflowId: randomUUID(), requestEagerStart: true });
  const result = await worker.runUntil(async () => {
    for (let n = 0; n < 5; n += 1) await one();
    const latencies: number[] = [];
    for (let n = 0; n < singles; n += 1) {
      const started = performance.now();
      await one();
      latencies.push(performance.now() - started);
    }
    const started = performance.now();
    let left = WORKFLOWS;
    const lane = async () => {
      while (left > 0) {
        left -= 1;
        await one();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    return { perSecond: (WORKFLOWS / (performance.now() - started)) * 1000, latencies };
  });
  await connection.close();
  return result;
}
