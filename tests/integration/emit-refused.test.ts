import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import { expect, inject, test } from 'vitest';
import { call, createLivePath, ended, liveByHand, startByHand, TOKEN } from '../setup/live-path.ts';
import { until } from '../setup/until.ts';

test('a refused task fails alone and is named; after the mend, a retry sends only what is missing', async () => {
  const titles = ['one', 'two is bad', 'three'];
  await using live = await createLivePath(inject('servers'), {
    files: liveByHand('by-hand', titles),
    approved: ['by-hand'],
  });
  live.issueCore.setFaults({ faults: ['reject_400'], rate: 1, reject_title: 'bad' });
  await using service = await live.serve();
  const runId = await startByHand(service, 'by-hand');
  const run = await ended(live, runId);
  expect(run).toMatchObject({ status: 'failed', error: { code: 'task_rejected' } });
  expect(run.error?.message).toContain('two is bad');
  const failed = (await live.tasks("status = 'failed'"))[0];
  expect(failed?.last_error).toMatchObject({ status: 400, answer: expect.stringContaining('error') });
  expect((await live.tasks("status = 'created'")).map(({ spec }) => spec.title)).toEqual(['one', 'three']);

  const before = live.issueCore.requests().length;
  const mended = liveByHand('by-hand', ['one', 'two', 'three']);
  await live.apply(mended);
  await live.review('by-hand');
  const retried = await call(service, `/runs/${runId}/retry`, {});
  expect(retried.status).toBe(202);
  const retry = await ended(live, String(retried.body.run_id));
  expect(retry).toMatchObject({ status: 'completed', error: null });
  const sent = live.issueCore.requests().slice(before);
  expect(sent.map(({ idempotency_key }) => idempotency_key)).toEqual([failed?.idempotency_key]);
  expect(
    live.issueCore
      .tasks()
      .map(({ body }) => body.title)
      .sort(),
  ).toEqual(['one', 'three', 'two']);
  expect((await live.tasks()).map(({ run_id, status }) => [run_id, status])).toEqual(
    titles.map(() => [retry.run_id, 'created']),
  );
});

test('a wrong token stops at the first answer; mended, the specs can be resumed; it is nowhere to be seen', async () => {
  const titles = Array.from({ length: 40 }, (_, n) => `task ${n}`);
  await using live = await createLivePath(inject('servers'), {
    files: liveByHand('by-hand', titles),
    approved: ['by-hand'],
  });
  const wrong = 'wrong-token-that-must-never-be-seen-91c2';
  const logs: string[] = [];
  let runId = '';
  {
    await using service = await live.serve({ ISSUE_CORE_TOKEN: wrong });
    runId = await startByHand(service, 'by-hand');
    const run = await ended(live, runId);
    expect(run).toMatchObject({
      status: 'failed',
      error: { code: 'sink_unauthorized', details: { pending: 40 } },
    });
    expect(live.issueCore.requests()).toHaveLength(1);
    expect(new Set((await live.tasks()).map(({ status }) => status))).toEqual(new Set(['pending']));
    logs.push(service.log());
  }
  await using service = await live.serve();
  const resumed = await call(service, '/tasks/resume', { definition_id: 'by-hand' });
  expect(resumed).toMatchObject({ status: 200, body: { count: 40 } });
  await until('all are created', async () => (await live.tasks("status = 'created'")).length === 40);
  expect(await ended(live, runId)).toMatchObject({ status: 'completed', error: null });
  expect(live.issueCore.tasks()).toHaveLength(40);

  const answers = await Promise.all(
    [`/runs/${runId}`, '/tasks?limit=500', '/definitions', '/runs'].map(async (path) => {
      return (await fetch(`${service.url}/api/v1${path}`)).text();
    }),
  );
  const { rows } = await live.path.pool.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  const tables = await Promise.all(
    rows.map(async ({ tablename }) => {
      const { rows: dump } = await live.path.pool.query(`SELECT t::text AS row FROM ${tablename} t`);
      return dump.map(({ row }) => row).join('\n');
    }),
  );
  const histories = await historiesOf(live.path.own.temporal_address, live);
  expect(histories.length).toBeGreaterThan(2);
  for (const text of [...logs, service.log(), ...answers, ...tables, ...histories]) {
    for (const secret of [TOKEN, wrong]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(Buffer.from(secret).toString('base64').replace(/=+$/, ''));
    }
  }
});

/** Of gRPC. */
const NOT_FOUND = 5;

async function historiesOf(
  address: string,
  live: Awaited<ReturnType<typeof createLivePath>>,
): Promise<string[]> {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const { rows } = await live.path.pool.query('SELECT dispatch_id FROM dispatches');
    const ids: string[] = rows.flatMap(({ dispatch_id }) => [dispatch_id, `emit:${dispatch_id}`]);
    const found = await Promise.all(
      ids.map(async (id) => {
        try {
          return JSON.stringify(await client.workflow.getHandle(id).fetchHistory(), (_key, value) =>
            value instanceof Uint8Array ? Buffer.from(value).toString() : value,
          );
        } catch (error) {
          // A resumed dispatch has no workflow but its emission.
          if (isGrpcServiceError(error) && error.code === NOT_FOUND) return '';
          throw error;
        }
      }),
    );
    return found.filter((text) => text !== '');
  } finally {
    await connection.close();
  }
}

test('a retry that would only audit what was refused is refused itself, and says what is missing', async () => {
  await using live = await createLivePath(inject('servers'), {
    files: liveByHand('by-hand', ['bad']),
    approved: ['by-hand'],
  });
  live.issueCore.setFaults({ faults: ['reject_400'], rate: 1 });
  await using service = await live.serve();
  const runId = await startByHand(service, 'by-hand');
  expect(await ended(live, runId)).toMatchObject({ error: { code: 'task_rejected' } });
  live.issueCore.setFaults({ faults: [] });
  await live.apply(liveByHand('by-hand', ['good']));
  expect(await call(service, `/runs/${runId}/retry`, {})).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', detail: expect.stringContaining('no approved audit run of this content') },
  });
  await live.review('by-hand');
  const { status, body } = await call(service, `/runs/${runId}/retry`, {});
  expect(status).toBe(202);
  expect(await ended(live, String(body.run_id))).toMatchObject({ status: 'completed', sink_mode: 'live' });
  expect(live.issueCore.tasks().map((task) => task.body.title)).toEqual(['good']);
});
