/** Runs whose model is asked: for how long it is asked again, which context is kept for it, and what it does not hold up. */
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import type { AskModel } from '../../src/activities/ask-model.ts';
import { createCallJournal } from '../../src/activities/call-journal.ts';
import { createClose } from '../../src/activities/close.ts';
import { countOpenDispatches } from '../../src/store/dispatches.ts';
import { NO_RESULT } from '../../src/store/instruction-calls.ts';
import { failRunningRuns } from '../../src/store/runs.ts';
import { bytesOf, createTestApi, manualDefinition, reviewDefinition, type TestApi } from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';
import { answered, createModelRuns, type ModelRuns, unavailable } from '../setup/model-runs.ts';
import { reconcilePass } from '../setup/reconcile-pass.ts';

const instruction = (id: string) => ({
  id,
  prompt: 'Look at {{ context }}.',
  output_schema: { type: 'object' },
});
const BY_HAND = manualDefinition({ rules: [], instructions: [instruction('first'), instruction('second')] });
const OF_EVENTS = reviewDefinition({ instructions: [instruction('only')] });
const REVIEW = '/api/v1/definitions/low-success-rate-review';

let api: TestApi;
/** What the model does when it is asked. */
let model: AskModel;
let runs: ModelRuns;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  model = async (input) => answered(input, {});
  runs = createModelRuns(api, (input) => model(input));
  await api.declare([BY_HAND, OF_EVENTS]);
  await api.clear();
});

/** A run by hand, and its dispatch. */
async function byHand() {
  const { body } = await api.post('/api/v1/definitions/by-hand/runs');
  const dispatch_id = api.started.at(-1) ?? '';
  const read = async () => (await api.get(`/api/v1/runs/${body.run_id}`)).body;
  return { run_id: String(body.run_id), dispatch_id, read };
}

async function receive(...ids: string[]): Promise<string[]> {
  const { dispatch_ids } = await api.receive(...ids.map((id) => ({ bytes: bytesOf(metricsEvent(id)) })));
  return dispatch_ids;
}

const count = async (table: string, where = 'true'): Promise<number> =>
  (await api.pool.query(`SELECT count(*) AS n FROM ${table} WHERE ${where}`)).rows[0].n;

/** All that is on record happened so much earlier. */
async function minutesPass(minutes: number): Promise<void> {
  const earlier = `interval '${minutes} minutes'`;
  await api.pool.query(`UPDATE dispatches SET unanswered_since = unanswered_since - ${earlier}`);
  await api.pool.query(`UPDATE pinned_contexts SET pinned_at = pinned_at - ${earlier}`);
  await api.pool.query(`UPDATE instruction_calls SET ended_at = ended_at - ${earlier}`);
}

test('a run whose model is asked is done on a queue of its own', async () => {
  const { dispatch_id } = await byHand();
  expect(await runs.prepare(dispatch_id)).toBe('model');
});

test('a model that does not answer is asked again for two minutes from its first fault, however long the run waited before', async () => {
  model = async (input) => unavailable(input);
  const { dispatch_id, read } = await byHand();
  await api.pool.query("UPDATE dispatches SET created_at = now() - interval '1 day'");
  expect(await runs.attempt(dispatch_id)).toBe('not_answered');
  await minutesPass(1);
  expect(await runs.attempt(dispatch_id)).toBe('not_answered');
  expect(await read()).toMatchObject({ status: 'running' });
  await minutesPass(1.1);
  expect(await runs.attempt(dispatch_id)).toBeNull();
  expect(await read()).toMatchObject({ status: 'failed', error: { code: 'instruction_failed' } });
});

test('nobody is asked less than three times, whatever time that takes', async () => {
  model = async (input) => unavailable(input);
  const { dispatch_id, read } = await byHand();
  for (const attempt of [1, 2]) {
    expect(await runs.attempt(dispatch_id, { attempt })).toBe('not_answered');
    await minutesPass(6);
  }
  expect(await runs.attempt(dispatch_id, { attempt: 3 })).toBeNull();
  expect(await read()).toMatchObject({ status: 'failed' });
});

test('a worker that stops in the middle fails no run and begins no wait', async () => {
  model = async (input) => unavailable(input);
  const { dispatch_id, read } = await byHand();
  expect(await runs.attempt(dispatch_id, { isCancelled: true })).toBe('not_answered');
  expect(await count('dispatches', 'unanswered_since IS NOT NULL')).toBe(0);
  await runs.attempt(dispatch_id);
  await minutesPass(60);
  expect(await runs.attempt(dispatch_id, { isCancelled: true })).toBe('not_answered');
  expect(await read()).toMatchObject({ status: 'running' });
});

test('sources that answered begin the two minutes of the model anew, also where the worker died before it said anything', async () => {
  model = async (input) => unavailable(input);
  const { dispatch_id, run_id, read } = await byHand();
  await api.pool.query("UPDATE dispatches SET unanswered_since = now() - interval '60 seconds'");
  expect(await runs.attempt(dispatch_id, { isCancelled: true })).toBe('not_answered');
  expect(await count('pinned_contexts', `run_id = '${run_id}'`)).toBe(1);
  await api.pool.query("UPDATE dispatches SET unanswered_since = now() - interval '130 seconds'");
  expect(await runs.attempt(dispatch_id)).toBe('not_answered');
  await minutesPass(2.1);
  expect(await runs.attempt(dispatch_id)).toBeNull();
  expect(await read()).toMatchObject({ status: 'failed' });
});

test('an instruction that was answered begins the two minutes of the next one anew', async () => {
  model = async (input) => unavailable(input);
  const { dispatch_id, read } = await byHand();
  expect(await runs.attempt(dispatch_id)).toBe('not_answered');
  await minutesPass(3);
  const journal = createCallJournal(api.pool);
  model = async (input) => {
    const { run, instruction, prompt } = input;
    if (instruction.id === 'second') return unavailable(input);
    const question = { ...run, instruction_id: instruction.id };
    const begun = await journal.begin(question, { prompt_hash: prompt.prompt_hash, maxCalls: 9 });
    const ending = { ...NO_RESULT, outcome: 'accepted', counts: true, output: {} } as const;
    if (begun.ok) await journal.end(question, begun.call_id, ending);
    return answered(input, {});
  };
  expect(await runs.attempt(dispatch_id)).toBe('not_answered');
  await api.pool.query("UPDATE dispatches SET unanswered_since = unanswered_since - interval '1 minute'");
  await api.pool.query("UPDATE instruction_calls SET ended_at = ended_at - interval '1 minute'");
  model = async (input) => (input.instruction.id === 'second' ? unavailable(input) : answered(input, {}));
  expect(await runs.attempt(dispatch_id)).toBe('not_answered');
  await minutesPass(1.1);
  expect(await runs.attempt(dispatch_id)).toBeNull();
  expect(await read()).toMatchObject({ status: 'failed', error: { code: 'instruction_failed' } });
});

test('however many runs wait for a model or file reports, what comes from NATS is recorded', async () => {
  await api.declare([
    OF_EVENTS,
    reviewDefinition({
      id: 'reporting',
      reports: [{ sink: 'state-hub-progress', event_type: 'review', summary: 'Done' }],
    }),
    reviewDefinition({ id: 'shared' }),
  ]);
  await receive('a', 'b', 'c');
  expect(await count('dispatches', 'closed_at IS NULL')).toBe(7);
  expect(await count('dispatches', 'alone')).toBe(6);
  expect(await countOpenDispatches(api.pool)).toBe(1);
});

test('what is released after a pause, and what the reconciler dispatches again, hold up nothing either', async () => {
  await api.post(`${REVIEW}/pause`, { reason: 'for now' });
  await receive('a', 'b');
  expect((await api.post(`${REVIEW}/resume`)).body).toMatchObject({ held: { fired: 2 } });
  expect(await count('dispatches', 'closed_at IS NULL AND alone')).toBe(2);
  await api.pool.query("UPDATE dispatches SET checked_at = 'epoch'");
  const started = await reconcilePass(api, 'TERMINATED');
  expect(started).toHaveLength(2);
  expect(await count('dispatches', 'closed_at IS NULL AND alone')).toBe(2);
  expect(await countOpenDispatches(api.pool)).toBe(0);
});

test('a run that is held by the storm budget leaves no context behind', async () => {
  await api.declare([{ ...OF_EVENTS, limits: { max_tasks_per_hour: 1 } }]);
  for (const dispatch of await receive('a', 'b', 'c')) expect(await runs.attempt(dispatch)).toBeNull();
  expect(await count('event_decisions', "outcome = 'held'")).toBe(1);
  expect(await count('activity_runs')).toBe(2);
  expect(await count('pinned_contexts')).toBe(0);
});

test('a context that was pinned for an earlier revision is not used', async () => {
  const seen: string[] = [];
  model = async (input) => {
    seen.push(JSON.stringify(input.prompt.messages));
    return answered(input, {});
  };
  const { dispatch_id, run_id, read } = await byHand();
  await api.pool.query(
    `INSERT INTO pinned_contexts (run_id, definition_hash, context) VALUES ($1, 'an earlier one', '{"facts": {"stale": true}}')`,
    [run_id],
  );
  expect(await runs.attempt(dispatch_id)).toBeNull();
  expect((await read()).context).toEqual({ facts: { count: 2 } });
  expect(seen.join()).not.toContain('stale');
  expect(await count('pinned_contexts')).toBe(0);
});

const ERROR = { code: 'workflow_failed', message: 'gone', details: {} } as const;

test('a run that its workflow left behind leaves no context behind, whether it had a row or not', async () => {
  model = async (input) => unavailable(input);
  const { dispatch_id } = await byHand();
  const [ofEvent = ''] = await receive('a');
  await runs.attempt(dispatch_id);
  await runs.attempt(ofEvent);
  expect(await count('pinned_contexts')).toBe(2);
  expect(await failRunningRuns(api.pool, dispatch_id, ERROR)).toMatchObject([{ definition_id: 'by-hand' }]);
  expect(await count('pinned_contexts')).toBe(1);
  const { pool, metrics } = api;
  const logger = pino({ level: 'silent' });
  const startQueued = vi.fn(async () => undefined);
  await createClose({ pool, startQueued, metrics, logger })({ dispatch_id: ofEvent, code: 'x' });
  expect(startQueued).toHaveBeenCalledWith(['low-success-rate-review']);
  expect(await count('activity_runs', "status = 'failed'")).toBe(2);
  expect(await count('pinned_contexts')).toBe(0);
});
