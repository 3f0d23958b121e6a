/** What is pending, resumed or discarded by an operator. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createSinkMode } from '../../src/sinks/sink-mode.ts';
import { createTestApi, manualDefinition, type TestApi } from '../setup/api.ts';
import { captureCli } from '../setup/captured-cli.ts';

const LIVE = manualDefinition({ emit: 'live' });

let sinkType: 'null' | 'issue-core';
let isTemporalAway: boolean;
let api: TestApi;
let apiAddress: string;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url, {
    sinkMode: (revision) => createSinkMode(sinkType)(revision),
    startEmission: async (dispatchId) => {
      if (isTemporalAway) throw new Error('Temporal is away');
      api.emitted.push(dispatchId);
    },
  });
  apiAddress = await api.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  sinkType = 'issue-core';
  isTemporalAway = false;
  await api.clear();
  await api.declare([LIVE]);
});

const cli = (...argv: string[]) => captureCli(argv, { apiAddress });
const resume = (body: object = {}) => api.post('/api/v1/tasks/resume', body);
const discard = (body: object = {}) => api.post('/api/v1/tasks/discard', body);
const shownRun = async (id: string) => (await api.get(`/api/v1/runs/${id}`)).body;

/** Decided, and approved. */
async function approvedRun(): Promise<string> {
  const { body } = await api.post('/api/v1/definitions/by-hand/runs');
  await api.runAll([String(body.workflow_id)]);
  await api.post(`/api/v1/runs/${body.run_id}/review`, { verdict: 'approved', reviewer: 'ana' });
  return String(body.run_id);
}

/** As an emission leaves it that a 401 ended. */
async function leavePending(runId: string): Promise<string> {
  await api.pool.query(
    `UPDATE activity_runs SET status = 'failed', sink_mode = 'live', sink_reason = NULL,
            error = '{"code": "sink_unauthorized", "message": "no", "details": {}}' WHERE run_id = $1`,
    [runId],
  );
  await api.pool.query("UPDATE task_spawn_log SET status = 'pending' WHERE run_id = $1", [runId]);
  return runId;
}

test('where nothing is pending, nothing is done', async () => {
  await approvedRun();
  expect(await resume()).toMatchObject({ status: 200, body: { count: 0, items: [], skipped: [] } });
  expect(await discard()).toMatchObject({ status: 200, body: { count: 0, items: [] } });
  expect(api.emitted).toEqual([]);
});

test('what is resumed has its run running and live again, in a dispatch that is prepared and emits', async () => {
  const run_id = await leavePending(await approvedRun());
  const { status, body } = await resume({ run_id });
  expect(status).toBe(200);
  expect(body).toMatchObject({ count: 1, skipped: [], items: [{ run_id, status: 'pending' }] });
  expect(await shownRun(run_id)).toMatchObject({
    status: 'running',
    sink_mode: 'live',
    sink_reason: null,
    error: null,
    finished_at: null,
  });
  const { rows } = await api.pool.query(
    `SELECT dispatch_id, run_ids, event_uids, closed_at FROM dispatches JOIN activity_runs USING (dispatch_id)
      WHERE prepared_at IS NOT NULL`,
  );
  expect(rows).toEqual([
    { dispatch_id: api.emitted[0], run_ids: [run_id], event_uids: [null], closed_at: null },
  ]);
  expect(api.emitted).toHaveLength(1);
  expect((await resume({ run_id })).body).toMatchObject({ count: 0 });
});

test('more runs than one transaction takes are resumed in several dispatches, and the answer is bounded', async () => {
  const run_id = await leavePending(await approvedRun());
  await api.pool.query(
    `INSERT INTO activity_runs (run_id, definition_id, definition_hash, trigger_key, origin_trigger_key, trigger_kind, status,
                                task_count, sink_mode)
     SELECT gen_random_uuid(), definition_id, definition_hash, 'manual:' || n, 'manual:' || n, 'manual', 'failed', 1, 'live'
       FROM activity_runs, generate_series(1, 600) AS n WHERE run_id = $1`,
    [run_id],
  );
  await api.pool.query(
    `INSERT INTO task_spawn_log (idempotency_key, run_id, definition_id, rule_id, spec, status)
     SELECT 'key-' || r.run_id, r.run_id, r.definition_id, t.rule_id, t.spec, 'pending'
       FROM activity_runs r, task_spawn_log t WHERE t.run_id = $1 AND r.run_id <> $1`,
    [run_id],
  );
  const preview = (await resume({ dry_run: true })).body;
  const { body } = await resume();
  expect(body.count).toBe(601);
  expect(body.items).toHaveLength(500);
  expect(body.items).toEqual(preview.items);
  expect(preview.count).toBe(601);
  expect(api.emitted).toHaveLength(2);
  const { rows } = await api.pool.query("SELECT count(*) AS n FROM activity_runs WHERE status = 'running'");
  expect(rows[0].n).toBe(601);
});

test('of two resumes at once one sends each task', async () => {
  await leavePending(await approvedRun());
  const answers = await Promise.all(Array.from({ length: 5 }, () => resume()));
  expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(200));
  expect(answers.reduce((sum, { body }) => sum + Number(body.count), 0)).toBe(1);
  expect(api.emitted).toHaveLength(1);
});

test('where Temporal is away the resume stands, for the reconciler to start', async () => {
  const run_id = await leavePending(await approvedRun());
  isTemporalAway = true;
  expect(await resume()).toMatchObject({ status: 200, body: { count: 1 } });
  expect(await shownRun(run_id)).toMatchObject({ status: 'running' });
});

test.each([
  ['is not declared any more', [], 'issue-core', 'the definition is no longer declared'],
  ['says audit', [manualDefinition()], 'issue-core', 'the definition says emit: audit'],
  ['has no sink', [LIVE], 'null', 'ISSUE_SINK_TYPE is null'],
] as const)('nothing is sent while the definition %s', async (_what, definitions, type, reason) => {
  const run_id = await leavePending(await approvedRun());
  await api.declare([...definitions]);
  sinkType = type;
  const before = await api.countRows();
  for (const dry_run of [true, false]) {
    expect(await resume({ dry_run })).toMatchObject({
      status: 409,
      body: { code: 'wrong_state', detail: `nothing can be sent now: by-hand: ${reason}` },
    });
  }
  expect(await api.countRows()).toEqual(before);
  expect(await shownRun(run_id)).toMatchObject({ status: 'failed', tasks: [{ status: 'pending' }] });
});

test('what is sent is what was approved: the content of the run, not that of the definition now', async () => {
  const first = await leavePending(await approvedRun());
  await api.declare([manualDefinition({ emit: 'live', title: 'Another' })]);
  const second = await leavePending(await approvedRun());
  await api.post(`/api/v1/runs/${second}/review`, { verdict: 'rejected', reviewer: 'ben' });
  const { body } = await resume();
  expect(body).toMatchObject({
    count: 1,
    items: [{ run_id: first }],
    skipped: [{ definition_id: 'by-hand', count: 1, reason: 'no approved audit run of this content' }],
  });
  expect(await shownRun(second)).toMatchObject({ status: 'failed' });
});

test('a retry and a resume of the same tasks are never at work together', async () => {
  const first = await leavePending(await approvedRun());
  const retried = await api.post(`/api/v1/runs/${first}/retry`);
  expect(retried.status).toBe(202);
  expect(await resume()).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining('a retry of the run is running') },
  });
  await api.pool.query("UPDATE activity_runs SET status = 'failed' WHERE retry_of IS NOT NULL");
  expect(await resume()).toMatchObject({ status: 200, body: { count: 1 } });
  for (const id of [first, String(retried.body.run_id)]) {
    expect(await api.post(`/api/v1/runs/${id}/retry`), id).toMatchObject({
      status: 409,
      body: { code: 'wrong_state', detail: expect.stringContaining('running') },
    });
  }
});

test('a retry and a resume that begin at one moment: one of them is at work', async () => {
  const run_id = await leavePending(await approvedRun());
  const [retried, resumed] = await Promise.all([api.post(`/api/v1/runs/${run_id}/retry`), resume()]);
  expect([retried.status === 202, resumed.body.count === 1].filter(Boolean)).toHaveLength(1);
});

test('a run whose retry has reported sends what it has pending, and files no report any more', async () => {
  const runId = await leavePending(await approvedRun());
  const report = { sink: 'working-memory', report: {}, attempts: 0, error: null, failing_since: null };
  const filed = { ...report, status: 'filed', filed: { file: 'a.md', sha256: 'abc' }, filed_at: null };
  const pending = { ...report, status: 'pending', filed: null, filed_at: null };
  await api.pool.query('UPDATE activity_runs SET reports = $1', [JSON.stringify([filed, pending, pending])]);
  const retry = (await api.post(`/api/v1/runs/${runId}/retry`)).body.run_id;
  await api.pool.query("UPDATE activity_runs SET status = 'failed' WHERE run_id = $1", [retry]);
  expect(await resume()).toMatchObject({ status: 200, body: { count: 1 } });
  expect((await shownRun(runId)).reports).toEqual([filed, pending, pending]);

  await leavePending(runId);
  await api.pool.query("UPDATE activity_runs SET status = 'completed' WHERE run_id = $1", [retry]);
  expect(await resume()).toMatchObject({ status: 200, body: { count: 1 } });
  const dropped = { ...pending, status: 'dropped', error: 'a retry of this run has reported' };
  expect((await shownRun(runId)).reports).toEqual([filed, dropped, dropped]);
});

test('what is discarded stays on record and is not sent, also while its run still emits', async () => {
  const over = await leavePending(await approvedRun());
  const emitting = await leavePending(await approvedRun());
  await api.pool.query("UPDATE activity_runs SET status = 'running' WHERE run_id = $1", [emitting]);
  expect((await resume({ dry_run: true })).body).toMatchObject({ count: 1, items: [{ run_id: over }] });
  const { status, body } = await discard();
  expect(status).toBe(200);
  expect(body).toMatchObject({
    count: 2,
    items: [
      { run_id: emitting, status: 'discarded' },
      { run_id: over, status: 'discarded' },
    ],
  });
  expect(await shownRun(over)).toMatchObject({ status: 'failed', tasks: [{ status: 'discarded' }] });
  expect(await shownRun(emitting)).toMatchObject({ status: 'running' });
  expect((await resume()).body).toMatchObject({ count: 0 });
  expect((await api.get('/metrics')).text).toMatch(
    /activity_core_tasks_total\{[^}]*definition_id="by-hand",status="discarded"\} 2/,
  );
});

test('a preview changes nothing', async () => {
  const run_id = await leavePending(await approvedRun());
  const everything = async () => [
    await api.countRows(),
    await shownRun(run_id),
    (await api.get('/api/v1/tasks')).body,
  ];
  const before = await everything();
  expect((await resume({ dry_run: true })).body).toMatchObject({ count: 1, items: [{ run_id }] });
  expect((await discard({ dry_run: true })).body).toMatchObject({ count: 1, items: [{ run_id }] });
  expect(await everything()).toEqual(before);
  expect(api.emitted).toEqual([]);
});

test('run and definition narrow what is resumed or discarded', async () => {
  const [first, second] = [await leavePending(await approvedRun()), await leavePending(await approvedRun())];
  expect((await discard({ definition_id: 'another' })).body.count).toBe(0);
  expect((await discard({ run_id: second, definition_id: 'another' })).body.count).toBe(0);
  expect((await discard({ run_id: first, definition_id: 'by-hand' })).body).toMatchObject({
    count: 1,
    items: [{ run_id: first }],
  });
  expect((await resume({ definition_id: 'by-hand' })).body).toMatchObject({
    count: 1,
    items: [{ run_id: second }],
  });
});

test('members that are not known and ids that are none are refused', async () => {
  for (const path of ['resume', 'discard']) {
    const url = `/api/v1/tasks/${path}`;
    expect(await api.post(url, { runId: 'x' })).toMatchObject({ status: 400 });
    expect(await api.post(url, { run_id: 'x' })).toMatchObject({
      status: 400,
      body: { violations: [{ pointer: '/run_id' }] },
    });
  }
});

test('the commands show what they would do, and do it when told', async () => {
  const run_id = await leavePending(await approvedRun());
  const preview = await cli('tasks', 'resume', '--run', run_id);
  expect(preview.exitCode).toBe(0);
  expect(preview.out).toContain(
    `1 pending task would be sent. Nothing was changed; to do it: activity-core tasks resume --run ${run_id} --yes`,
  );
  expect(api.emitted).toEqual([]);
  const careful = await cli('tasks', 'discard', '--all', '--yes', '--dry-run');
  expect(careful.out).toContain('1 pending task would be discarded.');
  const done = await cli('tasks', 'resume', '--run', run_id, '--yes');
  expect(done).toMatchObject({
    exitCode: 0,
    out: expect.stringContaining('1 pending task will be sent now.'),
  });
  expect(api.emitted).toHaveLength(1);
  expect((await cli('tasks', 'resume', '--all')).out).toContain('Nothing to send');
  const gone = await cli('tasks', 'discard', '--definition', 'by-hand', '--yes', '--json');
  expect(JSON.parse(gone.out)).toMatchObject({ count: 1, items: [{ status: 'discarded' }] });
});

test('the commands want to know whose tasks, and say no where nothing may be sent', async () => {
  await leavePending(await approvedRun());
  for (const name of ['resume', 'discard']) {
    const { exitCode, err } = await cli('tasks', name, '--yes');
    expect({ exitCode, err }).toEqual({
      exitCode: 2,
      err: 'error: whose tasks? expected --run, --definition or --all',
    });
    expect((await cli('tasks', name, '--all', '--definition', 'by-hand')).exitCode).toBe(2);
  }
  sinkType = 'null';
  const refused = await cli('tasks', 'resume', '--all', '--yes');
  expect(refused).toMatchObject({ exitCode: 1, err: expect.stringContaining('ISSUE_SINK_TYPE is null') });
});
