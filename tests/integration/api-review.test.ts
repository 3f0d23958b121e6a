/** What people say of runs, and what that makes of their definitions. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createSinkMode } from '../../src/sinks/sink-mode.ts';
import { createTestApi, failedByHand, manualDefinition, type TestApi } from '../setup/api.ts';
import { captureCli } from '../setup/captured-cli.ts';

let api: TestApi;
let apiAddress: string;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url, { sinkMode: createSinkMode('issue-core') });
  apiAddress = await api.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.clear();
  await api.declare([manualDefinition()]);
});

async function completedRun(): Promise<string> {
  const { body } = await api.post('/api/v1/definitions/by-hand/runs');
  await api.runAll([String(body.workflow_id)]);
  return String(body.run_id);
}

const review = (runId: string, body: object) => api.post(`/api/v1/runs/${runId}/review`, body);
const approve = (runId: string) => review(runId, { verdict: 'approved', reviewer: 'ana' });
const sinkNow = async () => {
  const { sink_mode, sink_reason } = (await api.get('/api/v1/definitions/by-hand')).body;
  return { sink_mode, sink_reason };
};
const UNAPPROVED = { sink_mode: 'audit', sink_reason: 'no approved audit run of this content' };
const LIVE = { sink_mode: 'live', sink_reason: null };

test('a review is recorded, answered whole, and shown on its run, newest first', async () => {
  const run_id = await completedRun();
  const first = await review(run_id, { verdict: 'rejected', reviewer: 'ben', note: 'wrong repository' });
  const second = await approve(run_id);
  expect([first.status, second.status]).toEqual([200, 200]);
  const { definition_hash, reviews } = (await api.get(`/api/v1/runs/${run_id}`)).body;
  expect(second.body).toEqual({
    run_id,
    definition_id: 'by-hand',
    definition_hash,
    content_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    verdict: 'approved',
    reviewer: 'ana',
    note: null,
    reviewed_at: expect.stringMatching(/Z$/),
    is_current_content: true,
  });
  const { is_current_content: _second, ...newest } = second.body;
  const { is_current_content: _first, ...oldest } = first.body;
  expect(reviews).toEqual([newest, oldest]);
});

test('with emit: live, the latest verdict on the same content decides what runs are', async () => {
  const run_id = await completedRun();
  await api.declare([manualDefinition({ emit: 'live' })]);
  expect(await sinkNow()).toEqual(UNAPPROVED);
  await approve(run_id);
  expect(await sinkNow()).toEqual(LIVE);
  await review(run_id, { verdict: 'rejected', reviewer: 'ben' });
  expect(await sinkNow()).toEqual(UNAPPROVED);
  await approve(run_id);
  expect(await sinkNow()).toEqual(LIVE);
});

test('an approval of other content does not count, and says so', async () => {
  const run_id = await completedRun();
  await api.declare([manualDefinition({ emit: 'live', title: 'Another one' })]);
  expect(await approve(run_id)).toMatchObject({ status: 200, body: { is_current_content: false } });
  expect(await sinkNow()).toEqual(UNAPPROVED);
  const { out } = await captureCli(['review', run_id, '--verdict', 'approved', '--reviewer', 'ana'], {
    apiAddress,
  });
  expect(out).toContain('That is not what is applied now');
});

test('a failed run and one without a spec cannot be approved, and can be rejected', async () => {
  const failed = await failedByHand(api);
  expect(await approve(failed)).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', detail: 'the run is failed; only a completed run can be approved' },
  });
  const rules = [{ id: 'never', condition: 'false', task: { title: 'never' } }];
  await api.declare([manualDefinition({ rules })]);
  const empty = await completedRun();
  expect(await approve(empty)).toMatchObject({
    status: 409,
    body: { code: 'wrong_state', detail: expect.stringContaining('made no task spec') },
  });
  for (const id of [failed, empty])
    expect((await review(id, { verdict: 'rejected', reviewer: 'ben' })).status).toBe(200);
});

test('a run that is running has no verdict yet', async () => {
  const { body } = await api.post('/api/v1/definitions/by-hand/runs');
  for (const verdict of ['approved', 'rejected']) {
    expect(await review(String(body.run_id), { verdict, reviewer: 'ana' })).toMatchObject({
      status: 409,
      body: { code: 'wrong_state', detail: expect.stringContaining('running') },
    });
  }
  expect((await api.countRows()).run_reviews).toBe(0);
});

test('a review of nothing, by nobody, or with another verdict is refused', async () => {
  const run_id = await completedRun();
  for (const id of ['8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11', 'no-uuid'])
    expect(await approve(id)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  for (const [body, pointer] of [
    [{ verdict: 'approved' }, '/reviewer'],
    [{ verdict: 'approved', reviewer: ' ' }, '/reviewer'],
    [{ verdict: 'approved', reviewer: 'x'.repeat(201) }, '/reviewer'],
    [{ verdict: 'maybe', reviewer: 'ana' }, '/verdict'],
    [{ verdict: 'approved', reviewer: 'ana', note: 'x'.repeat(2001) }, '/note'],
    [{ verdict: 'approved', reviewer: 'ana', note: 'a\u0000b' }, '/note'],
    [{ verdict: 'approved', reviewer: 'ana', by: 'x' }, '/by'],
  ] as const) {
    expect(await review(run_id, body), pointer).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', violations: [{ pointer }] },
    });
  }
  expect((await api.countRows()).run_reviews).toBe(0);
});

test('the command tells what the verdict means, and `runs show` has it', async () => {
  const run_id = await completedRun();
  const argv = ['review', run_id, '--verdict', 'approved', '--reviewer', 'ana', '--note', 'as it should be'];
  const { exitCode, out } = await captureCli(argv, { apiAddress });
  expect(exitCode).toBe(0);
  expect(out).toContain(`ana approved run ${run_id} of by-hand.`);
  expect(out).toContain('What is applied now is approved');
  expect(out).toContain('activity-core promote by-hand');
  const shown = await captureCli(['runs', 'show', run_id], { apiAddress });
  expect(shown.out).toMatch(/Reviews\n {2}approved by ana .*: as it should be/);
  const nobody = await captureCli(['review', run_id, '--verdict', 'approved'], { apiAddress });
  expect(nobody).toMatchObject({ exitCode: 2, err: expect.stringContaining('--reviewer') });
});
