import { describe, expect, test } from 'vitest';
import { cronFault, timezoneFault } from '../../src/core/cron.ts';
import { definitionSchema } from '../../src/core/definition.ts';
import { firesAt, fireTimesBetween, nextFireTimes, type Timetable } from '../../src/core/fire-times.ts';

const ms = (time: string) => Date.parse(time);
const iso = (times: Iterable<number>) =>
  Array.from(times, (at) => new Date(at).toISOString().replace('.000Z', 'Z').replace(':00Z', 'Z'));
const between = (timetable: Timetable, after: string, until: string) =>
  iso(fireTimesBetween(timetable, ms(after), ms(until)));
const cron = (text: string, timezone = 'UTC'): Timetable => ({ cron: text, timezone });

describe('a cron', () => {
  test('fires after the first time and up to the last', () => {
    expect(between(cron('*/30 * * * *'), '2026-05-01T10:00:00Z', '2026-05-01T11:00:00Z')).toEqual([
      '2026-05-01T10:30Z',
      '2026-05-01T11:00Z',
    ]);
  });

  test('fires where day of month and weekday both match', () => {
    expect(iso(nextFireTimes(cron('0 0 13 * 5'), ms('2026-01-01T00:00:00Z'), 3))).toEqual([
      '2026-02-13T00:00Z',
      '2026-03-13T00:00Z',
      '2026-11-13T00:00Z',
    ]);
  });

  test('takes both 0 and 7 for Sunday', () => {
    for (const sunday of ['0', '7', 'SUN', '7-7']) {
      expect(iso(nextFireTimes(cron(`0 0 * * ${sunday}`), ms('2026-05-01T00:00:00Z'), 1))).toEqual([
        '2026-05-03T00:00Z',
      ]);
    }
  });

  test('fires on a leap day, however far away', () => {
    expect(iso(nextFireTimes(cron('0 0 29 2 *', 'Europe/Berlin'), ms('2096-01-01T00:00:00Z'), 5))).toEqual([
      '2096-02-28T23:00Z',
    ]);
    expect(iso(nextFireTimes(cron('0 12 29 2 1'), ms('2026-01-01T00:00:00Z'), 2))).toEqual([
      '2044-02-29T12:00Z',
      '2072-02-29T12:00Z',
    ]);
  });

  test('has no times where it has no day', () => {
    expect(nextFireTimes(cron('0 0 30 2 *'), 0, 5)).toEqual([]);
    expect(nextFireTimes(cron('* * * * *'), 0, 0)).toEqual([]);
  });

  test('goes by the wall clock of its zone', () => {
    const times = (zone: string) =>
      iso(nextFireTimes(cron('0 6 * * *', zone), ms('2026-06-01T00:00:00Z'), 1));
    expect(times('Asia/Kathmandu')).toEqual(['2026-06-01T00:15Z']);
    expect(times('America/New_York')).toEqual(['2026-06-01T10:00Z']);
  });
});

describe('where the clock goes forward', () => {
  test.each([
    ['30 2 * * *', 'Europe/Berlin', '2026-03-28T23:00:00Z', '2026-03-30T03:00:00Z', ['2026-03-30T00:30Z']],
    [
      '30 * * * *',
      'America/New_York',
      '2026-03-08T06:00:00Z',
      '2026-03-08T09:00:00Z',
      ['2026-03-08T06:30Z', '2026-03-08T07:30Z', '2026-03-08T08:30Z'],
    ],
    [
      '30 0 * * *',
      'America/Sao_Paulo',
      '2018-11-03T12:00:00Z',
      '2018-11-05T12:00:00Z',
      ['2018-11-05T02:30Z'],
    ],
  ])('%s in %s does not fire in what is skipped', (text, zone, after, until, expected) => {
    expect(between(cron(text, zone), after, until)).toEqual(expected);
  });
});

describe('where the clock goes back', () => {
  test('a cron fires in both of the hours that New York repeats', () => {
    expect(
      between(cron('30 1 * * *', 'America/New_York'), '2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z'),
    ).toEqual(['2026-11-01T05:30Z', '2026-11-01T06:30Z']);
  });

  test.each([
    ['30 2 * * *', ['2026-10-25T01:30Z']],
    ['30 1 * * *', ['2026-10-24T23:30Z', '2026-10-25T00:30Z']],
    ['0 * * * *', ['2026-10-24T23:00Z', '2026-10-25T00:00Z', '2026-10-25T02:00Z', '2026-10-25T03:00Z']],
  ])('%s fires in Berlin when Temporal makes it fire, not when the wall clock says so', (text, expected) => {
    expect(between(cron(text, 'Europe/Berlin'), '2026-10-24T22:10:00Z', '2026-10-25T03:10:00Z')).toEqual(
      expected,
    );
  });

  test.each(['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca'])(
    'times in %s do not depend on where one begins to look',
    (zone) => {
      for (const text of ['*/20 * * * *', '30 1 * * *', '50 1-2 * * *', '0 * * * *']) {
        for (const around of [
          '2026-10-25T01:00:00Z',
          '2026-11-01T06:00:00Z',
          '2026-04-04T15:00:00Z',
          '2026-02-15T02:00:00Z',
        ]) {
          const [from, until] = [ms(around) - 12 * 3_600_000, ms(around) + 12 * 3_600_000];
          const all = [...fireTimesBetween(cron(text, zone), from, until)];
          for (let cut = from; cut < until; cut += 17 * 60_000) {
            expect([...fireTimesBetween(cron(text, zone), cut, until)]).toEqual(all.filter((at) => at > cut));
          }
          expect(all.every((at) => firesAt(cron(text, zone), at))).toBe(true);
        }
      }
    },
  );

  test('times ascend also where Temporal would go round in circles', () => {
    const times = [
      ...fireTimesBetween(
        cron('51 * * * *', 'Pacific/Apia'),
        ms('2011-12-28T00:00:00Z'),
        ms('2012-01-02T00:00:00Z'),
      ),
    ];
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
  });
});

describe('an interval', () => {
  test('is aligned to 1970', () => {
    const times = nextFireTimes({ every: '7h', timezone: 'UTC' }, ms('2026-05-01T00:00:00Z'), 2);
    expect(iso(times)).toEqual(['2026-05-01T04:00Z', '2026-05-01T11:00Z']);
    expect(times.map((at) => at % (7 * 3_600_000))).toEqual([0, 0]);
  });

  test('is given out one by one, however many there are', () => {
    const endless = fireTimesBetween({ every: '1s', timezone: 'UTC' }, 500, Number.POSITIVE_INFINITY);
    expect([endless.next().value, endless.next().value]).toEqual([1000, 2000]);
  });
});

test('a time is a fire time to the millisecond', () => {
  const at = ms('2026-05-01T10:15:00Z');
  expect(firesAt(cron('15 * * * *'), at)).toBe(true);
  expect(firesAt(cron('15 * * * *'), at + 1)).toBe(false);
  expect(firesAt(cron('15 * * * *'), at + 60_000)).toBe(false);
  expect(firesAt({ every: '15m', timezone: 'UTC' }, at)).toBe(true);
  expect(firesAt({ every: '15m', timezone: 'UTC' }, at - 1000)).toBe(false);
});

describe('what a cron may be', () => {
  test.each([
    '15 * * * *',
    '  0 9-17/2,*/5 1,15 jan-MAR,12 MON-FRI ',
    '0 0 * * 5-7',
    '0 0 * * 0-7',
    '0 0 * * 1-7/2',
    '05 00 29 2 1',
    '*/60 */24 */31 */12 *',
    '0 0 * * */7',
  ])('%s is one', (text) => {
    expect(cronFault(text)).toBeNull();
  });

  test.each([
    ['5/15 * * * *', /^expected a valid cron, found `5\/15 \* \* \* \*`: .*numeric prefix/],
    ['*/90 * * * *', 'expected a step from 1 to 60; found `*/90`'],
    ['*/61 * * * *', 'expected a step from 1 to 60; found `*/61`'],
    ['*/0 * * * *', 'expected a step from 1 to 60; found `*/0`'],
    ['0 0-12/25 * * *', 'expected a step from 1 to 24; found `0-12/25`'],
    ['0 0 */32 * *', 'expected a step from 1 to 31; found `*/32`'],
    ['0 0 1 */13 *', 'expected a step from 1 to 12; found `*/13`'],
    ['0 0 * * */8', 'expected a step from 1 to 7; found `*/8`'],
    ['0 3-26/5 * * *', 'expected an hour from 0 to 23; found `3-26/5`'],
    ['0 22-2 * * *', 'expected the smaller end of a range first, as in `22-23,0-2`; found `22-2`'],
    [
      '0 0 * * FRI-MON',
      'expected the smaller end of a range first, as in `FRI-SAT,SUN-MON`; found `FRI-MON`',
    ],
    ['0 0 * JUNE *', /found `JUNE` in the cron$/],
    ['0 0 * MON *', 'expected a month from 1 to 12, or JAN to DEC; found `MON`'],
    ['0 0 L * *', /found `L` in the cron$/],
    ['0 0 15W * *', /found `15W` in the cron$/],
    ['0 0 * * FRIL', /found `FRIL` in the cron$/],
    ['0 0 * * monday', /found `monday` in the cron$/],
    ['0 0 ? * *', /found `\?`$/],
    ['0 0 * * 5#2', /found `5#2`$/],
    ['1,,2 * * * *', /found `` in the cron$/],
    [
      '0 0 * * SAT-SUN',
      /^expected a range of weekdays that Temporal reads with its Sunday, .*found `SAT-SUN`$/,
    ],
    ['0 0 * * 1-7', /found `1-7`$/],
    ['0 0 * * MON-7/1', /found `MON-7\/1`$/],
    ['CRON_TZ=Asia/Tokyo 0 0 * * *', /^expected the time zone in `timezone`, not in the cron/],
    ['@every 5m', /not a nickname/],
    ['0 0 30 2 *', 'expected a cron that fires one day; `0 0 30 2 *` never does'],
    ['0 0 31 4 MON', 'expected a cron that fires one day; `0 0 31 4 MON` never does'],
    ['0\u00a00 * * * *', /^expected digits/],
  ])('%s is refused', (text, message) => {
    if (typeof message === 'string') expect(cronFault(text)).toBe(message);
    else expect(cronFault(text)).toMatch(message);
  });

  test.each(['BST', 'JST', 'SystemV/AST4'])(
    'the zone %s, which Temporal does not know, is refused',
    (name) => {
      expect(timezoneFault(name)).toMatch(/^unknown time zone/);
    },
  );
});

test.each([
  ['2000ms', true],
  ['90s', true],
  ['1500ms', false],
])('`every: %s` is whole seconds: %s', (every, valid) => {
  const trigger = { schedule: { every } };
  const result = definitionSchema.safeParse({ id: 'a', title: 'a', owner: 'a', trigger });
  expect(result.error?.issues.map((issue) => issue.message) ?? []).toEqual(
    valid ? [] : ['expected whole seconds, found the text `1500ms`'],
  );
});
