import { expect, test } from 'vitest';
import type { ScheduleTrigger } from '../../src/core/definition.ts';
import { type Admission, admissionOf } from '../../src/schedules/admission.ts';
import type { Tick } from '../../src/store/schedule-ticks.ts';

const NOON = Date.parse('2026-11-21T12:00:00Z');
const MINUTE = 60_000;

const schedule = (overlap: ScheduleTrigger['overlap'] = 'skip'): ScheduleTrigger => ({
  cron: '0 * * * *',
  timezone: 'UTC',
  overlap,
  catchup_window: '10m',
  jitter: '0s',
});

const tick = (change: Partial<Tick> = {}): Tick => ({
  definition_id: 'hourly',
  scheduled_for: new Date(NOON).toISOString(),
  deadline: new Date(NOON + 10 * MINUTE).toISOString(),
  outcome: null,
  reason: null,
  run_id: null,
  ...change,
});

interface Case {
  what: string;
  tick: Tick | null;
  overlap?: ScheduleTrigger['overlap'];
  /** After noon. */
  started: number;
  now: number;
  expected: Admission;
}

const taken = { outcome: 'fired', run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11' } as const;

const cases: Case[] = [
  { what: 'a tick that starts when it is due fires', tick: tick(), started: 0, now: 0, expected: 'fired' },
  {
    what: 'a tick that a worker takes up within its window fires late',
    tick: tick(),
    started: 0,
    now: 9 * MINUTE,
    expected: 'fired',
  },
  {
    what: 'a tick that a worker takes up after its window is missed',
    tick: tick(),
    started: 0,
    now: 11 * MINUTE,
    expected: 'missed',
  },
  {
    what: 'a tick that was recorded as missed meanwhile stays missed and gets its run',
    tick: tick({ outcome: 'missed' }),
    started: 5 * MINUTE,
    now: 11 * MINUTE,
    expected: 'missed',
  },
  {
    what: 'a tick that a buffer held back for longer than its window is missed',
    tick: tick(),
    overlap: 'buffer_all',
    started: 30 * MINUTE,
    now: 30 * MINUTE,
    expected: 'missed',
  },
  {
    what: 'a start long after the window, where nothing buffers, is a backfill',
    tick: tick(),
    started: 30 * MINUTE,
    now: 30 * MINUTE,
    expected: 'by_hand',
  },
  {
    what: 'a backfill of a missed tick is a run by hand',
    tick: tick({ outcome: 'missed' }),
    overlap: 'buffer_all',
    started: 300 * MINUTE,
    now: 300 * MINUTE,
    expected: 'by_hand',
  },
  {
    what: 'a backfill of a tick that fired is a run by hand',
    tick: tick(taken),
    started: MINUTE,
    now: MINUTE,
    expected: 'by_hand',
  },
  {
    what: 'a backfill of an overlapped tick within its window is a run by hand',
    tick: tick({ outcome: 'overlapped' }),
    started: MINUTE,
    now: MINUTE,
    expected: 'by_hand',
  },
  {
    what: 'a start that slips through while the definition is being paused does not run',
    tick: tick({ outcome: 'paused' }),
    started: 1000,
    now: 1000,
    expected: 'paused',
  },
  {
    what: 'a backfill of a paused tick is a run by hand',
    tick: tick({ outcome: 'paused' }),
    started: 5 * MINUTE,
    now: 5 * MINUTE,
    expected: 'by_hand',
  },
  {
    what: 'a time that is not on the grid is a run by hand',
    tick: null,
    started: 0,
    now: 0,
    expected: 'by_hand',
  },
];

test.each(cases)('$what', ({ tick, overlap, started, now, expected }) => {
  const start = { tick, schedule: schedule(overlap), workflowStartedAt: NOON + started, now: NOON + now };
  expect(admissionOf(start)).toBe(expected);
});

test('a tick of a schedule that was removed meanwhile still runs within its window', () => {
  expect(admissionOf({ tick: tick(), schedule: null, workflowStartedAt: NOON, now: NOON })).toBe('fired');
});
