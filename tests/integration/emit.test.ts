import { expect, inject, test } from 'vitest';
import { metricsEvent } from '../setup/event-path.ts';
import {
  call,
  createLivePath,
  deadUrl,
  ended,
  liveByHand,
  liveOnEvent,
  startByHand,
} from '../setup/live-path.ts';
import { until } from '../setup/until.ts';

test('specs of an approved live definition become tasks, each with its reference, once', async () => {
  await using live = await createLivePath(inject('servers'), {
    files: liveOnEvent('on-event', { dedupe_key: 'event:{{ event.id }}' }),
    approved: ['on-event'],
  });
  await using service = await live.serve();
  for (let n = 0; n < 30; n += 1) await live.path.publish(metricsEvent(`e${n}`, 0.9));
  await until('all are created', async () => (await live.tasks("status = 'created'")).length === 30);
  await until('the runs are over', async () => (await live.runs("status = 'running'")).length === 0);
  const runs = await live.runs("definition_id = 'on-event'");
  expect(new Set(runs.map(({ status, sink_mode, error }) => `${status} ${sink_mode} ${error}`))).toEqual(
    new Set(['completed live null']),
  );
  const made = new Map(live.issueCore.tasks().map((task) => [task.idempotency_key, task.ref]));
  expect(made.size).toBe(30);
  for (const { idempotency_key, task_ref, attempts, last_error } of await live.tasks()) {
    expect({ task_ref, attempts, last_error }).toEqual({
      task_ref: made.get(idempotency_key),
      attempts: 1,
      last_error: null,
    });
  }
  const posts = live.issueCore.requests().filter(({ method }) => method === 'POST');
  expect(posts).toHaveLength(30);
  for (const { body } of posts) {
    expect(body).not.toContain('review_required');
    expect(Object.keys(JSON.parse(body)).sort()).toEqual([
      'dedupe_key',
      'description',
      'labels',
      'priority',
      'source',
      'target_repo',
      'title',
    ]);
  }
  await live.path.drained();
  await until(
    'the dispatches are closed',
    async () => (await live.path.count('dispatches', 'closed_at IS NULL')) === 0,
  );
  expect(service.log()).not.toContain('"level":50');
});

test('without an approval, with one for other content, or with a later rejection, live stays audit and says why', async () => {
  const files = liveByHand('by-hand', ['one']);
  await using live = await createLivePath(inject('servers'), { files });
  await using service = await live.serve();
  const reasonOf = async () => {
    const { sink_mode, sink_reason, status } = await ended(live, await startByHand(service, 'by-hand'));
    return [status, sink_mode, sink_reason];
  };
  const refused = ['completed', 'audit', 'no approved audit run of this content'];
  expect(await reasonOf()).toEqual(refused);
  await live.review('by-hand');
  expect(await reasonOf()).toEqual(['completed', 'live', null]);
  await live.apply(liveByHand('by-hand', ['another']));
  expect(await reasonOf()).toEqual(refused);
  await live.apply(files);
  expect(await reasonOf()).toEqual(['completed', 'live', null]);
  await live.review('by-hand', 'rejected');
  expect(await reasonOf()).toEqual(refused);
  expect(live.issueCore.tasks()).toHaveLength(2);
  expect(service.log()).toContain('emit: live');
});

test('a slow issue-core holds up nothing that comes in, and what it did not take in time stays pending', async () => {
  const id = 'on-event';
  await using live = await createLivePath(inject('servers'), {
    files: {
      ...liveByHand('by-hand', ['one', 'two']),
      ...liveOnEvent(id, { dedupe_key: 'one-key' }),
    },
    approved: ['by-hand', id],
  });
  await using service = await live.serve({ ISSUE_CORE_URL: await deadUrl() });
  const runId = await startByHand(service, 'by-hand');
  await until('it was tried', async () => (await live.tasks('last_error IS NOT NULL')).length > 0);
  // Events of another definition are decided meanwhile: an emission takes no place from them.
  for (let n = 0; n < 60; n += 1) await live.path.publish(metricsEvent(`e${n}`, 0.9));
  await live.path.drained();
  await until('all are decided', async () => (await live.tasks(`definition_id = '${id}'`)).length === 60);
  expect((await live.runs(`run_id = '${runId}'`))[0]).toMatchObject({ status: 'running', sink_mode: 'live' });
  await live.path.pool.query(
    "UPDATE dispatches SET prepared_at = now() - interval '25 hours' WHERE prepared_at IS NOT NULL",
  );
  const run = await ended(live, runId);
  expect(run).toMatchObject({
    status: 'failed',
    error: { code: 'sink_unavailable', details: { pending: 2 } },
  });
  expect(run.error?.message).toContain(`tasks resume --run ${runId}`);
  expect((await live.tasks(`run_id = '${runId}'`)).map(({ status }) => status)).toEqual([
    'pending',
    'pending',
  ]);
});

test('after a rollback nothing more is sent, what is pending stays, and an operator resumes it', async () => {
  const files = liveByHand('by-hand', ['one', 'two', 'three']);
  await using live = await createLivePath(inject('servers'), { files, approved: ['by-hand'] });
  live.issueCore.setFaults({ faults: ['http_500'], rate: 1 });
  await using service = await live.serve();
  const runId = await startByHand(service, 'by-hand');
  await until('it was tried', async () => (await live.tasks('last_error IS NOT NULL')).length > 0);
  const audit = Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, text.replace('emit: live', 'emit: audit')]),
  );
  await live.apply(audit);
  expect(await ended(live, runId)).toMatchObject({ status: 'failed', error: { code: 'sink_disabled' } });
  live.issueCore.setFaults({ faults: [] });
  const before = live.issueCore.requests().length;
  expect(await call(service, '/tasks/resume', { run_id: runId })).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', detail: expect.stringContaining('emit: audit') },
  });
  expect(live.issueCore.requests()).toHaveLength(before);
  await live.apply(files);
  expect(await call(service, '/tasks/resume', { run_id: runId, dry_run: true })).toMatchObject({
    body: { count: 3 },
  });
  expect(live.issueCore.requests()).toHaveLength(before);
  // Metadata of ours, whatever it says, is not sent (M10).
  await live.path.pool.query('UPDATE task_spawn_log SET review_required = true');
  await live.path.pool.query('UPDATE activity_runs SET review_required = true');
  expect(await call(service, '/tasks/resume', { run_id: runId })).toMatchObject({
    status: 200,
    body: { count: 3 },
  });
  await until('all are created', async () => (await live.tasks("status = 'created'")).length === 3);
  expect(await ended(live, runId)).toMatchObject({ status: 'completed', error: null });
  expect(live.issueCore.tasks()).toHaveLength(3);
  for (const { body } of live.issueCore.requests()) expect(body).not.toContain('review_required');
});

test('a run that was emitting when ISSUE_SINK_TYPE became null ends sink_disabled', async () => {
  await using live = await createLivePath(inject('servers'), {
    files: liveByHand('by-hand', ['one']),
    approved: ['by-hand'],
  });
  live.issueCore.setFaults({ faults: ['http_500'], rate: 1 });
  const service = await live.serve();
  const runId = await startByHand(service, 'by-hand');
  await until('it was tried', async () => (await live.tasks('last_error IS NOT NULL')).length > 0);
  await service.kill();
  const before = live.issueCore.requests().length;
  await using _rolledBack = await live.serve({ ISSUE_SINK_TYPE: 'null' });
  expect(await ended(live, runId)).toMatchObject({ status: 'failed', error: { code: 'sink_disabled' } });
  expect((await live.tasks()).map(({ status }) => status)).toEqual(['pending']);
  expect(live.issueCore.requests()).toHaveLength(before);
});

test('a retry while the sink is off is refused where specs wait: it would end completed and leave them', async () => {
  await using live = await createLivePath(inject('servers'), {
    files: liveByHand('by-hand', ['one']),
    approved: ['by-hand'],
  });
  live.issueCore.setFaults({ faults: ['http_500'], rate: 1 });
  await using service = await live.serve();
  const runId = await startByHand(service, 'by-hand');
  await until('it was tried', async () => (await live.tasks('last_error IS NOT NULL')).length > 0);
  await live.review('by-hand', 'rejected');
  expect(await ended(live, runId)).toMatchObject({ status: 'failed', error: { code: 'sink_disabled' } });
  expect(await call(service, `/runs/${runId}/retry`, {})).toMatchObject({
    status: 409,
    body: { code: 'wrong_state' },
  });
  expect((await live.tasks()).map(({ status }) => status)).toEqual(['pending']);
});
