/** Events that cause each other, directly or through tasks of ours, are stopped once they stand too deep. */
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import { eventUid } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import {
  bytesOf,
  createTestApi,
  itemsOf,
  manualDefinition,
  reviewDefinition,
  type TestApi,
} from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';

const TYPE = 'kaizen.metrics.recorded';

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
  await api.declare([reviewDefinition(), manualDefinition()]);
});
afterAll(() => api[Symbol.asyncDispose]());
afterEach(() => vi.restoreAllMocks());
beforeEach(async () => {
  await api.clear();
  api.metrics.registry.resetMetrics();
});

const event = (id: string, causation_id: string | null = null, rest: object = {}) =>
  metricsEvent(id, 0.5, { causation_id, ...rest });
const message = (body: object) => ({ bytes: bytesOf(body) });
const receive = (...events: object[]) => api.receive(...events.map(message));

/** `e0` to `e<last>`, each caused by the one before. */
const chain = (last: number) =>
  Array.from({ length: last + 1 }, (_, n) => event(`e${n}`, n === 0 ? null : `e${n - 1}`));

async function depths(): Promise<Record<string, number>> {
  const { rows } = await api.pool.query('SELECT id, depth FROM events ORDER BY received_at');
  return Object.fromEntries(rows.map(({ id, depth }) => [id, depth]));
}

async function depthOf(id: string, source = 'kaizen-agentic'): Promise<number | undefined> {
  const { rows } = await api.pool.query('SELECT depth FROM events WHERE id = $1 AND source = $2', [
    id,
    source,
  ]);
  return rows[0]?.depth;
}

const loops = async () => itemsOf(await api.get('/api/v1/quarantine?reason=causal_loop'));

/** The chain of the only refused event, as its violation tells it. */
async function toldChain(): Promise<string[]> {
  const found = await loops();
  expect(found).toHaveLength(1);
  const [violation] = found.flatMap(({ violations }) => violations as JsonObject[]);
  expect(violation?.pointer).toBe('/causation_id');
  const [fault, told = ''] = String(violation?.message).split(/: (.*)/s);
  expect(fault).toBe('comes after 6 others, each caused by the one before; expected at most 5');
  return told.split(' → ');
}

/** The only task that the event `id` led to. */
async function taskOf(id: string): Promise<{ idempotency_key: string; run_id: string }> {
  const { rows } = await api.pool.query(
    `SELECT idempotency_key, run_id FROM task_spawn_log JOIN activity_runs USING (run_id) WHERE event_id = $1`,
    [id],
  );
  expect(rows).toHaveLength(1);
  return rows[0];
}

/** Received and run: its task's key. */
async function run(body: { id: string }): Promise<string> {
  await api.runAll((await receive(body)).dispatch_ids);
  return (await taskOf(body.id)).idempotency_key;
}

const labels = (ids: string[]) => ids.map((id) => `${id} (${TYPE})`);
const ALL = { e0: 0, e1: 1, e2: 2, e3: 3, e4: 4, e5: 5 };
const CHAIN = labels(['e0', 'e1', 'e2', 'e3', 'e4', 'e5', 'e6']);

test.each([
  ['in one batch', async () => void (await receive(...chain(6)))],
  [
    'one by one',
    async () => {
      for (const one of chain(6)) await receive(one);
    },
  ],
  [
    'in two batches',
    async () => {
      await receive(...chain(6).slice(0, 3));
      await receive(...chain(6).slice(3));
    },
  ],
])(
  'of a chain of events that come %s, depth 5 is accepted and depth 6 refused with the chain',
  async (_, send) => {
    await send();
    expect(await depths()).toEqual(ALL);
    expect(await toldChain()).toEqual(CHAIN);
  },
);

test('what is refused is no cause: the event after it starts anew', async () => {
  await receive(...chain(7));
  expect(await depths()).toEqual({ ...ALL, e7: 0 });
  expect(await loops()).toHaveLength(1);
});

test('a loop through tasks of ours is refused with the events, tasks and runs that led to it', async () => {
  let key: string | null = null;
  for (const id of Object.keys(ALL)) key = await run(event(id, key));
  expect(await depths()).toEqual(ALL);
  const { dispatch_ids } = await receive(event('e6', key));
  expect(dispatch_ids).toEqual([]);
  const expected: string[] = [];
  for (const id of Object.keys(ALL)) {
    const task = await taskOf(id);
    expected.push(...labels([id]));
    expected.push(
      `task ${task.idempotency_key.slice(0, 12)}… of run ${task.run_id} (low-success-rate-review)`,
    );
  }
  expect(await toldChain()).toEqual([...expected, ...labels(['e6'])]);
});

test('a task of a run without an event is a first cause', async () => {
  await api.post('/api/v1/definitions/by-hand/runs');
  await api.runAll();
  const { rows } = await api.pool.query('SELECT idempotency_key, run_id FROM task_spawn_log');
  await receive(event('e1', rows[0].idempotency_key), ...chain(6).slice(2));
  expect(await depths()).toEqual({ e1: 1, e2: 2, e3: 3, e4: 4, e5: 5 });
  const task = `task ${rows[0].idempotency_key.slice(0, 12)}… of run ${rows[0].run_id} (by-hand)`;
  expect(await toldChain()).toEqual([task, ...CHAIN.slice(1)]);
});

test('a task keeps its cause when its run is retried', async () => {
  const key = await run(event('e1', await run(event('e0'))));
  const { run_id } = await taskOf('e1');
  const { rows } = await api.pool.query(
    `INSERT INTO activity_runs (run_id, definition_id, definition_hash, trigger_key, origin_trigger_key, trigger_kind,
                                event_id, event_uid, status, sink_mode, retry_of)
     SELECT gen_random_uuid(), definition_id, definition_hash, 'retry:' || run_id || '#1', origin_trigger_key, 'retry',
            event_id, event_uid, 'completed', 'audit', run_id
       FROM activity_runs WHERE run_id = $1 RETURNING run_id`,
    [run_id],
  );
  await api.pool.query('UPDATE task_spawn_log SET run_id = $1 WHERE run_id = $2', [rows[0].run_id, run_id]);
  await receive(event('after', key));
  expect(await depthOf('after')).toBe(2);
});

test('a cause may be named by its event_uid, in capitals too', async () => {
  const uid = eventUid('kaizen-agentic', 'e0');
  await receive(event('e0'), event('same-batch', uid.toUpperCase()));
  await receive(event('later', uid), event('later-too', uid.toUpperCase()));
  expect(await depths()).toEqual({ e0: 0, 'same-batch': 1, later: 1, 'later-too': 1 });
});

test('an id is taken as it is written', async () => {
  await receive(event('e0'));
  await receive(event('other', 'E0'));
  expect(await depthOf('other')).toBe(0);
});

test('of several sources that have the id, the deepest counts', async () => {
  await receive(...chain(5));
  await receive(event('shared', null, { source: 'a' }), event('shared', 'e3', { source: 'b' }));
  await receive(event('shared', 'e1', { source: 'c' }), event('child', 'shared'));
  expect(await depthOf('child')).toBe(5);
  await receive(event('grandchild', 'child'));
  expect(await toldChain()).toEqual(labels(['e0', 'e1', 'e2', 'e3', 'shared', 'child', 'grandchild']));
});

test('a cause that is not known, or comes later, is none, and its coming changes nothing', async () => {
  await receive(event('child', 'parent'), event('parent', 'grandparent'), event('grandparent'));
  await receive(event('second', 'child'));
  expect(await depths()).toEqual({ child: 0, parent: 0, grandparent: 0, second: 1 });
});

test('two events that name each other are one the cause of the other, as they came', async () => {
  await receive(event('a', 'b'), event('b', 'a'));
  expect(await depths()).toEqual({ a: 0, b: 1 });
});

test('an event that names itself has no cause by that, whoever else has its id', async () => {
  await receive(...chain(5));
  const own = eventUid('kaizen-agentic', 'by-uid');
  await receive(event('self', 'self'), event('by-uid', own), event('empty', ''));
  await receive(event('e5', 'e5', { source: 'elsewhere' }));
  expect(await depths()).toMatchObject({ self: 0, 'by-uid': 0, empty: 0 });
  expect(await depthOf('e5', 'elsewhere')).toBe(0);
});

test('an unmatched event is a cause as well', async () => {
  await api.declare([]);
  await receive(...chain(6));
  await api.declare([reviewDefinition(), manualDefinition()]);
  expect(await depths()).toEqual(ALL);
  expect(await toldChain()).toEqual(CHAIN);
});

test('a CloudEvent names its cause in causationid', async () => {
  await receive(event('e0'));
  const { attributes, ...envelope } = metricsEvent('cloud');
  await receive({ ...envelope, specversion: '1.0', data: attributes, causationid: 'e0' });
  expect(await depthOf('cloud')).toBe(1);
});

test('the refused event leaves no trace but its row in quarantine, and is counted as quarantined', async () => {
  await receive(...chain(5));
  await api.runAll();
  const before = await api.countRows();
  api.metrics.registry.resetMetrics();
  const recorded = await receive(event('e6', 'e5'));
  expect(recorded).toMatchObject({ accepted: [], duplicates: 0, decisions: [], dispatch_ids: [] });
  expect(await api.countRows()).toEqual({ ...before, quarantined_events: 1, quarantine_volume: 1 });
  const { values: events } = await api.metrics.events.get();
  expect(events.filter(({ value }) => value > 0)).toMatchObject([
    { labels: { fate: 'quarantined' }, value: 1 },
  ]);
  const { values: reasons } = await api.metrics.quarantined.get();
  expect(reasons).toMatchObject([{ labels: { reason: 'causal_loop' }, value: 1 }]);
});

test('a refused event may come again under its id without its cause', async () => {
  await receive(...chain(6));
  const { accepted } = await receive(event('e6'));
  expect(accepted).toHaveLength(1);
  expect(await depthOf('e6')).toBe(0);
  expect((await receive(event('e6'))).duplicates).toBe(1);
});

test('it may come again corrected in the same batch, with other content, and is then what its id stands for', async () => {
  const corrected = metricsEvent('e6', 0.1, { causation_id: 'e0' });
  const { accepted, duplicates } = await receive(
    ...chain(6),
    event('between', 'e6'),
    corrected,
    event('after', 'e6'),
    corrected,
  );
  expect(accepted.map(({ envelope }) => envelope.id)).toEqual([
    ...Object.keys(ALL),
    'between',
    'e6',
    'after',
  ]);
  expect(duplicates).toBe(1);
  expect(await depths()).toMatchObject({ between: 0, e6: 1, after: 2 });
  expect((await receive(corrected)).duplicates).toBe(1);
  const { quarantined } = await receive(event('e6'));
  expect(quarantined).toMatchObject([{ reason: 'id_conflict' }]);
});

test('a duplicate stays one, and a redelivery is not looked at again, whatever they name', async () => {
  const first = { ...message(event('early')), stream_seq: 7000, stream_timestamp: 7_000_000 };
  await api.receive(first);
  await receive(...chain(5));
  const deep = await receive(event('early', 'e5'));
  expect(deep).toMatchObject({ duplicates: 1, quarantined: [] });
  const redelivered = await api.receive({ ...first, ...message(event('early', 'e5')) });
  expect(redelivered).toMatchObject({ duplicates: 0, quarantined: [], accepted: [] });
  expect(await depthOf('early')).toBe(0);
});

test('a refused message that is delivered again is the same row', async () => {
  await receive(...chain(5));
  const refused = { ...message(event('e6', 'e5')), stream_seq: 7001, stream_timestamp: 7_001_000 };
  expect((await api.receive(refused)).quarantined).toHaveLength(1);
  expect((await api.receive(refused)).quarantined).toHaveLength(0);
  expect(await loops()).toHaveLength(1);
});

test('two replicas that receive it at once both refuse it, and neither keeps its identity', async () => {
  await receive(...chain(5));
  const before = await api.countRows();
  const both = await Promise.all([receive(event('e6', 'e5')), receive(event('e6', 'e5'))]);
  expect(both.map(({ quarantined }) => quarantined.length)).toEqual([1, 1]);
  expect(await api.countRows()).toEqual({ ...before, quarantined_events: 2, quarantine_volume: 2 });
});

test('a redrive refuses it again while its causes are known, and accepts it once they are gone', async () => {
  await receive(...chain(6));
  const [row] = await loops();
  const before = await api.countRows();
  for (const dry_run of [true, false]) {
    expect((await api.post(`/api/v1/quarantine/${row?.id}/redrive`, { dry_run })).body).toEqual({
      fate: 'quarantined',
      decisions: [],
      reason: 'causal_loop',
      violations: row?.violations,
    });
    expect(await api.countRows()).toEqual(before);
  }
  expect(await loops()).toEqual([row]);
  await api.pool.query("DELETE FROM events WHERE id = 'e5'");
  const redriven = await api.post(`/api/v1/quarantine/${row?.id}/redrive`);
  expect(redriven).toMatchObject({ status: 200, body: { fate: 'accepted' } });
  expect(await depthOf('e6')).toBe(0);
});

test('where the first causes are no longer stored, the chain says that there were some', async () => {
  await receive(...chain(5));
  await api.pool.query("DELETE FROM events WHERE id IN ('e0', 'e1')");
  await receive(event('e6', 'e5'));
  expect(await toldChain()).toEqual(['…', ...CHAIN.slice(2)]);
});

test('the chain stays short where ids are long', async () => {
  const id = (n: number) => `${n}${'x'.repeat(199)}`;
  await receive(
    ...chain(6).map((one, n) => ({ ...one, id: id(n), causation_id: n === 0 ? null : id(n - 1) })),
  );
  const told = await toldChain();
  expect(told).toHaveLength(7);
  expect(told[6]).toBe(`6${'x'.repeat(79)}… (${TYPE})`);
});

test('of many loops in one batch each is refused with its own chain, in the statements of one', async () => {
  const roots = ['p', 'q', 'r'];
  for (const root of roots) {
    const named = (one: { id: string; causation_id?: unknown }) => ({
      ...one,
      id: root + one.id,
      causation_id: one.causation_id && `${root}${one.causation_id}`,
    });
    await receive(...chain(5).map(named));
  }
  const one = await statementsOf(event('pe6', 'pe5'));
  const all = await statementsOf(event('pe7', 'pe5'), event('qe6', 'qe5'), event('re6', 're5'));
  expect(all).toEqual(one);
  const told = (await loops()).map(({ violations }) => JSON.stringify(violations));
  expect(told).toHaveLength(4);
  for (const root of roots) {
    expect(told).toContainEqual(expect.stringContaining(labels([`${root}e0`, `${root}e1`]).join(' → ')));
  }
});

test('events without a cause cost no statement more, however many they are', async () => {
  await receive(event('e0'));
  const looks = (statements: string[]) => statements.filter((sql) => sql.includes('causation_id'));
  let batch = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(null, 'self', ''), { minLength: 1, maxLength: 30 }),
      async (kinds) => {
        batch += 1;
        const events = kinds.map((kind, n) => {
          const id = `batch-${batch}-${n}`;
          return event(id, kind === 'self' ? id : kind);
        });
        const alone = await statementsOf(event(`alone-${batch}`));
        expect(looks(alone)).toEqual([]);
        expect(await statementsOf(...events)).toEqual(alone);
        const caused = await statementsOf(event(`first-${batch}`), event(`caused-${batch}`, 'e0'));
        expect(looks(caused)).toHaveLength(1);
        expect(caused.filter((sql) => !sql.includes('causation_id'))).toEqual(alone);
      },
    ),
    { numRuns: 15 },
  );
});

/** What the record of this batch asks of PostgreSQL. */
async function statementsOf(...events: object[]): Promise<string[]> {
  const query = vi.spyOn(pg.Client.prototype, 'query');
  try {
    await receive(...events);
    return query.mock.calls.map(([statement]) => String(statement));
  } finally {
    query.mockRestore();
  }
}
