import { expect, test } from 'vitest';
import type { ScheduleTrigger } from '../../src/core/definition.ts';
import type { DescribedSchedule } from '../../src/schedules/temporal-schedules.ts';
import { type Circumstances, outcomeOf } from '../../src/schedules/tick-outcome.ts';

const NOON = Date.parse('2026-11-21T12:00:00Z');
const MINUTE = 60_000;
const after = (ms: number) => new Date(NOON + ms).toISOString();

const described = (change: Partial<DescribedSchedule> = {}): DescribedSchedule => ({
  applied: {},
  is_ours: true,
  paused: false,
  note: null,
  updated_at: after(-60 * MINUTE),
  next_action_times: [after(60 * MINUTE)],
  started: [],
  running: [],
  buffered: 0,
  ...change,
});

function verdict(
  now: number,
  change: {
    described?: DescribedSchedule | null;
    overlap?: ScheduleTrigger['overlap'];
    isDrifted?: boolean;
    isOverlapped?: boolean;
    newestAdmitted?: string;
    pause?: { reason: string; paused_at: string };
    endedPause?: { reason: string; ended_by: string };
    jitterMs?: number;
  } = {},
) {
  const circumstances: Circumstances = {
    now: NOON + now,
    schedule: {
      cron: '0 * * * *',
      timezone: 'UTC',
      overlap: change.overlap ?? 'skip',
      catchup_window: '10m',
      jitter: '0s',
    },
    jitterMs: change.jitterMs ?? 0,
    described: change.described === undefined ? described() : change.described,
    isDrifted: change.isDrifted ?? false,
    newestAdmitted: change.newestAdmitted ?? null,
    pause: change.pause ?? null,
    endedPause: change.endedPause ?? null,
  };
  const tick = {
    definition_id: 'hourly',
    scheduled_for: after(0),
    deadline: after(10 * MINUTE),
    is_overlapped: change.isOverlapped ?? false,
    admitted_before: null,
  };
  return outcomeOf(tick, circumstances)?.outcome ?? null;
}

const WITHIN = MINUTE;
const OVER = 11 * MINUTE;
const notYet = described({ next_action_times: [after(0)] });

test('a tick that Temporal dropped while the run before it was going is overlapped at once', () => {
  expect(verdict(WITHIN, { isOverlapped: true })).toBe('overlapped');
  expect(verdict(WITHIN, { isOverlapped: true, overlap: 'buffer_one' })).toBe('overlapped');
  expect(verdict(WITHIN, { described: described({ running: [after(-60 * MINUTE)] }) })).toBe('overlapped');
});

test('a tick without a run before it is not called overlapped: it may still start, and is missed in the end', () => {
  expect(verdict(WITHIN)).toBeNull();
  expect(verdict(OVER)).toBe('missed');
});

test('a tick that Temporal has not dealt with yet may still start within its window', () => {
  expect(verdict(WITHIN, { described: notYet })).toBeNull();
  expect(verdict(OVER, { described: notYet })).toBe('missed');
});

test('a tick that nothing started within its window is missed', () => {
  expect(verdict(OVER)).toBe('missed');
  expect(verdict(OVER, { overlap: 'allow_all' })).toBe('missed');
  expect(verdict(WITHIN, { overlap: 'allow_all' })).toBeNull();
  expect(verdict(WITHIN, { overlap: 'buffer_all' })).toBeNull();
});

test('a tick that was due while the run before it was going is overlapped, also when it is looked at days later', () => {
  expect(verdict(OVER, { isOverlapped: true })).toBe('overlapped');
  expect(verdict(OVER, { described: described({ running: [after(-60 * MINUTE)] }) })).toBe('overlapped');
  expect(verdict(OVER, { isOverlapped: true, overlap: 'buffer_all' })).toBe('missed');
});

test('a tick whose workflow waits for a worker is left to the worker', () => {
  const waiting = described({ started: [after(0)], running: [after(0)] });
  expect(verdict(WITHIN, { described: waiting })).toBeNull();
  expect(verdict(OVER, { described: waiting })).toBeNull();
});

test('a tick whose workflow was ended before a worker took it up is missed', () => {
  const ended = described({ started: [after(0)] });
  expect(verdict(WITHIN, { described: ended })).toBeNull();
  expect(verdict(OVER, { described: ended })).toBe('missed');
});

test('a tick later than the newest that a worker took up may stand in the buffer, however long', () => {
  const buffering = described({ buffered: 1, running: [after(-60 * MINUTE)] });
  const before = { described: buffering, newestAdmitted: after(-60 * MINUTE) };
  expect(verdict(OVER, { ...before, overlap: 'buffer_all' })).toBeNull();
  expect(verdict(WITHIN, { ...before, overlap: 'buffer_one' })).toBeNull();
  expect(verdict(OVER, { described: buffering, overlap: 'buffer_all' })).toBeNull();
});

test('a tick earlier than the newest that a worker took up stands in no buffer', () => {
  const buffering = described({ buffered: 1, running: [after(60 * MINUTE)] });
  const passed = { described: buffering, newestAdmitted: after(60 * MINUTE) };
  expect(verdict(OVER, { ...passed, overlap: 'buffer_all' })).toBe('missed');
  expect(verdict(OVER, { ...passed, overlap: 'buffer_one', isOverlapped: true })).toBe('overlapped');
});

test('a tick that was due before our own pause is not paused, and one whose jittered start fell into it is', () => {
  const ours = described({ paused: true, note: 'activity-core: paused: maintenance' });
  const pause = { reason: 'maintenance', paused_at: after(1000) };
  expect(verdict(OVER, { described: ours, pause })).toBe('missed');
  expect(verdict(WITHIN, { described: ours, pause, isOverlapped: true })).toBe('overlapped');
  expect(verdict(OVER, { described: ours, pause, jitterMs: 5000 })).toBe('paused');
});

test('a tick that was due while somebody had paused the schedule in Temporal is paused', () => {
  const paused = described({ paused: true, note: 'maintenance' });
  expect(verdict(WITHIN, { described: paused })).toBe('paused');
  expect(verdict(OVER, { described: paused })).toBe('paused');
});

test('a tick of a schedule that was changed by hand is missed at the end of its window', () => {
  expect(verdict(WITHIN, { isDrifted: true })).toBeNull();
  expect(verdict(OVER, { isDrifted: true })).toBe('missed');
});

test('a tick of a schedule that is not in Temporal is missed when its window is over', () => {
  expect(verdict(WITHIN, { described: null })).toBeNull();
  expect(verdict(OVER, { described: null })).toBe('missed');
});

test('a tick that was due before a pause by hand ended in Temporal, and never started, is paused', () => {
  const endedPause = { reason: 'maintenance', ended_by: after(5000) };
  expect(verdict(WITHIN, { endedPause })).toBe('paused');
  expect(verdict(WITHIN, { endedPause: { ...endedPause, ended_by: after(-5000) } })).toBeNull();
});
