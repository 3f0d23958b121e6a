/** Past QUARANTINE_MAX_BYTES what is refused is counted, once for each message, and said loudly. */
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { ReceivedMessage } from '../../src/bridge/message.ts';
import { createKeepQuarantineRoom } from '../../src/bridge/quarantine-room.ts';
import { measureQuarantine, readQuarantineBytes } from '../../src/store/quarantine-volume.ts';
import { createTestApi, itemsOf, METRICS_TYPE, reviewDefinition, type TestApi } from '../setup/api.ts';
import { captureCli } from '../setup/captured-cli.ts';
import { metricsEvent } from '../setup/event-path.ts';

const MAX_BYTES = 5_000;
const logger = pino({ level: 'silent' });

let api: TestApi;
let keepRoom: () => Promise<void>;

beforeAll(async () => {
  api = await createTestApi(inject('servers').database_url, { quarantineMaxBytes: MAX_BYTES });
});
afterAll(() => api[Symbol.asyncDispose]());
beforeEach(async () => {
  await api.clear();
  api.metrics.registry.resetMetrics();
  await api.declare([reviewDefinition()]);
  keepRoom = createKeepQuarantineRoom({ pool: api.pool, maxBytes: MAX_BYTES, logger });
});

/** Counts for about 1,100 bytes. */
const refused = (stream_seq: number, rest: Partial<ReceivedMessage> = {}) => ({
  bytes: Buffer.alloc(1_000, 'x'),
  stream_seq,
  stream_timestamp: 1_763_600_000_000_000 + stream_seq,
  ...rest,
});
const many = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => refused(first + index));
const kept = () => api.countRows().then(({ quarantined_events }) => quarantined_events);
const overflow = async () => (await api.get('/api/v1/quarantine')).body.overflow;

test('the message that crosses the limit is kept, those after it are counted with reason, times, subject and sequences', async () => {
  const invalid = { bytes: Buffer.from('{}'), subject: 'activity.last.of.all' };
  const recorded = await api.receive(...many(1, 9), refused(10, invalid));
  expect(recorded.quarantined).toHaveLength(10);
  expect(await kept()).toBe(5);
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  const times = { first_at: time, last_at: time };
  expect(await overflow()).toEqual([
    {
      reason: 'invalid_envelope',
      count: 1,
      ...times,
      last_subject: 'activity.last.of.all',
      first_stream_seq: 10,
      last_stream_seq: 10,
    },
    {
      reason: 'not_json',
      count: 4,
      ...times,
      last_subject: 'activity.kaizen.metrics.recorded',
      first_stream_seq: 6,
      last_stream_seq: 9,
    },
  ]);
});

test('good events among them are accepted as ever', async () => {
  await api.receive(...many(1, 8));
  const good = { ...refused(9), bytes: Buffer.from(JSON.stringify(metricsEvent('good'))) };
  expect((await api.receive(refused(10), good, refused(11))).accepted).toHaveLength(1);
});

test('a message that is delivered again is neither counted twice nor kept beside its count', async () => {
  const messages = many(1, 8);
  await api.receive(...messages);
  expect((await api.receive(...messages)).quarantined).toEqual([]);
  await api.pool.query('DELETE FROM quarantined_events WHERE stream_seq = 1');
  await measureQuarantine(api.pool);
  expect((await api.receive(refused(8))).quarantined).toEqual([]);
  expect(await kept()).toBe(4);
  expect(await overflow()).toMatchObject([{ count: 3 }]);
});

test('a message that was counted is not accepted when it is delivered again after the registry was mended', async () => {
  await api.receive(...many(1, 8));
  const early = refused(9, {
    subject: 'activity.kaizen.later',
    bytes: Buffer.from(JSON.stringify(metricsEvent('early', 0.5, { type: 'kaizen.later' }))),
  });
  await api.receive(early);
  await api.declare(
    [],
    [{ type: 'kaizen.later', title: 't', owner: 'o', attributes_schema: { type: 'object' } }],
  );
  expect(await api.receive(early)).toMatchObject({ accepted: [], quarantined: [] });
});

test('it is said in the log once a minute at most, in metrics, by readyz and by the CLI', async () => {
  const errors: string[] = [];
  const logger = pino(
    { level: 'error' },
    { write: (line: string) => void errors.push(JSON.parse(line).msg) },
  );
  const options = { quarantineMaxBytes: MAX_BYTES, logger };
  await using loud = await createTestApi(inject('servers').database_url, options);
  const apiAddress = await loud.app.listen({ host: '127.0.0.1', port: 0 });
  expect((await loud.get('/readyz')).body.notes).toEqual([]);
  await loud.receive(...many(1, 8));
  await loud.receive(...many(20, 2));
  expect(errors).toEqual([expect.stringMatching(/^quarantine is full: .*raise QUARANTINE_MAX_BYTES$/)]);
  const metrics = (await loud.get('/metrics')).text;
  expect(metrics).toContain('activity_core_quarantine_overflow_total{reason="not_json"} 5');
  expect(metrics).toContain('activity_core_quarantined_total{reason="not_json"} 10');
  expect(metrics).toContain(`activity_core_quarantine_bytes ${await readQuarantineBytes(loud.pool)}\n`);
  expect(await loud.get('/readyz')).toMatchObject({
    status: 200,
    body: { notes: [expect.stringMatching(/^quarantine is full/)] },
  });
  const { out } = await captureCli(['quarantine', 'list'], { apiAddress });
  expect(out).toMatch(
    /Counted and not kept, since quarantine was full: not_json 5 .*raise QUARANTINE_MAX_BYTES/,
  );
});

test('what is discarded keeps its bytes while there is room, and gives them up first where there is none', async () => {
  await api.receive(...many(1, 3));
  const ids = itemsOf(await api.get('/api/v1/quarantine')).map(({ id }) => String(id));
  const [, , oldest = ''] = ids;
  await api.post(`/api/v1/quarantine/${oldest}/discard`, { reason: 'a test' });
  await keepRoom();
  expect((await api.get(`/api/v1/quarantine/${oldest}`)).body.bytes_base64).not.toBe('');
  await api.receive(...many(4, 4));
  expect(await overflow()).toMatchObject([{ count: 2 }]);
  await keepRoom();
  expect((await api.get(`/api/v1/quarantine/${oldest}`)).body).toMatchObject({
    bytes_base64: '',
    size: 1_000,
    state: 'discarded',
    state_reason: 'a test',
  });
  await api.receive(refused(10));
  expect(await overflow()).toMatchObject([{ count: 2 }]);
  expect(await kept()).toBe(6);
});

test('the volume is what is there, whoever removed rows and however many processes add and measure at once', async () => {
  const rounds = Array.from({ length: 8 }, (_, round) => [
    api.receive(refused(round + 1)),
    measureQuarantine(api.pool),
  ]);
  await Promise.all(rounds.flat());
  const { rows } = await api.pool.query(
    `SELECT sum(octet_length(bytes) + octet_length(headers::text) + octet_length(violations::text)) AS bytes
       FROM quarantined_events`,
  );
  expect(await readQuarantineBytes(api.pool)).toBe(rows[0].bytes);
  await api.pool.query('DELETE FROM quarantined_events');
  await measureQuarantine(api.pool);
  expect(await readQuarantineBytes(api.pool)).toBe(0);
});

test('keys as long as the events do not multiply in the violations: a batch of such events is refused like any other', async () => {
  const members = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`m${n}`, n]));
  const attributes = { ['k'.repeat(100_000)]: members };
  const attributes_schema = { additionalProperties: { additionalProperties: { type: 'string' } } };
  await api.declare([], [{ ...METRICS_TYPE, attributes_schema }]);
  const messages = Array.from({ length: 40 }, (_, n) => ({
    ...refused(n + 1),
    bytes: Buffer.from(JSON.stringify(metricsEvent(`long-${n}`, 1, { attributes }))),
  }));
  const recorded = await api.receive(...messages);
  expect(recorded.quarantined.map(({ violations }) => violations.length)).toEqual(Array(40).fill(101));
  expect(JSON.stringify(recorded.quarantined[0]?.violations).length).toBeLessThan(200_000);
});
