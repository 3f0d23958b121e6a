/** Two attempts of one emission at one moment, answers that come late, and who may end what: against PostgreSQL alone. */
import { randomUUID } from 'node:crypto';
import { Client, Connection, type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { commitRuns } from '../../src/activities/commit-runs.ts';
import type { Prepared } from '../../src/activities/prepare-run.ts';
import { sendRound } from '../../src/activities/send-round.ts';
import { type SendDeps, sendTask } from '../../src/activities/send-task.ts';
import { createReconcile } from '../../src/bridge/reconcile.ts';
import type { TaskSpec } from '../../src/core/decision.ts';
import type { Sink, SinkAnswer, SinkFault } from '../../src/sinks/sink.ts';
import { insertDispatch } from '../../src/store/dispatches.ts';
import { listOutbox, type OutboxTask } from '../../src/store/outbox.ts';
import { insertRunningRun, UNSAID } from '../../src/store/runs.ts';
import { insertTasks, listTasksOfRun, type NewTask, type Task } from '../../src/store/task-spawn-log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createTestDatabase } from '../setup/database.ts';

let db: Awaited<ReturnType<typeof createTestDatabase>>;
const metrics = createMetrics();
const logger = pino({ level: 'silent' });
const revision = { definition_id: 'live-one', definition_hash: 'hash' };

beforeAll(async () => {
  db = await createTestDatabase(inject('servers').database_url);
  await db.pool.query(
    `INSERT INTO activity_definitions (definition_id, definition_hash, title, owner, enabled, trigger, emit, document, is_current)
     VALUES ($1, $2, 'Live', 'tests', true, '{}', 'live', '{}', true)`,
    [revision.definition_id, revision.definition_hash],
  );
});
afterAll(async () => db?.[Symbol.asyncDispose]());

interface Emitting {
  dispatch_id: string;
  run_id: string;
}

async function emitting({ prepared = true } = {}): Promise<Emitting> {
  const ids = { dispatch_id: randomUUID(), run_id: randomUUID() };
  const member = { run_id: ids.run_id, ...revision, event_uid: null };
  await insertDispatch(db.pool, { dispatch_id: ids.dispatch_id, members: [member], due: true, prepared });
  await insertRunningRun(db.pool, {
    ...UNSAID,
    ...ids,
    ...revision,
    trigger_key: `manual:${ids.run_id}`,
    origin_trigger_key: `manual:${ids.run_id}`,
    trigger_kind: 'manual',
    sink_mode: 'live',
  });
  return ids;
}

async function addSpec(
  run_id: string,
  dedupe_key: string | null,
  idempotency_key = randomUUID(),
  { title = 'Do it', ...change }: Partial<NewTask> & { title?: string } = {},
) {
  const spec: TaskSpec = {
    title,
    description: '',
    labels: [],
    priority: 'medium',
    target_repo: null,
    dedupe_key,
  };
  const { definition_id } = revision;
  await insertTasks(db.pool, [
    {
      idempotency_key,
      run_id,
      definition_id,
      rule_id: 'each',
      spec,
      dedupe_key,
      status: 'pending',
      review_required: false,
      ...change,
    },
  ]);
  return idempotency_key;
}

async function pendingOf({ dispatch_id }: Emitting): Promise<OutboxTask> {
  const [task] = await listOutbox(db.pool, dispatch_id, 10);
  if (!task) throw new Error('nothing is pending');
  return task;
}

async function onlyTask({ run_id }: Emitting): Promise<Task> {
  const [task] = await listTasksOfRun(db.pool, run_id);
  if (!task) throw new Error('no task');
  return task;
}

async function runOf({ run_id }: Emitting) {
  return (await db.pool.query('SELECT * FROM activity_runs WHERE run_id = $1', [run_id])).rows[0];
}

const fault: SinkFault = { request: 'POST /api/v1/tasks', status: 400, message: 'no', answer: null };
const unexpected = async (): Promise<never> => {
  throw new Error('this was not to be asked');
};

function depsOf(sink: Partial<Sink>): SendDeps {
  const whole: Sink = {
    type: 'issue-core',
    create: unexpected,
    findOpen: async () => ({ outcome: 'found', refs: [] }),
    comment: unexpected,
    ...sink,
  };
  return { pool: db.pool, sink: whole, metrics, leaseSeconds: 60 };
}

const send = (sink: Partial<Sink>, task: OutboxTask, onDuplicate: 'skip' | 'comment' = 'skip') =>
  sendTask(depsOf(sink), task, { onDuplicate, isOver: () => false });

/** A post whose answer comes when the test says so. */
function latePost() {
  const answer = Promise.withResolvers<SinkAnswer>();
  const posted = Promise.withResolvers<void>();
  const create = () => {
    posted.resolve();
    return answer.promise;
  };
  return { create, posted: posted.promise, answer: answer.resolve };
}

/** One pass of the reconciler, where Temporal answers as `describe` does. Gives the emissions that it started. */
async function reconcileWith(describe: () => Promise<object>): Promise<string[]> {
  const { temporal_address: address } = inject('servers');
  const workflows = new Client({ connection: Connection.lazy({ address }) }).workflow;
  const getHandle = workflows.getHandle.bind(workflows);
  vi.spyOn(workflows, 'getHandle').mockImplementation((id: string): WorkflowHandle => {
    return Object.assign(getHandle(id), { describe });
  });
  const started: string[] = [];
  const startEmission = async (id: string) => void started.push(id);
  const startDispatch = async () => undefined;
  await createReconcile({ pool: db.pool, workflows, startDispatch, startEmission, metrics, logger })();
  return started;
}

test('the reconciler leaves a dispatch alone that was prepared between its lease and its look', async () => {
  const run = await emitting({ prepared: false });
  await addSpec(run.run_id, null);
  await reconcileWith(async () => {
    await db.pool.query('UPDATE dispatches SET prepared_at = now() WHERE dispatch_id = $1', [
      run.dispatch_id,
    ]);
    return { status: { name: 'COMPLETED' }, raw: {} };
  });
  expect(await runOf(run)).toMatchObject({ status: 'running', error: null });
});

test('an emission whose workflow was never started is started; one that was terminated leaves its specs pending', async () => {
  const run = await emitting();
  await addSpec(run.run_id, null);
  const started = await reconcileWith(async () => {
    throw new WorkflowNotFoundError('not there', `emit:${run.dispatch_id}`, undefined);
  });
  expect(started).toContain(run.dispatch_id);
  await db.pool.query("UPDATE dispatches SET checked_at = 'epoch' WHERE dispatch_id = $1", [run.dispatch_id]);
  await reconcileWith(async () => ({ status: { name: 'TERMINATED' }, raw: {} }));
  expect(await runOf(run)).toMatchObject({
    status: 'failed',
    error: { code: 'workflow_terminated', details: { workflow_id: `emit:${run.dispatch_id}` } },
  });
  expect(await onlyTask(run)).toMatchObject({ status: 'pending' });
});

test('a slow second attempt to decide does not end what is being sent', async () => {
  const run = await emitting();
  await addSpec(run.run_id, null);
  const decided = { ...(await runOf(run)), status: 'completed', task_count: 0, context: null, error: null };
  const late: Prepared = {
    run: decided,
    tasks: [],
    stands: true,
    asks_model: false,
    max_tasks_per_hour: null,
  };
  const deps = { pool: db.pool, pauseExceeded: async () => undefined, metrics, logger };
  await commitRuns(deps, run.dispatch_id, [late], performance.now());
  expect(await runOf(run)).toMatchObject({ status: 'running' });
  expect(await listOutbox(db.pool, run.dispatch_id, 10)).toHaveLength(1);
});

test('a refusal was an answer: a retry asks for the dedupe key again, and what it finds is a duplicate', async () => {
  const run = await emitting();
  const key = await addSpec(run.run_id, 'K1');
  await send({ create: async () => ({ outcome: 'rejected', fault }) }, await pendingOf(run));
  expect(await onlyTask(run)).toMatchObject({ status: 'failed' });
  await addSpec(run.run_id, 'K1', key);
  await send({ findOpen: async () => ({ outcome: 'found', refs: ['THEIRS-1'] }) }, await pendingOf(run));
  expect(await onlyTask(run)).toMatchObject({ status: 'duplicate', task_ref: 'THEIRS-1' });
});

test('what an earlier run of the chain only audited is sent by a live retry, as that renders it', async () => {
  const [audited, live] = [await emitting(), await emitting()];
  const key = await addSpec(audited.run_id, 'K9', undefined, { status: 'audited', title: 'Yesterday' });
  await addSpec(live.run_id, 'K10', key, { title: 'Today', review_required: true });
  expect(await listTasksOfRun(db.pool, audited.run_id)).toEqual([]);
  expect(await onlyTask(live)).toMatchObject({
    status: 'pending',
    dedupe_key: 'K10',
    spec: { title: 'Today' },
    review_required: true,
  });
  await send({ create: async () => ({ outcome: 'created', ref: 'NEW-10' }) }, await pendingOf(live));
  expect(await onlyTask(live)).toMatchObject({ status: 'created', task_ref: 'NEW-10' });
});

test('what a second attempt finds open is no duplicate while the post of the first is out', async () => {
  const run = await emitting();
  await addSpec(run.run_id, 'K2');
  const [one, other] = [await pendingOf(run), await pendingOf(run)];
  const post = latePost();
  const first = send(post, one);
  await post.posted;
  const second = await send({ findOpen: async () => ({ outcome: 'found', refs: ['OURS-2'] }) }, other);
  expect(second).toEqual({ is: 'blocked' });
  post.answer({ outcome: 'created', ref: 'OURS-2' });
  await first;
  expect(await onlyTask(run)).toMatchObject({ status: 'created', task_ref: 'OURS-2' });
});

test('of two posts of one key at one moment, whichever hears of the task first, it is created', async () => {
  const run = await emitting();
  await addSpec(run.run_id, null);
  const task = await pendingOf(run);
  const [one, other] = [latePost(), latePost()];
  const first = send(one, task);
  await one.posted;
  const second = send(other, task);
  await other.posted;
  one.answer({ outcome: 'known', ref: 'OURS-3' });
  await first;
  other.answer({ outcome: 'created', ref: 'OURS-3' });
  await second;
  expect(await onlyTask(run)).toMatchObject({ status: 'created', task_ref: 'OURS-3' });
});

test('a lost answer makes the known task ours; one that was only put off does not', async () => {
  for (const [answer, status] of [
    [{ outcome: 'unknown', fault, retry_after_ms: null }, 'created'],
    [{ outcome: 'not_taken', fault, retry_after_ms: null }, 'duplicate'],
  ] as const) {
    const run = await emitting();
    await addSpec(run.run_id, null);
    await send({ create: async () => answer }, await pendingOf(run));
    expect(await onlyTask(run)).toMatchObject({ status: 'pending', attempts: 1 });
    await send({ create: async () => ({ outcome: 'known', ref: 'R-4' }) }, await pendingOf(run));
    expect(await onlyTask(run)).toMatchObject({ status, task_ref: 'R-4', attempts: 2, last_error: null });
  }
});

test('a dedupe key whose holder died is free when its lease has ended', async () => {
  const [dead, alive] = [await emitting(), await emitting()];
  await addSpec(dead.run_id, 'K8');
  await addSpec(alive.run_id, 'K8');
  const lost = latePost();
  // It has the key and looks, and never comes back.
  const hanging = send({ findOpen: () => lost.create().then(unexpected) }, await pendingOf(dead));
  hanging.catch(() => undefined);
  await lost.posted;
  const create = async () => ({ outcome: 'created', ref: 'R-8' }) as const;
  expect(await send({ create }, await pendingOf(alive))).toEqual({ is: 'blocked' });
  await db.pool.query('UPDATE task_spawn_log SET leased_until = now() WHERE run_id = $1', [dead.run_id]);
  expect(await send({ create }, await pendingOf(alive))).toEqual({ is: 'ended' });
});

test('a key that was put off is looked up again before it is posted again', async () => {
  const run = await emitting();
  await addSpec(run.run_id, 'K5');
  const putOff = async () => ({ outcome: 'not_taken', fault, retry_after_ms: null }) as const;
  await send({ create: putOff }, await pendingOf(run));
  await send({ findOpen: async () => ({ outcome: 'found', refs: ['THEIRS-5'] }) }, await pendingOf(run));
  expect(await onlyTask(run)).toMatchObject({ status: 'duplicate', task_ref: 'THEIRS-5' });
});

test('after a comment that was refused, a retry asks anew what is open', async () => {
  const run = await emitting();
  const key = await addSpec(run.run_id, 'K6');
  const gone: Partial<Sink> = {
    findOpen: async () => ({ outcome: 'found', refs: ['GONE-6'] }),
    comment: async () => ({ outcome: 'rejected', fault: { ...fault, status: 404 } }),
  };
  await send(gone, await pendingOf(run), 'comment');
  expect(await onlyTask(run)).toMatchObject({ status: 'failed' });
  await addSpec(run.run_id, 'K6', key);
  await send({ create: async () => ({ outcome: 'created', ref: 'NEW-6' }) }, await pendingOf(run), 'comment');
  expect(await onlyTask(run)).toMatchObject({ status: 'created', task_ref: 'NEW-6' });
});

test('a post that was answered too late for a discard is on record all the same', async () => {
  const run = await emitting();
  await addSpec(run.run_id, null);
  const post = latePost();
  const sent = send(post, await pendingOf(run));
  await post.posted;
  await db.pool.query("UPDATE task_spawn_log SET status = 'discarded' WHERE run_id = $1", [run.run_id]);
  post.answer({ outcome: 'created', ref: 'OURS-7' });
  await sent;
  expect(await onlyTask(run)).toMatchObject({ status: 'created', task_ref: 'OURS-7' });
});

test('a statement that fails ends the round: nothing is posted after it has thrown', async () => {
  const run = await emitting();
  for (let n = 0; n < 60; n += 1) await addSpec(run.run_id, null);
  const tasks = await listOutbox(db.pool, run.dispatch_id, 100);
  let posts = 0;
  const deps = depsOf({
    async create() {
      posts += 1;
      if (posts === 6) throw new Error('it broke');
      return { outcome: 'created', ref: `R-${posts}` };
    },
  });
  const signal = new AbortController().signal;
  await expect(sendRound(deps, tasks, { onDuplicateOf: () => 'skip', signal })).rejects.toThrow('it broke');
  const atTheThrow = posts;
  const created = "status = 'created' AND run_id = $1";
  const { rows } = await db.pool.query(`SELECT count(*) AS n FROM task_spawn_log WHERE ${created}`, [
    run.run_id,
  ]);
  expect(rows[0].n).toBe(atTheThrow - 1);
  expect(atTheThrow).toBeLessThan(20);
});
