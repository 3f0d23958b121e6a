/** Every received message has exactly one fate (contract 2), whatever its bytes. */
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { ReceivedMessage } from '../../src/bridge/message.ts';
import { createRecordBatch, type RecordBatch } from '../../src/bridge/record.ts';
import { createAppliedRegistry } from '../../src/definitions/applied-registry.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { createSinkMode } from '../../src/sinks/sink-mode.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { applyFolder } from '../setup/apply-folder.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { metricsEvent, SUBJECT } from '../setup/event-path.ts';

let database: TestDatabase;
let record: RecordBatch;
let sequence = 0;

beforeAll(async () => {
  database = await createTestDatabase(inject('servers').database_url);
  await applyFolder(database.pool, 'definitions');
  const resolvers = createResolvers();
  record = createRecordBatch({
    pool: database.pool,
    registry: createAppliedRegistry(database.pool, resolvers),
    resolvers,
    sinkMode: createSinkMode('null'),
    metrics: createMetrics(),
    logger: pino({ level: 'silent' }),
    dedupeDays: 400,
    quarantineMaxBytes: 1024 ** 3,
  });
});
afterAll(() => database[Symbol.asyncDispose]());
beforeEach(async () => {
  await database.pool.query(
    'TRUNCATE events, event_ids, event_duplicates, event_decisions, quarantined_events, dispatches, activity_runs',
  );
});

function message(body: unknown, rest: Partial<ReceivedMessage> = {}): ReceivedMessage {
  const bytes =
    body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  sequence += 1;
  const stream_timestamp = Date.now() * 1000 + sequence;
  return {
    subject: SUBJECT,
    headers: {},
    bytes,
    stream_seq: sequence,
    stream_timestamp,
    ...rest,
  };
}

async function count(table: string): Promise<number> {
  return (await database.pool.query(`SELECT count(*) AS n FROM ${table}`)).rows[0].n;
}

async function reasons(): Promise<string[]> {
  const { rows } = await database.pool.query('SELECT reason FROM quarantined_events ORDER BY stream_seq');
  return rows.map((row) => row.reason);
}

test('five bad messages among two hundred good ones are quarantined with their bytes, and no neighbour is touched', async () => {
  const good = Array.from({ length: 195 }, (_, n) => message(metricsEvent(`good-${n}`)));
  const attributes = { agent: 'a\u0000', project: 'p', summary: { success_rate: 1 } };
  const bad = [
    message('not json'),
    message('x'.repeat(300 * 1024)),
    message(metricsEvent('w'), { subject: 'activity.other.type' }),
    message(metricsEvent('nul', 0.5, { attributes })),
    message(
      '{"id":"s","type":"kaizen.metrics.recorded","source":"s","time":"2026-11-20T00:00:00Z","attributes":{"agent":"\\ud800"}}',
    ),
  ];
  const all = [...good.slice(0, 100), ...bad, ...good.slice(100)];
  const recorded = await record(all);
  expect(recorded.quarantined.map(({ reason }) => reason)).toEqual([
    'not_json',
    'too_large',
    'subject_mismatch',
    'unstorable',
    'unstorable',
  ]);
  expect(await count('events')).toBe(195);
  const { rows } = await database.pool.query(
    'SELECT bytes, size FROM quarantined_events ORDER BY stream_seq',
  );
  expect(rows.map((row) => row.bytes.equals(bad.shift()?.bytes))).toEqual([true, true, true, true, true]);
});

test('a row that only PostgreSQL refuses is cut out of the batch', async () => {
  const batch = [metricsEvent('a'), metricsEvent('b'), metricsEvent('c')].map((event) => message(event));
  await database.pool.query(`ALTER TABLE events ADD CONSTRAINT poison CHECK (id <> 'b')`);
  try {
    const recorded = await record(batch);
    expect(recorded.accepted.map(({ envelope }) => envelope.id)).toEqual(['a', 'c']);
    expect(await reasons()).toEqual(['unstorable']);
  } finally {
    await database.pool.query('ALTER TABLE events DROP CONSTRAINT poison');
  }
});

test('refused messages that are too much for one statement are kept in several', async () => {
  await database.pool.query(`
    CREATE FUNCTION at_most_three() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF (SELECT count(*) FROM kept) > 3 THEN RAISE EXCEPTION 'too much' USING ERRCODE = '54000'; END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER at_most_three AFTER INSERT ON quarantined_events REFERENCING NEW TABLE AS kept
      FOR EACH STATEMENT EXECUTE FUNCTION at_most_three();`);
  try {
    const bad = Array.from({ length: 10 }, () => message('not json'));
    const recorded = await record([message(metricsEvent('good')), ...bad]);
    expect([recorded.accepted.length, recorded.quarantined.length]).toEqual([1, 10]);
    expect(await count('quarantined_events')).toBe(10);
  } finally {
    await database.pool.query('DROP FUNCTION at_most_three CASCADE');
  }
});

test('a redelivery of the same stream message is no duplicate, a second message with the id is one', async () => {
  const first = message(metricsEvent('once'));
  expect((await record([first])).accepted).toHaveLength(1);
  const again = await record([first]);
  expect(again).toMatchObject({ accepted: [], duplicates: 0 });
  expect(again.dispatch_ids).toHaveLength(1);
  const second = message(metricsEvent('once', 0.5, { time: '2026-11-19T00:00:00Z' }));
  expect((await record([second])).duplicates).toBe(1);
  expect((await record([second])).duplicates).toBe(0);
  const { rows } = await database.pool.query('SELECT duplicates FROM events');
  expect(rows).toEqual([{ duplicates: 1 }]);
});

test('an id twice in one batch is accepted once', async () => {
  const recorded = await record([
    message(metricsEvent('twin')),
    message(metricsEvent('twin')),
    message(metricsEvent('twin', 0.9)),
  ]);
  expect(recorded.accepted).toHaveLength(1);
  expect(recorded.duplicates).toBe(1);
  expect(await reasons()).toEqual(['id_conflict']);
});

test('the same id from another source is another event', async () => {
  const recorded = await record([
    message(metricsEvent('same')),
    message(metricsEvent('same', 0.5, { source: 'elsewhere' })),
  ]);
  expect(recorded.accepted).toHaveLength(2);
});

test('a quarantined message that is delivered again keeps its one fate, also when it would be accepted by then', async () => {
  const refused = message(metricsEvent('early', 0.5, { type: 'kaizen.later.registered' }), {
    subject: 'activity.kaizen.later.registered',
  });
  await record([refused]);
  await database.pool.query(
    `INSERT INTO event_types (type, title, owner, attributes_schema) VALUES ('kaizen.later.registered', 't', 'o', '{"type":"object"}')`,
  );
  await database.pool.query('UPDATE registry_version SET version = version + 1');
  const again = await record([refused]);
  expect(again).toMatchObject({ accepted: [], quarantined: [] });
  expect(await count('quarantined_events')).toBe(1);
  expect(await count('events')).toBe(0);
});

test('a quarantined message that is delivered again takes no identity from another that came with it', async () => {
  const refused = message(metricsEvent('shared'), { subject: 'activity.other.type' });
  await record([refused]);
  const again = { ...refused, subject: SUBJECT };
  const sent = message(metricsEvent('shared'));
  const recorded = await record([again, sent, message(metricsEvent('shared'))]);
  expect(recorded).toMatchObject({ duplicates: 1, quarantined: [] });
  expect(recorded.accepted).toMatchObject([{ message: { stream_seq: sent.stream_seq } }]);
  const { rows } = await database.pool.query('SELECT stream_seq FROM event_ids');
  expect(rows).toEqual([{ stream_seq: sent.stream_seq }]);
});

test('a batch is matched against what is applied when it is recorded, not when it was last looked', async () => {
  await record([message(metricsEvent('before'))]);
  const set = (enabled: boolean) =>
    database.pool.query(
      `WITH moved AS (UPDATE registry_version SET version = version + 1)
       UPDATE activity_definitions SET document = jsonb_set(document, '{enabled}', to_jsonb($1::boolean)), enabled = $1`,
      [enabled],
    );
  await set(false);
  expect(await record([message(metricsEvent('while'))])).toMatchObject({ dispatch_ids: [], decisions: [] });
  await set(true);
  expect((await record([message(metricsEvent('after'))])).dispatch_ids).toHaveLength(1);
});

test('an event of a registered type that no definition wants is unmatched', async () => {
  const recorded = await record([
    message(metricsEvent('lonely', 0.5, { type: 'kaizen.later.registered' }), {
      subject: 'activity.kaizen.later.registered',
    }),
  ]);
  expect(recorded.decisions).toEqual([]);
  const { rows } = await database.pool.query('SELECT fate FROM events');
  expect(rows).toEqual([{ fate: 'unmatched' }]);
});

test('a filtered event keeps the filter and what it read', async () => {
  const attributes = { agent: 'coach', project: 'sandbox', summary: { success_rate: 0.1 } };
  const recorded = await record([message(metricsEvent('filtered', 0.1, { attributes }))]);
  expect(recorded.dispatch_ids).toEqual([]);
  expect(recorded.decisions).toMatchObject([
    {
      outcome: 'filtered',
      reason: 'event.attributes.project != "sandbox"',
      values: { 'event.attributes.project': 'sandbox' },
    },
  ]);
});

test('an event older than the identities are kept is refused', async () => {
  await record([message(metricsEvent('old', 0.5, { time: '2020-01-01T00:00:00Z' }))]);
  expect(await reasons()).toEqual(['too_old']);
});

test('depth counts the envelope as one, and 64 is the last that is accepted', async () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : { in: nested(levels - 1) });
  const event = (id: string, levels: number) =>
    metricsEvent(id, 0.5, {
      attributes: { agent: 'a', project: 'p', summary: { success_rate: 1 }, deep: nested(levels) },
    });
  const recorded = await record([
    message(event('fits', 62)),
    message(event('deep', 63)),
    message(`${'['.repeat(100_000)}${']'.repeat(100_000)}`),
  ]);
  expect(recorded.accepted.map(({ envelope }) => envelope.id)).toEqual(['fits']);
  expect(await reasons()).toEqual(['too_deep', 'too_deep']);
});

test('missing attributes are told one by one', async () => {
  await record([message(metricsEvent('bare', 0.5, { attributes: {} }))]);
  const { rows } = await database.pool.query('SELECT reason, violations FROM quarantined_events');
  expect(rows[0].reason).toBe('invalid_attributes');
  expect(rows[0].violations.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
    '/attributes/agent',
    '/attributes/project',
    '/attributes/summary',
  ]);
});

test('a CloudEvents event is the same thing', async () => {
  const data = { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: 0.5 } };
  const cloud = {
    specversion: '1.0',
    id: 'ce-1',
    type: 'kaizen.metrics.recorded',
    source: 'kaizen-agentic',
    datacontenttype: 'application/json',
    data,
  };
  const recorded = await record([
    message(cloud),
    message(metricsEvent('ce-1')),
    message({ ...cloud, id: 'ce-2', data: undefined, data_base64: 'e30=' }),
  ]);
  expect(recorded.accepted).toHaveLength(1);
  expect(recorded.accepted[0]?.envelope.attributes).toEqual(data);
  expect(recorded.duplicates).toBe(1);
  expect(await reasons()).toEqual(['invalid_envelope']);
});

test('any bytes on the subject have exactly one fate', async () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json().map((text) => Buffer.from(text)),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    fc
      .record({
        id: fc.string(),
        source: fc.string(),
        time: fc.oneof(
          fc.date({ noInvalidDate: true }).map((at) => at.toISOString()),
          fc.string(),
        ),
        attributes: fc.jsonValue(),
      })
      .map((event) => Buffer.from(JSON.stringify({ ...event, type: 'kaizen.metrics.recorded' }))),
    fc
      .record({
        agent: fc.string({ unit: 'binary' }),
        project: fc.string(),
        summary: fc.record({ success_rate: fc.double() }),
      })
      .map((attributes) => Buffer.from(JSON.stringify(metricsEvent('gen', 0.5, { attributes })))),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { minLength: 1, maxLength: 40 }), async (bodies) => {
      const before =
        (await count('events')) + (await count('event_duplicates')) + (await count('quarantined_events'));
      const messages = bodies.map((bytes) => message(bytes));
      const recorded = await record(messages);
      expect(recorded.accepted.length + recorded.duplicates + recorded.quarantined.length).toBe(
        messages.length,
      );
      await record(messages);
      const after =
        (await count('events')) + (await count('event_duplicates')) + (await count('quarantined_events'));
      expect(after - before).toBe(messages.length);
    }),
    { numRuns: 60 },
  );
});

test('an accepted message keeps its one fate, also when it would be refused by then', async () => {
  const accepted = message(metricsEvent('valid-once'));
  await record([accepted]);
  const original = await database.pool.query(
    "SELECT attributes_schema FROM event_types WHERE type = 'kaizen.metrics.recorded'",
  );
  await database.pool.query(
    `UPDATE event_types SET attributes_schema = '{"type":"object","required":["more"]}' WHERE type = 'kaizen.metrics.recorded'`,
  );
  await database.pool.query('UPDATE registry_version SET version = version + 1');
  const again = await record([accepted, message(metricsEvent('too-late'))]);
  expect(again.quarantined.map(({ reason }) => reason)).toEqual(['invalid_attributes']);
  expect(again.dispatch_ids).toHaveLength(1);
  await database.pool.query(
    "UPDATE event_types SET attributes_schema = $1 WHERE type = 'kaizen.metrics.recorded'",
    [JSON.stringify(original.rows[0].attributes_schema)],
  );
  await database.pool.query('UPDATE registry_version SET version = version + 1');
});

test('a whole number that a double would change is refused, and one that it holds is kept', async () => {
  const withRuns = (id: string, runs: string) =>
    message(JSON.stringify(metricsEvent(id)).replace('"success_rate"', `"runs":${runs},"success_rate"`));
  const recorded = await record([
    withRuns('big', '9007199254740993'),
    withRuns('fits', '9007199254740992'),
    withRuns('double', '1.5e300'),
  ]);
  expect(recorded.quarantined).toMatchObject([
    { reason: 'unstorable', message: { stream_seq: expect.any(Number) } },
  ]);
  expect(recorded.accepted.map(({ envelope }) => envelope.id)).toEqual(['fits', 'double']);
});

test('a CloudEvent may hold null where it has nothing to say', async () => {
  const data = { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: 0.5 } };
  const cloud = {
    specversion: '1.0',
    id: 'nulls',
    type: 'kaizen.metrics.recorded',
    source: 's',
    time: null,
    subject: null,
    data_base64: null,
    correlationid: 5,
    data,
  };
  const recorded = await record([message(cloud)]);
  expect(recorded.accepted[0]?.envelope).toMatchObject({ correlation_id: '5', subject: null });
});
