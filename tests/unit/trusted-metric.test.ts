/** What `activity_core_trusted` shows, over definitions and verdicts that a test sets. */
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPool, type Pool } from '../../src/store/pool.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { createSetTrusted, startTrustedMetric } from '../../src/trust/trusted-metric.ts';

type Verdict = boolean | null | Error;

let definitions: { definition_id: string; enabled: boolean; document: object }[];
let verdicts: Record<string, Verdict>;
let asked: [string, number][];
let isAway: boolean;
let pool: Pool;
let metrics: Metrics;
let logged: { level: number; msg: string }[];

const silent = pino({ level: 'silent' });
const scheduled = (definition_id: string, change: object = {}) => ({
  definition_id,
  enabled: true,
  document: { trigger: { schedule: { every: '2s' } } },
  ...change,
});

beforeEach(() => {
  definitions = [scheduled('daily'), scheduled('weekly')];
  verdicts = { daily: true, weekly: false };
  asked = [];
  isAway = false;
  logged = [];
  metrics = createMetrics();
  pool = createPool('postgres://nobody@127.0.0.1:1/x', silent);
  Object.assign(pool, {
    async query() {
      if (isAway) throw new Error('Connection terminated');
      return { rows: definitions };
    },
  });
});
afterEach(() => pool.end());

async function readTrust(definitionId: string, required: number) {
  asked.push([definitionId, required]);
  const verdict = verdicts[definitionId] ?? null;
  if (verdict instanceof Error) throw verdict;
  return verdict === null ? null : { trusted: verdict };
}

const logger = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });

async function shown(): Promise<Record<string, number>> {
  const { values } = await metrics.trusted.get();
  return Object.fromEntries(values.map(({ labels, value }) => [labels.definition_id, value]));
}

test('every enabled definition with a schedule is 1 or 0, and no other has a value', async () => {
  definitions.push(
    scheduled('off', { enabled: false }),
    scheduled('by-event', { document: { trigger: { event: { type: 'a.b' } } } }),
    scheduled('by-hand', { document: { trigger: { manual: {} } } }),
  );
  await createSetTrusted({ pool, readTrust, metrics })();
  expect(await shown()).toEqual({ daily: 1, weekly: 0 });
  expect(asked).toEqual([
    ['daily', 3],
    ['weekly', 3],
  ]);
});

test('one that is disabled, gone or gone in between has no value any more', async () => {
  const setTrusted = createSetTrusted({ pool, readTrust, metrics });
  definitions.push(scheduled('third'));
  verdicts.third = true;
  await setTrusted();
  expect(await shown()).toEqual({ daily: 1, weekly: 0, third: 1 });
  definitions = [scheduled('daily', { enabled: false }), scheduled('weekly')];
  verdicts.weekly = null;
  await setTrusted();
  expect(await shown()).toEqual({});
});

test('one that cannot be read is 0, and the others are looked at all the same', async () => {
  const setTrusted = createSetTrusted({ pool, readTrust, metrics });
  verdicts.weekly = true;
  await setTrusted();
  verdicts.daily = new Error('no answer');
  await expect(setTrusted()).rejects.toThrow('no answer');
  expect(await shown()).toEqual({ daily: 0, weekly: 1 });
  expect(asked).toHaveLength(4);
});

test('with PostgreSQL away nothing is trusted, and back it is again', async () => {
  const setTrusted = createSetTrusted({ pool, readTrust, metrics });
  await setTrusted();
  isAway = true;
  await expect(setTrusted()).rejects.toThrow('Connection terminated');
  expect(await shown()).toEqual({ daily: 0, weekly: 0 });
  isAway = false;
  await setTrusted();
  expect(await shown()).toEqual({ daily: 1, weekly: 0 });
});

test('it looks at the start, and a failure is logged', async () => {
  isAway = true;
  const metric = startTrustedMetric({ pool, readTrust, metrics, logger });
  await expect.poll(() => logged).toHaveLength(1);
  expect(logged[0]).toMatchObject({ level: 40, msg: expect.stringContaining('trust could not be read') });
  await metric.stop();
});

test('a stop does not wait for a State Hub that hangs, and what that look finds later is dropped', async () => {
  const { promise: hub, resolve: answers } = Promise.withResolvers<void>();
  let looks = 0;
  const hanging = async () => {
    looks += 1;
    await hub;
    return { trusted: true };
  };
  const failing = async () => {
    await hanging();
    throw new Error('too late');
  };
  const started = [hanging, failing].map((read) =>
    startTrustedMetric({ pool, readTrust: read, metrics, logger }),
  );
  await expect.poll(() => looks).toBe(2);
  for (const metric of started) await metric.stop();
  answers();
  await turn();
  expect([await shown(), looks, logged]).toEqual([{}, 2, []]);
});
