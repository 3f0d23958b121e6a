import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { eventUid } from '../../src/core/ids.ts';
import {
  bytesOf,
  createTestApi,
  itemsOf,
  METRICS_TYPE,
  pagesOf,
  reviewDefinition,
  type TestApi,
} from '../setup/api.ts';
import { metricsEvent } from '../setup/event-path.ts';
import { explainStatements } from '../setup/explained.ts';

const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url);
  await api.declare([reviewDefinition()], [METRICS_TYPE, { ...METRICS_TYPE, type: 'other.thing.happened' }]);
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(() => api.clear());

const receive = (event: object, subject?: string) =>
  api.receive({ bytes: bytesOf(event), ...(subject ? { subject } : {}) });

test('an event is explained with its envelope and each decision', async () => {
  const event = metricsEvent('e1');
  const { decisions } = await receive(event);
  await receive(event);
  const event_uid = eventUid('kaizen-agentic', 'e1');
  const item = {
    event_uid,
    fate: 'accepted',
    id: 'e1',
    source: 'kaizen-agentic',
    type: 'kaizen.metrics.recorded',
    time: expect.stringMatching(TIME),
    received_at: expect.stringMatching(TIME),
    subject: 'activity.kaizen.metrics.recorded',
    stream_seq: expect.any(Number),
    duplicates: 1,
    traceparent: null,
  };
  expect((await api.get('/api/v1/events')).body).toEqual({ items: [item], next_cursor: null });
  const envelope = {
    ...event,
    subject: null,
    schema_version: null,
    correlation_id: null,
    causation_id: null,
  };
  for (const name of [event_uid, event_uid.toUpperCase(), 'e1']) {
    expect((await api.get(`/api/v1/events/${name}`)).body, name).toEqual({
      ...item,
      envelope,
      decisions: [
        {
          definition_id: 'low-success-rate-review',
          definition_hash: decisions[0]?.definition_hash,
          outcome: 'fired',
          reason: null,
          values: { 'event.attributes.project': 'kaizen-agentic' },
          run_id: decisions[0]?.run_id,
          run_status: null,
          decided_at: expect.stringMatching(TIME),
        },
      ],
    });
  }
});

test('a filtered event tells the filter and the values that it read', async () => {
  await receive(
    metricsEvent('e1', 0.5, { attributes: { agent: 'a', project: 'sandbox', summary: { success_rate: 1 } } }),
  );
  expect((await api.get('/api/v1/events/e1')).body).toMatchObject({
    fate: 'accepted',
    decisions: [
      {
        outcome: 'filtered',
        reason: 'event.attributes.project != "sandbox"',
        values: { 'event.attributes.project': 'sandbox' },
        run_id: null,
      },
    ],
  });
});

test('an id that several sources have is ambiguous, and each event is found by its uid', async () => {
  const uids: string[] = [];
  for (const source of ['a', 'b']) {
    await receive(metricsEvent('same', 0.5, { source }));
    uids.push(eventUid(source, 'same'));
  }
  const { status, body } = await api.get('/api/v1/events/same');
  expect(status).toBe(409);
  expect(body).toMatchObject({ code: 'ambiguous_id', event_uids: expect.arrayContaining(uids) });
  expect(await api.get(`/api/v1/events/${uids[0]}`)).toMatchObject({ status: 200, body: { source: 'a' } });
});

test('an event that was not accepted is 404, which says where it may be', async () => {
  for (const name of ['nobody', eventUid('a', 'b')]) {
    expect(await api.get(`/api/v1/events/${name}`)).toMatchObject({
      status: 404,
      body: { code: 'not_found', detail: expect.stringContaining('/api/v1/quarantine') },
    });
  }
});

test('an id of 200 characters of any kind is found by its path', async () => {
  for (const id of ['ä/ ?#%'.padEnd(200, 'ö'), 'a'.repeat(200), '../..']) {
    await receive(metricsEvent(id));
    const { status, body } = await api.get(`/api/v1/events/${encodeURIComponent(id)}`);
    expect(status, id).toBe(200);
    expect(body.id).toBe(id);
  }
});

test('events are found by each of their filters', async () => {
  await receive(metricsEvent('one'));
  await receive(metricsEvent('two', 0.5, { source: 'elsewhere' }));
  await receive({ ...metricsEvent('three'), type: 'other.thing.happened' }, 'activity.other.thing.happened');
  const found = async (query: string) =>
    itemsOf(await api.get(`/api/v1/events?${query}`)).map(({ id }) => id);
  expect(await found('type=other.thing.happened')).toEqual(['three']);
  expect(await found('fate=accepted')).toEqual(['two', 'one']);
  expect(await found('fate=unmatched')).toEqual(['three']);
  expect(await found('id=one')).toEqual(['one']);
  expect(await found('source=elsewhere')).toEqual(['two']);
  expect(await found('source=elsewhere&id=one')).toEqual([]);
  expect((await api.get('/api/v1/events?fate=duplicate')).status).toBe(400);
});

test('events of one batch come newest first, and in pages each exactly once even where all have one time', async () => {
  await api.receive(...Array.from({ length: 23 }, (_, n) => ({ bytes: bytesOf(metricsEvent(`e${n}`)) })));
  const newestFirst = await pagesOf(api, '/api/v1/events?limit=500');
  expect(newestFirst.flat().map(({ id }) => id)).toEqual(Array.from({ length: 23 }, (_, n) => `e${22 - n}`));
  await api.pool.query('UPDATE events SET received_at = now()');
  const pages = await pagesOf(api, '/api/v1/events?fate=accepted&limit=5');
  expect(pages.map((page) => page.length)).toEqual([5, 5, 5, 5, 3]);
  expect(new Set(pages.flat().map(({ id }) => id)).size).toBe(23);
});

test('a source of more types than are scanned one by one is listed whole and in order, by no longer a statement', async () => {
  // Two sources that differ in the number of their types alone.
  const count = 400;
  await api.pool.query(
    `INSERT INTO events (event_uid, fate, id, source, type, time, received_at, subject, stream_seq, envelope)
     SELECT md5(source || n)::uuid, CASE WHEN n % 7 = 0 THEN 'unmatched' ELSE 'accepted' END, n, source,
            't.n' || n % types, now(), now() - (n * 37 % 101) * interval '1 second', 's', n, '{}'
       FROM generate_series(1, $1::integer) AS n, (VALUES ('few', 32), ('many', 40)) AS of (source, types)`,
    [count],
  );
  const explained = explainStatements(api.servicePool);
  const scans: Record<string, number> = {};
  for (const source of ['few', 'many']) {
    for (const fate of ['', 'accepted', 'unmatched']) {
      const filter = `source=${source}${fate && `&fate=${fate}`}`;
      const listed = (await pagesOf(api, `/api/v1/events?${filter}&limit=60`)).flat();
      const { rows } = await api.pool.query(
        `SELECT event_uid FROM events WHERE source = $1 AND ($2 = '' OR fate = $2)
          ORDER BY received_at DESC, event_uid DESC`,
        [source, fate],
      );
      expect(
        listed.map(({ event_uid }) => ({ event_uid })),
        filter,
      ).toEqual(rows);
      const statements = explained.take().map(({ statement }) => statement.split('FETCH FIRST').length - 1);
      scans[filter] = Math.max(...statements);
    }
  }
  // One for each type and fate, and what puts them together; above 32 types, for each fate.
  expect(scans).toEqual({
    'source=few': 65,
    'source=few&fate=accepted': 33,
    'source=few&fate=unmatched': 33,
    'source=many': 3,
    'source=many&fate=accepted': 1,
    'source=many&fate=unmatched': 1,
  });
});
