/** (b) What a typical implementation does: one workflow an event, two ordinary activities, a worker of its own. */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createTestDatabase } from '../setup/database.ts';
import { type Bench, inRounds } from './bench.ts';
import { openBenchStream } from './bench-stream.ts';
import { createEventActivities } from './event-activities.ts';
import { perSecond, sendAll } from './events.ts';
import { WORKFLOWS_AT_ONCE, WORKFLOWS_PATH } from './no-op-workflow.ts';
import { medianRow, type Row } from './report.ts';

export async function measureWorkflowPerEvent(bench: Bench): Promise<Row[]> {
  const { servers, options } = bench;
  await using database = await createTestDatabase(servers.database_url);
  await using stream = await openBenchStream(servers.nats_url);
  const connection = await NativeConnection.connect({ address: servers.temporal_address });
  try {
    const taskQueue = `bench-${randomUUID()}`;
    const activities = { ...createEventActivities(database.pool) };
    const worker = await Worker.create({ connection, taskQueue, workflowsPath: WORKFLOWS_PATH, activities });
    const { workflow } = new Client({ connection });
    const load = { events: options.workflows, specsOfTen: 8 };

    async function drain(): Promise<number> {
      await sendAll(load, (text) => stream.publish(text));
      const consumer = await stream.js.consumers.get(stream.name, stream.consumer);
      const started = performance.now();
      const flying = new Set<Promise<unknown>>();
      for (let left = load.events; left > 0; ) {
        const messages = await consumer.fetch({
          max_messages: Math.min(left, WORKFLOWS_AT_ONCE),
          expires: 5_000,
        });
        for await (const message of messages) {
          const handled: Promise<unknown> = workflow
            .execute('handleEvent', {
              taskQueue,
              workflowId: randomUUID(),
              args: [message.string()],
              requestEagerStart: true,
            })
            .then(() => message.ack())
            .finally(() => flying.delete(handled));
          flying.add(handled);
          left -= 1;
          if (flying.size >= WORKFLOWS_AT_ONCE) await Promise.race(flying);
        }
      }
      await Promise.all(flying);
      return perSecond(load.events, performance.now() - started);
    }

    const rates = await worker.runUntil(() => inRounds(bench, drain));
    const { rows } = await database.pool.query('SELECT count(*) AS n FROM activity_runs');
    const wanted = load.events * options.rounds;
    if (rows[0].n !== wanted) throw new Error(`${rows[0].n} runs, where ${wanted} events came`);
    const what = `one workflow an event, two activities, ${WORKFLOWS_AT_ONCE} at a time`;
    return [medianRow('workflow_per_event', what, 'events/s', rates)];
  } finally {
    await connection.close();
  }
}
