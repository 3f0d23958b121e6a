/** The queue of dispatches that are alone: who takes from it, in which order, and who must not. Against PostgreSQL alone. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import {
  closeDispatch,
  insertDispatches,
  markPrepared,
  type NewDispatch,
} from '../../src/store/dispatches.ts';
import { takeQueued } from '../../src/store/queued-dispatches.ts';
import {
  bytesOf,
  createTestApi,
  itemsOf,
  manualDefinition,
  reviewDefinition,
  type TestApi,
} from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';
import { answered, createModelRuns } from '../setup/model-runs.ts';
import { reconcilePass } from '../setup/reconcile-pass.ts';

const CAP = 16;
const REVIEW = 'low-success-rate-review';
const instructions = [{ id: 'only', prompt: 'Look at {{ context }}.', output_schema: { type: 'object' } }];
const ALONE = reviewDefinition({ instructions });
const BY_HAND = manualDefinition({ instructions });

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.declare([ALONE, BY_HAND]);
  await api.clear();
});

function queuedDispatches(definition_id: string, count: number): NewDispatch[] {
  return Array.from({ length: count }, () => {
    const member = { run_id: randomUUID(), definition_id, definition_hash: 'h', event_uid: randomUUID() };
    return { dispatch_id: randomUUID(), members: [member], alone: true, queued: true };
  });
}

const idsOf = (dispatches: NewDispatch[]) => dispatches.map(({ dispatch_id }) => dispatch_id);

const messages = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    bytes: bytesOf(metricsEvent(`e-${n}`)),
    stream_seq: n + 1,
    stream_timestamp: 1_000_000 + n,
  }));

const queue = async (): Promise<string[]> => {
  const { rows } = await api.pool.query(
    'SELECT dispatch_id FROM dispatches WHERE queued_at IS NOT NULL ORDER BY queued_at',
  );
  return rows.map(({ dispatch_id }) => dispatch_id);
};

test('of many that take at one moment, all together get sixteen of each definition, the oldest ones', async () => {
  const [one, other] = [queuedDispatches('one', 40), queuedDispatches('other', 3)];
  await insertDispatches(api.pool, [...one, ...other]);
  const takeAtOnce = async () =>
    (await Promise.all(Array.from({ length: 10 }, () => takeQueued(api.pool, ['other', 'one'])))).flat();
  const taken = await takeAtOnce();
  expect(taken.toSorted()).toEqual([...idsOf(one.slice(0, CAP)), ...idsOf(other)].toSorted());
  expect(await takeAtOnce()).toEqual([]);
  const [first = '', second = ''] = taken.filter((id) => idsOf(one).includes(id));
  await closeDispatch(api.pool, first, 'deciding');
  await markPrepared(api.pool, second);
  expect(await takeAtOnce()).toEqual(idsOf(one.slice(CAP, CAP + 2)));
});

test('shared dispatches and runs by hand are neither queued nor counted', async () => {
  await api.declare([ALONE, BY_HAND, reviewDefinition({ id: 'shared' })]);
  await api.post('/api/v1/definitions/by-hand/runs');
  await api.post(`/api/v1/definitions/${REVIEW}/runs`, { event: metricsEvent('by-hand') });
  expect(api.started).toHaveLength(2);
  const { dispatch_ids } = await api.receive(...messages(20));
  // The shared one, and as many others as may be.
  expect(dispatch_ids).toHaveLength(1 + CAP);
  expect(await queue()).toHaveLength(20 - CAP);
  await api.post('/api/v1/definitions/by-hand/runs');
  expect(api.started).toHaveLength(3);
});

test('a redelivery starts none that waits, and the reconciler none for its age', async () => {
  await api.receive(...messages(CAP + 1));
  const [waiting = ''] = await queue();
  const { dispatch_ids } = await api.receive(...messages(CAP + 1));
  expect(dispatch_ids).toHaveLength(CAP);
  expect(dispatch_ids).not.toContain(waiting);
  await api.pool.query("UPDATE dispatches SET checked_at = 'epoch', created_at = 'epoch'");
  expect(await reconcilePass(api, 'RUNNING')).toEqual([]);
  expect(await queue()).toEqual([waiting]);
});

test('what nobody has taken after room was made the reconciler takes, also of a definition that is gone', async () => {
  const { dispatch_ids } = await api.receive(...messages(CAP + 3));
  const waiting = await queue();
  await api.declare([BY_HAND]);
  await reconcilePass(api, 'RUNNING');
  const gauge = async () => (await api.metrics.queuedDispatches.get()).values;
  expect(await gauge()).toMatchObject([{ labels: { definition_id: REVIEW }, value: 3 }]);
  for (const id of dispatch_ids.slice(0, 3)) await closeDispatch(api.pool, id, 'deciding');
  expect(await reconcilePass(api, 'RUNNING')).toEqual(waiting);
  await reconcilePass(api, 'RUNNING');
  expect(await gauge()).toEqual([]);
});

test('one that is dispatched again after its workflow was ended by force keeps its place', async () => {
  await api.receive(...messages(CAP + 1));
  const waiting = await queue();
  await api.pool.query("UPDATE dispatches SET checked_at = 'epoch' WHERE queued_at IS NULL");
  expect(await reconcilePass(api, 'TERMINATED')).toHaveLength(CAP);
  expect(await queue()).toEqual(waiting);
});

test('what is redriven waits for its turn', async () => {
  await api.declare([ALONE], []);
  await api.receive({ bytes: bytesOf(metricsEvent('late')) });
  await api.declare([ALONE]);
  const [item] = itemsOf(await api.get('/api/v1/quarantine'));
  const { dispatch_ids } = await api.receive(...messages(CAP));
  expect((await api.post(`/api/v1/quarantine/${item?.id}/redrive`)).body.fate).toBe('accepted');
  expect(api.started).toEqual([]);
  const waiting = await queue();
  expect(waiting).toHaveLength(1);
  await closeDispatch(api.pool, dispatch_ids[0] ?? '', 'deciding');
  expect(await takeQueued(api.pool, [REVIEW])).toEqual(waiting);
});

test('whoever has decided one lets the next one in, and nobody does for a shared one', async () => {
  const startQueued = vi.fn(async () => undefined);
  const runs = createModelRuns(api, async (input) => answered(input, {}), { startQueued });
  const { dispatch_ids } = await api.receive(...messages(1));
  expect(await runs.attempt(dispatch_ids[0] ?? '')).toBeNull();
  expect(startQueued.mock.calls).toEqual([[[REVIEW]]]);
  await api.declare([reviewDefinition()]);
  const shared = await api.receive({ bytes: bytesOf(metricsEvent('shared')) });
  await runs.prepare(shared.dispatch_ids[0] ?? '');
  expect(startQueued).toHaveBeenCalledTimes(1);
});
