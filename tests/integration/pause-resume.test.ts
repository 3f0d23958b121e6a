import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import {
  bytesOf,
  createTestApi,
  itemsOf,
  manualDefinition,
  reviewDefinition,
  type TestApi,
} from '../setup/api.ts';
import { captureCli } from '../setup/captured-cli.ts';
import { metricsEvent } from '../setup/event-path.ts';

const REVIEW = 'low-success-rate-review';
let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
beforeEach(async () => {
  await api.declare([reviewDefinition()]);
  await api.clear();
});
afterAll(() => api[Symbol.asyncDispose]());

const pause = (reason: string, id = REVIEW) => api.post(`/api/v1/definitions/${id}/pause`, { reason });
const resume = (body: object = {}, id = REVIEW) => api.post(`/api/v1/definitions/${id}/resume`, body);
const definition = async (id = REVIEW) => (await api.get(`/api/v1/definitions/${id}`)).body;
const publish = (...ids: string[]) => api.receive(...ids.map((id) => ({ bytes: bytesOf(metricsEvent(id)) })));

async function decisionOf(eventId: string, definitionId = REVIEW): Promise<JsonObject | undefined> {
  const { body } = await api.get(`/api/v1/events/${eventId}`);
  return (body.decisions as JsonObject[]).find(({ definition_id }) => definition_id === definitionId);
}

/** The events of the runs, in the order in which the runs were made. */
async function eventsOfRuns(): Promise<string[]> {
  const runs = itemsOf(await api.get('/api/v1/runs?limit=500'));
  return runs.map(({ trigger }) => String((trigger as JsonObject).event_id)).reverse();
}

async function metricOf(outcome: string): Promise<number> {
  const { values } = await api.metrics.decisions.get();
  return (
    values.find(({ labels }) => labels.definition_id === REVIEW && labels.outcome === outcome)?.value ?? 0
  );
}

const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `e-${from + n}`);

describe('a pause', () => {
  test('is answered with the definition, and shown with its reason', async () => {
    expect(await pause('the repositories move')).toMatchObject({
      status: 200,
      body: { definition_id: REVIEW, paused: true, pause_reason: 'the repositories move', enabled: true },
    });
    expect(await definition()).toMatchObject({ paused: true, pause_reason: 'the repositories move' });
  });

  test('made again has the newer reason and lasts since the first', async () => {
    await pause('first');
    const since = 'SELECT paused_at FROM definition_pauses';
    const { rows } = await api.pool.query(since);
    expect((await pause('second')).body).toMatchObject({ paused: true, pause_reason: 'second' });
    expect((await api.pool.query(since)).rows).toEqual(rows);
  });

  test('needs a reason', async () => {
    for (const body of [{}, { reason: '' }, { reason: '  ' }, { reason: 'why', until: 'noon' }]) {
      const answer = await api.post(`/api/v1/definitions/${REVIEW}/pause`, body);
      expect(answer, JSON.stringify(body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
      expect(answer.body.violations).toHaveLength(1);
    }
    expect(await definition()).toMatchObject({ paused: false });
  });

  test('of what is not declared is 404', async () => {
    const detail = 'no definition has the id nobody; a file counts once it is applied';
    expect(await pause('why', 'nobody')).toMatchObject({ status: 404, body: { code: 'not_found', detail } });
    expect(await resume({}, 'nobody')).toMatchObject({ status: 404, body: { code: 'not_found', detail } });
  });

  test('of a disabled definition holds, and waits until it is enabled', async () => {
    await api.declare([reviewDefinition({ enabled: false })]);
    expect((await pause('for now')).body).toMatchObject({ enabled: false, paused: true });
    await api.declare([reviewDefinition()]);
    expect(await definition()).toMatchObject({ enabled: true, paused: true, pause_reason: 'for now' });
  });

  test('holds what passes the filter, for its reason, and nothing of other definitions', async () => {
    await api.declare([reviewDefinition(), reviewDefinition({ id: 'other' })]);
    await pause('too many tasks');
    const sandbox = metricsEvent('e-2', 0.5, {
      attributes: { agent: 'coach', project: 'sandbox', summary: { success_rate: 0.5 } },
    });
    await publish('e-1');
    await api.receive({ bytes: bytesOf(sandbox) });
    expect(await decisionOf('e-1')).toMatchObject({
      outcome: 'held',
      reason: 'too many tasks',
      run_id: null,
      values: { 'event.attributes.project': 'kaizen-agentic' },
    });
    expect(await decisionOf('e-1', 'other')).toMatchObject({ outcome: 'fired' });
    expect(await decisionOf('e-2')).toMatchObject({ outcome: 'filtered' });
  });

  test('survives that definitions are applied, and that the file is gone for a while', async () => {
    await pause('for now');
    await publish('e-1');
    await api.declare([manualDefinition()]);
    expect((await api.get(`/api/v1/definitions/${REVIEW}`)).status).toBe(404);
    await api.declare([reviewDefinition({ title: 'Changed' })]);
    expect(await definition()).toMatchObject({ title: 'Changed', paused: true, pause_reason: 'for now' });
    expect((await resume()).body).toMatchObject({ held: { fired: 1, discarded: 0 } });
    await api.runAll();
    expect(await eventsOfRuns()).toEqual(['e-1']);
  });
});

describe('a resume', () => {
  test('runs what was held in the order of receipt, on the current revision, each once', async () => {
    const before = await metricOf('fired');
    await pause('for now');
    await publish(...numbered(60));
    await publish(...numbered(40, 60));
    expect(await eventsOfRuns()).toEqual([]);
    await api.declare([reviewDefinition({ title: 'Changed meanwhile' })]);
    const { status, body } = await resume({ reason: 'all is well' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ paused: false, pause_reason: null, held: { fired: 100, discarded: 0 } });
    expect(api.started).toHaveLength(1);
    await api.runAll();
    expect(await eventsOfRuns()).toEqual(numbered(100));
    const decision = await decisionOf('e-7');
    expect(decision).toMatchObject({
      outcome: 'fired',
      reason: 'held: for now; resumed: all is well',
      definition_hash: body.definition_hash,
    });
    expect((await api.get(`/api/v1/runs/${decision?.run_id}`)).body).toMatchObject({
      status: 'completed',
      definition_hash: body.definition_hash,
      trigger: { kind: 'event', event_id: 'e-7' },
      task_count: 1,
    });
    expect(await metricOf('fired')).toBe(before + 100);
    await publish('after');
    expect(await decisionOf('after')).toMatchObject({ outcome: 'fired', reason: null });
  });

  test('of more than one dispatch starts them oldest first', async () => {
    await pause('for now');
    for (let n = 0; n < 2200; n += 550) await publish(...numbered(550, n));
    expect((await resume()).body).toMatchObject({ held: { fired: 2200 } });
    expect(api.started).toHaveLength(5);
    const { rows } = await api.pool.query(
      `SELECT e.id FROM unnest($1::uuid[]) WITH ORDINALITY AS s (dispatch_id, n)
         JOIN dispatches USING (dispatch_id), unnest(event_uids) WITH ORDINALITY AS m (event_uid, at)
         JOIN events e USING (event_uid) ORDER BY s.n, m.at`,
      [api.started],
    );
    expect(rows.map(({ id }) => id)).toEqual(numbered(2200));
    const { rows: looked } = await api.pool.query('SELECT dispatch_id FROM dispatches ORDER BY checked_at');
    expect(looked.map(({ dispatch_id }) => dispatch_id)).toEqual(api.started);
  });

  test('bounds a dispatch in bytes', async () => {
    await pause('for now');
    const events = numbered(40).map((id) => {
      const { attributes, ...rest } = metricsEvent(id);
      return { bytes: bytesOf({ ...rest, attributes: { ...attributes, log: 'x'.repeat(250_000) } }) };
    });
    await api.receive(...events);
    expect((await resume()).body).toMatchObject({ held: { fired: 40 } });
    expect(api.started).toHaveLength(2);
  });

  test('gives a workflow of its own to what does not decide at once', async () => {
    await pause('for now');
    await publish('e-1', 'e-2');
    await api.pool.query(
      `UPDATE activity_definitions
          SET document = jsonb_set(document, '{reports}', '[{"sink": "state-hub-progress"}]') WHERE is_current`,
    );
    expect((await resume()).body).toMatchObject({ held: { fired: 2 } });
    expect(api.started).toHaveLength(2);
  });

  test('with held: discard runs nothing, and says why for each', async () => {
    const before = await metricOf('discarded');
    await pause('for now');
    await publish('e-1', 'e-2');
    const { body } = await resume({ held: 'discard', reason: 'they are stale' });
    expect(body).toMatchObject({ paused: false, held: { fired: 0, discarded: 2 } });
    expect(await decisionOf('e-1')).toMatchObject({
      outcome: 'discarded',
      reason: 'they are stale',
      run_id: null,
    });
    expect(await api.countRows()).toMatchObject({ dispatches: 0, activity_runs: 0 });
    expect(await metricOf('discarded')).toBe(before + 2);
    await pause('again');
    await publish('e-3');
    await resume({ held: 'discard' });
    expect(await decisionOf('e-3')).toMatchObject({ reason: 'discarded on resume' });
  });

  test('of what is not paused changes nothing', async () => {
    const { rows } = await api.pool.query('SELECT version FROM registry_version');
    expect(await resume()).toMatchObject({
      status: 200,
      body: { definition_id: REVIEW, paused: false, held: { fired: 0, discarded: 0 } },
    });
    expect((await api.pool.query('SELECT version FROM registry_version')).rows).toEqual(rows);
  });

  test('of a definition that is disabled or gone refuses to run what is held, and can discard it', async () => {
    await pause('for now');
    await publish('e-1', 'e-2');
    await api.declare([reviewDefinition({ enabled: false })]);
    expect(await resume()).toMatchObject({
      status: 409,
      body: {
        code: 'definition_disabled',
        detail: `${REVIEW} is disabled and holds 2 events; enable it first, or send {"held": "discard"}`,
      },
    });
    expect(await definition()).toMatchObject({ paused: true });
    await api.declare([manualDefinition()]);
    expect((await resume()).body.detail).toContain('is no longer declared and holds 2 events');
    expect(await decisionOf('e-1')).toMatchObject({ outcome: 'held' });
    expect(await resume({ held: 'discard' })).toMatchObject({
      status: 200,
      body: { definition_id: REVIEW, paused: false, pause_reason: null, held: { fired: 0, discarded: 2 } },
    });
    expect((await resume()).status).toBe(404);
  });

  test('of a disabled definition that holds nothing ends the pause', async () => {
    await api.declare([reviewDefinition({ enabled: false })]);
    await pause('for now');
    expect((await resume()).body).toMatchObject({ enabled: false, paused: false });
  });

  test('whose workflows cannot be started is done all the same; they start later', async () => {
    await using other = await createTestApi(inject('servers').database_url, {
      startDispatch: () => Promise.reject(new Error('Temporal is not connected yet')),
    });
    await other.declare([reviewDefinition()]);
    await other.post(`/api/v1/definitions/${REVIEW}/pause`, { reason: 'for now' });
    await other.receive({ bytes: bytesOf(metricsEvent('e-1')) });
    const { status, body } = await other.post(`/api/v1/definitions/${REVIEW}/resume`);
    expect({ status, body }).toMatchObject({ status: 200, body: { held: { fired: 1 } } });
    expect(await other.countRows()).toMatchObject({ dispatches: 1 });
  });
});

describe('the command line', () => {
  test('pauses and resumes, and tells what became of what was held', async () => {
    const apiAddress = await api.app.listen({ host: '127.0.0.1', port: 0 });
    const cli = (...argv: string[]) => captureCli(['definitions', ...argv], { apiAddress });
    expect(await cli('pause', REVIEW)).toMatchObject({ exitCode: 2 });
    const paused = await cli('pause', REVIEW, '--reason', 'for now');
    expect(paused).toMatchObject({ exitCode: 0, out: `Paused ${REVIEW}: for now` });
    await publish('e-1');
    const discarded = await cli('resume', REVIEW, '--held', 'discard', '--reason', 'stale');
    expect(discarded).toMatchObject({ exitCode: 0, out: `Resumed ${REVIEW}.\n1 held event discarded.` });
    expect(await decisionOf('e-1')).toMatchObject({ outcome: 'discarded', reason: 'stale' });

    const asJson = await cli('pause', REVIEW, '--reason', 'again', '--json');
    expect(JSON.parse(asJson.out)).toEqual((await api.get(`/api/v1/definitions/${REVIEW}`)).body);
    await publish('e-2', 'e-3');
    const resumed = await cli('resume', REVIEW);
    expect(resumed.out).toBe(`Resumed ${REVIEW}.\n2 held events will run, oldest first.`);
    const again = await cli('resume', REVIEW);
    expect(again).toMatchObject({ exitCode: 0, out: `${REVIEW} was not paused.` });
    expect(await cli('resume', 'nobody')).toMatchObject({ exitCode: 1 });
  });
});
