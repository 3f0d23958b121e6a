/** The grid that we compute is the one that Temporal's own scheduler answers with. */
import { Client, Connection, type ScheduleHandle } from '@temporalio/client';
import { msNumberToTs, tsToMs } from '@temporalio/common/lib/time.js';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { cronFault } from '../../src/core/cron.ts';
import { fireTimesBetween, type Timetable } from '../../src/core/fire-times.ts';

const NAMESPACE = 'default';
/** What ListScheduleMatchingTimes gives at most. */
const MOST = 1000;
const HALF_DAY = 43_200_000;

let connection: Connection;
let client: Client;
beforeAll(async () => {
  connection = await Connection.connect({ address: inject('servers').temporal_address });
  client = new Client({ connection, namespace: NAMESPACE });
});
afterAll(() => connection.close());

/** Times at which something is special, with a zone: the ranges that are compared lie half a day around them. */
const PLACES = [
  ['Europe/Berlin', '2026-03-29T01:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00Z'],
  ['Europe/London', '2026-10-25T01:00Z'],
  ['America/New_York', '2026-03-08T07:00Z'],
  ['America/New_York', '2026-11-01T06:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
  ['Africa/Casablanca', '2026-02-15T02:00Z'],
  ['Africa/Casablanca', '2026-03-22T02:00Z'],
  ['Africa/Cairo', '2026-04-23T22:00Z'],
  ['America/Sao_Paulo', '2018-11-04T03:00Z'],
  ['America/Sao_Paulo', '2018-02-18T02:00Z'],
  ['Asia/Kathmandu', '2026-12-31T18:15Z'],
  ['UTC', '2028-02-29T12:00Z'],
] as const;

test.each(PLACES)('crons in %s fire when Temporal fires, around %s', async (timezone, time) => {
  const crons = ['*/20 * * * *', '0 * * * *', '30 0-3 * * *', '30 1 * * *', '10,50 1-2 * * 0,6'];
  const [from, until] = [Date.parse(time) - HALF_DAY, Date.parse(time) + HALF_DAY];
  await Promise.all(crons.map((cron) => expectSame({ cron, timezone }, from, until)));
});

test.each([
  ['0 0 31 * *', 'Europe/Berlin', '2026-01-01', '2029-01-01'],
  ['0 12 29 2 *', 'America/New_York', '2026-01-01', '2099-01-01'],
  ['30 6 13 * FRI', 'Asia/Kathmandu', '2026-01-01', '2035-01-01'],
  ['0 0 1-7 */3 5-7', 'Pacific/Apia', '2026-01-01', '2035-01-01'],
  ['59 23 28-31 feb MON-FRI/2', 'UTC', '2026-01-01', '2060-01-01'],
  ['0 0 * * 1-7/2', 'Europe/London', '2026-01-01', '2026-12-31'],
  ['*/60 */24 */31 * *', 'Europe/London', '2026-01-01', '2026-12-31'],
  ['0 0 * */12 */7', 'Europe/London', '2026-01-01', '2026-12-31'],
])('`%s` in %s fires when Temporal fires, over years', async (cron, timezone, from, until) => {
  await expectSame({ cron, timezone }, Date.parse(from), Date.parse(until));
});

test.each(['1s', '7s', '90s', '7h', '3d', '2000ms'])('every %s is aligned as in Temporal', async (every) => {
  const from = Date.parse('2026-05-01T00:00:00.250Z');
  await expectSame({ every, timezone: 'Europe/Berlin' }, from, from + 900_000);
  await expectSame({ every, timezone: 'Europe/Berlin' }, from, from + 20 * 86_400_000);
});

test('any cron in any of these places fires when Temporal fires', async () => {
  const cases = fc.sample(fc.tuple(anyCron(), fc.constantFrom(...PLACES)), {
    seed: 20_261_025,
    numRuns: 60,
  });
  for (const [cron, [timezone, time]] of cases) {
    await expectSame({ cron, timezone }, Date.parse(time) - HALF_DAY, Date.parse(time) + 3 * HALF_DAY);
  }
});

function anyCron(): fc.Arbitrary<string> {
  const field = (low: number, high: number) => {
    const number = fc.integer({ min: low, max: high });
    const range = fc.tuple(number, number).map((pair) => pair.sort((a, b) => a - b).join('-'));
    const stepped = fc.tuple(fc.oneof(range, fc.constant('*')), fc.integer({ min: 1, max: 9 }));
    const item = fc.oneof(
      number.map(String),
      range,
      stepped.map(([of, step]) => `${of}/${Math.min(step, high)}`),
    );
    const list = fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(','));
    return fc.oneof({ weight: 2, arbitrary: fc.constant('*') }, { weight: 3, arbitrary: list });
  };
  const night = fc.oneof(field(0, 23), field(0, 4));
  return fc
    .tuple(field(0, 59), night, fc.oneof(fc.constant('*'), field(1, 31)), fc.constant('*'), field(0, 7))
    .map((fields) => fields.join(' '))
    .filter((cron) => cronFault(cron) === null);
}

async function expectSame(timetable: Timetable, from: number, until: number): Promise<void> {
  const asked = [timetable.cron ?? timetable.every, timetable.timezone].join(' ');
  const theirs = await matchingTimes(timetable, from, until);
  const ours: number[] = [];
  for (const at of fireTimesBetween(timetable, from, until)) {
    if (ours.push(at) === MOST) break;
  }
  expect({ asked, times: ours.map(readable) }).toEqual({ asked, times: theirs.map(readable) });
}

const readable = (at: number) => new Date(at).toISOString();

async function matchingTimes(timetable: Timetable, from: number, until: number): Promise<number[]> {
  const schedule = await paused(timetable);
  try {
    const { startTime } = await client.workflowService.listScheduleMatchingTimes({
      namespace: NAMESPACE,
      scheduleId: schedule.scheduleId,
      startTime: msNumberToTs(from),
      endTime: msNumberToTs(until),
    });
    return startTime.map(tsToMs);
  } finally {
    await schedule.delete();
  }
}

function paused({ cron, every, timezone }: Timetable): Promise<ScheduleHandle> {
  const spec = cron === undefined ? { intervals: [{ every: every as '1s' }] } : { cronExpressions: [cron] };
  return client.schedule.create({
    scheduleId: `fire-times-${crypto.randomUUID()}`,
    spec: { ...spec, timezone, jitter: 0 },
    action: { type: 'startWorkflow', workflowType: 'none', taskQueue: 'none' },
    state: { paused: true },
  });
}
