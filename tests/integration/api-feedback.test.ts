/** What people say of runs, and how State Hub hears of it: late if need be, never lost, never twice. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createStateHubClient } from '../../src/clients/state-hub.ts';
import { type StateHubStandIn, startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';
import type { Progress, ProgressSink } from '../../src/trust/breach-progress.ts';
import { createReportFeedback } from '../../src/trust/report-feedback.ts';
import { createTestApi, failedByHand, manualDefinition, type TestApi } from '../setup/api.ts';
import { captureCli } from '../setup/captured-cli.ts';
import { createEventPath } from '../setup/event-path.ts';
import { deadUrl } from '../setup/live-path.ts';
import { spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const NOBODY = '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11';

let api: TestApi;
let apiAddress: string;
let hub: StateHubStandIn;
let report: () => Promise<void>;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
  apiAddress = await api.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.clear();
  await api.declare([manualDefinition()]);
  hub = await startStateHubStandIn({ engagements: {} });
  report = createReportFeedback({ pool: api.pool, progress: hubClient() });
});
afterEach(() => hub.close());

const hubClient = () => createStateHubClient({ url: hub.url, token: undefined, timeoutMs: 60_000 });

async function startedRun(): Promise<{ run_id: string; workflow_id: string }> {
  const { body } = await api.post('/api/v1/definitions/by-hand/runs');
  return { run_id: String(body.run_id), workflow_id: String(body.workflow_id) };
}

async function completedRun(): Promise<string> {
  const { run_id, workflow_id } = await startedRun();
  await api.runAll([workflow_id]);
  return run_id;
}

const give = (runId: string, body: object, headers?: Record<string, string>) =>
  api.post(`/api/v1/runs/${runId}/feedback`, body, headers);
const shown = async (runId: string) => (await api.get(`/api/v1/runs/${runId}`)).body;
const verdictsPosted = () => hub.progress().map(({ detail }) => detail.verdict);

test('feedback is recorded, answered whole, and shown on its run, newest first', async () => {
  const run_id = await completedRun();
  const first = await give(run_id, { verdict: 'wrong' });
  const second = await give(run_id, { verdict: 'useful', note: 'it was right' }, { 'x-requested-by': 'ana' });
  expect([first.status, second.status]).toEqual([200, 200]);
  const { definition_hash, feedback } = await shown(run_id);
  expect(second.body).toEqual({
    run_id,
    definition_id: 'by-hand',
    definition_hash,
    scheduled_for: null,
    verdict: 'useful',
    note: 'it was right',
    requested_by: 'ana',
    at: expect.stringMatching(/^\d{4}-.*Z$/),
    state_hub: 'pending',
  });
  expect(first.body).toMatchObject({ verdict: 'wrong', note: null, requested_by: 'api' });
  expect(feedback).toEqual([second.body, first.body]);
});

test('what many say of one run at one moment has one order, by its time too', async () => {
  const run_id = await completedRun();
  await Promise.all(Array.from({ length: 10 }, () => give(run_id, { verdict: 'noisy' })));
  const times = ((await shown(run_id)).feedback as { at: string }[]).map(({ at }) => at);
  const { rows } = await api.pool.query('SELECT at FROM run_feedback ORDER BY run_feedback.at DESC');
  expect(times).toEqual(rows.map(({ at }) => at));
  expect(new Set(times).size).toBe(10);
});

test('any run that is over can have feedback, however it ended; one that is running cannot', async () => {
  const failed = await failedByHand(api);
  const missed = await completedRun();
  await api.pool.query("UPDATE activity_runs SET status = 'missed' WHERE run_id = $1", [missed]);
  for (const run_id of [failed.toUpperCase(), missed])
    expect((await give(run_id, { verdict: 'wrong' })).status).toBe(200);
  const { run_id } = await startedRun();
  expect(await give(run_id, { verdict: 'useful' })).toMatchObject({
    status: 409,
    body: {
      code: 'wrong_state',
      detail: 'the run is running; feedback can be given when it has ended',
    },
  });
  expect((await shown(run_id)).feedback).toEqual([]);
});

test('feedback on nothing, without a verdict or with what cannot be kept is refused', async () => {
  const run_id = await completedRun();
  for (const id of [NOBODY, 'no-uuid'])
    expect(await give(id, { verdict: 'useful' })).toMatchObject({ status: 404, body: { code: 'not_found' } });
  for (const [body, pointer] of [
    [{}, '/verdict'],
    [{ verdict: 'approved' }, '/verdict'],
    [{ verdict: 'useful', note: ' ' }, '/note'],
    [{ verdict: 'useful', note: 'x'.repeat(2001) }, '/note'],
    [{ verdict: 'useful', note: 'a\u0000b' }, '/note'],
    [{ verdict: 'useful', note: 'a\ud800b' }, '/note'],
    [{ verdict: 'useful', reviewer: 'ana' }, '/reviewer'],
  ] as const) {
    expect(await give(run_id, body), pointer).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', violations: [{ pointer }] },
    });
  }
  expect((await api.countRows()).run_feedback).toBe(0);
  expect((await give(run_id, { verdict: 'useful', note: 'ü'.repeat(2000) })).status).toBe(200);
});

test('State Hub gets each feedback once, in order, with what it is about', async () => {
  const run_id = await completedRun();
  const scheduled_for = '2026-11-20T06:00:00Z';
  await api.pool.query('UPDATE activity_runs SET scheduled_for = $2 WHERE run_id = $1', [
    run_id,
    scheduled_for,
  ]);
  const note = 'four of the five items were known';
  const { body } = await give(run_id, { verdict: 'noisy', note });
  await give(run_id, { verdict: 'useful' });
  await Promise.all([report(), report(), report()]);
  await report();
  const { definition_hash } = await shown(run_id);
  expect(verdictsPosted()).toEqual(['noisy', 'useful']);
  expect(hub.progress()[0]).toMatchObject({
    event_type: 'daily_triage_calibration',
    author: 'activity-core',
    summary: `run ${run_id} of by-hand for ${scheduled_for} was noisy`,
    detail: {
      run_id,
      definition_id: 'by-hand',
      definition_hash,
      scheduled_for,
      verdict: 'noisy',
      note,
      requested_by: 'api',
      at: body.at,
    },
  });
  expect((await shown(run_id)).feedback).toMatchObject([{ state_hub: 'posted' }, { state_hub: 'posted' }]);
});

test('while State Hub is down feedback is taken all the same, and told afterwards, in order, once', async () => {
  const run_id = await completedRun();
  hub.setFaults({ faults: ['http_500'] });
  for (const verdict of ['wrong', 'useful']) {
    expect((await give(run_id, { verdict })).body.state_hub).toBe('pending');
    await expect(report()).rejects.toThrow('500');
  }
  hub.setFaults({ faults: [] });
  await report();
  await report();
  expect(verdictsPosted()).toEqual(['wrong', 'useful']);
});

test('feedback whose post was filed and whose answer was lost is posted again in the same words, and filed once', async () => {
  const run_id = await completedRun();
  await give(run_id, { verdict: 'useful' });
  const posted: Progress[] = [];
  const client = hubClient();
  const progress: ProgressSink = {
    postProgress(each) {
      posted.push(each);
      return client.postProgress({ ...each });
    },
  };
  const watched = createReportFeedback({ pool: api.pool, progress });
  hub.setFaults({ faults: ['rubbish'] });
  await expect(watched()).rejects.toThrow();
  hub.setFaults({ faults: [] });
  await watched();
  expect(posted).toHaveLength(2);
  expect(posted[1]).toEqual(posted[0]);
  expect(hub.progress()).toHaveLength(1);
  expect((await shown(run_id)).feedback).toMatchObject([{ state_hub: 'posted' }]);
});

test('feedback that State Hub refuses keeps that of no other run from being told', async () => {
  const runs = [await completedRun(), await completedRun(), await completedRun()];
  for (const run_id of runs) await give(run_id, { verdict: 'useful' });
  const told: unknown[] = [];
  const refusing = createReportFeedback({
    pool: api.pool,
    progress: {
      async postProgress({ detail }) {
        if (detail.run_id === runs[0]) throw new Error('State Hub refuses it');
        told.push(detail.run_id);
      },
    },
  });
  await expect(refusing()).rejects.toThrow('refuses');
  await expect(refusing()).rejects.toThrow('refuses');
  expect(told).toEqual(runs.slice(1));
});

test('what a replica that died was about to tell is told by another when its lease is over', async () => {
  await give(await completedRun(), { verdict: 'useful' });
  await api.pool.query(`UPDATE run_feedback SET leased_until = now() + interval '1 minute'`);
  await report();
  expect(verdictsPosted()).toEqual([]);
  await api.pool.query(`UPDATE run_feedback SET leased_until = now() - interval '1 second'`);
  await report();
  expect(verdictsPosted()).toEqual(['useful']);
});

test('the command gives feedback, and `runs show` has it', async () => {
  const run_id = await completedRun();
  const argv = ['feedback', run_id, '--verdict', 'noisy', '--note', 'too long'];
  const { exitCode, out } = await captureCli(argv, { apiAddress });
  expect(exitCode).toBe(0);
  expect(out).toContain(`Run ${run_id} of by-hand was noisy`);
  const show = async () => (await captureCli(['runs', 'show', run_id], { apiAddress })).out;
  expect(await show()).toMatch(
    /Feedback\n {2}noisy, by cli .*: too long \(State Hub does not have it yet\)$/,
  );
  await report();
  expect(await show()).toMatch(/Feedback\n {2}noisy, by cli .*: too long$/);
  const running = await startedRun();
  const refused = await captureCli(['feedback', running.run_id, '--verdict', 'useful'], { apiAddress });
  expect(refused).toMatchObject({ exitCode: 1, err: expect.stringContaining('wrong_state') });
});

test('an API that is killed while State Hub is down leaves its feedback to the next, and without STATE_HUB_URL none waits', async () => {
  await using path = await createEventPath(inject('servers'));
  await path.pool.query(
    `INSERT INTO activity_runs (run_id, definition_id, definition_hash, trigger_key, origin_trigger_key, trigger_kind, status,
                                sink_mode, finished_at)
     VALUES ($1::uuid, 'by-hand', 'hash', 'manual:1', 'manual:1', 'manual', 'completed', 'audit', now())`,
    [NOBODY],
  );
  const dead = new URL(await deadUrl()).host;
  const environment = { ...path.environment, TEMPORAL_ADDRESS: dead, NATS_URL: `nats://${dead}` };
  const withHub = { ...environment, STATE_HUB_URL: hub.url };
  const giveTo = async (url: string, verdict: string) => {
    const response = await fetch(`${url}/api/v1/runs/${NOBODY}/feedback`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ verdict }),
    });
    return ((await response.json()) as { state_hub: string }).state_hub;
  };
  {
    await using without = await spawnService({ environment, roles: 'api' });
    expect(await giveTo(without.url, 'wrong')).toBe('not_configured');
  }
  hub.setFaults({ faults: ['http_500'] });
  {
    await using first = await spawnService({ environment: withHub, roles: 'api' });
    expect(await giveTo(first.url, 'useful')).toBe('pending');
    await until('it was tried', async () => first.log().includes('State Hub could not be told of feedback'));
    await first.kill();
  }
  hub.setFaults({ faults: [] });
  await using _second = await spawnService({ environment: withHub, roles: 'api' });
  const posted = async () => (await path.count('run_feedback', 'posted_at IS NOT NULL')) === 1;
  await until('it was posted', posted);
  expect(verdictsPosted()).toEqual(['useful']);
});
