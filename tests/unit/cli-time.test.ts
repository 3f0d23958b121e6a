import { describe, expect, test } from 'vitest';
import { parseMoment, parseTime, shortTime, timeBetween } from '../../src/cli/time.ts';

const now = new Date('2026-11-20T08:15:00Z');

test.each([
  ['2h', '2026-11-20T06:15:00.000Z'],
  ['7d', '2026-11-13T08:15:00.000Z'],
  ['1w', '2026-11-13T08:15:00.000Z'],
  ['1h30m', '2026-11-20T06:45:00.000Z'],
  ['90s', '2026-11-20T08:13:30.000Z'],
  ['2026-11-20T08:15:00Z', '2026-11-20T08:15:00.000Z'],
  ['2026-11-20T10:15:00.5+02:00', '2026-11-20T08:15:00.500Z'],
])('a moment %s is %s', (text, moment) => {
  expect(parseMoment('--since', text, now)).toBe(moment);
});

test.each([
  '',
  'yesterday',
  '2',
  '2y',
  '-2h',
  '2026-11-20',
  '2026-11-20T08:15',
  '2026-13-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-11-20T25:00:00Z',
  '99999999999d',
])('a moment `%s` is refused, with what was expected', (text) => {
  expect(() => parseMoment('--since', text, now)).toThrow(
    `--since is \`${text}\`; expected a time like 2026-11-20T08:15:00Z, or a while ago like 30m, 2h or 7d`,
  );
});

test('a time takes no duration', () => {
  expect(() => parseTime('--at', '2h')).toThrow('--at is `2h`; expected a time like 2026-11-20T08:15:00Z');
});

describe('shown', () => {
  test('times are short and in UTC', () => {
    expect(shortTime('2026-11-20T10:15:00.25+02:00')).toBe('2026-11-20 08:15:00Z');
    expect(shortTime('not a time')).toBe('not a time');
  });

  test.each([
    [0, null],
    [40, '40 ms'],
    [2500, '2.5 s'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
    [-5, null],
  ])('%i ms are %s', (ms, told) => {
    const start = '2026-11-20T08:15:00.000Z';
    expect(timeBetween(start, new Date(Date.parse(start) + ms).toISOString())).toBe(told);
  });
});
