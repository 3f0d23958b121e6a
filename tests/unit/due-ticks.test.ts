import { expect, test } from 'vitest';
import { definitionSchema, type ScheduleTrigger } from '../../src/core/definition.ts';
import { newestDueTicks } from '../../src/core/due-ticks.ts';
import { newestFireTimes } from '../../src/core/fire-times.ts';

const at = (time: string): number => Date.parse(`2026-11-${time}:00Z`);

function schedule(text: object): ScheduleTrigger {
  const document = { id: 'due', title: 'Due', owner: 'tests', trigger: { schedule: text } };
  return definitionSchema.parse(document).trigger.schedule!;
}

test('the newest fire times are the last of all of them, however long the time between', () => {
  const daily = schedule({ cron: '0 6 * * *' });
  const span = { after: Date.parse('2016-01-01T00:00:00Z'), until: at('20T06:00') };
  expect(newestFireTimes(daily, { ...span, count: 3 })).toEqual([
    at('18T06:00'),
    at('19T06:00'),
    at('20T06:00'),
  ]);
  expect(newestFireTimes(daily, { ...span, after: at('18T06:00'), count: 9 })).toEqual([
    at('19T06:00'),
    at('20T06:00'),
  ]);
});

test('a time before its own beginning has no fire times', () => {
  const span = { after: at('20T06:00'), until: at('19T06:00'), count: 3 };
  expect(newestFireTimes(schedule({ every: '1h' }), span)).toEqual([]);
});

test('those whose deadline has passed are there beside however many may still start', () => {
  const often = schedule({ every: '1m', catchup_window: '1h' });
  const span = { after: at('20T00:00'), until: at('20T12:00'), count: 2 };
  expect(newestDueTicks(often, null, span).map(({ scheduled_for }) => scheduled_for)).toEqual([
    '2026-11-20T12:00:00.000Z',
    '2026-11-20T11:59:00.000Z',
    '2026-11-20T10:59:00.000Z',
    '2026-11-20T10:58:00.000Z',
  ]);
});

test('the deadline of a tick is its time, jitter and catch-up window', () => {
  const jittered = schedule({ every: '1h', catchup_window: '10m', jitter: '30s' });
  const [tick] = newestDueTicks(jittered, null, { after: at('20T00:00'), until: at('20T01:00'), count: 1 });
  expect(tick).toMatchObject({ deadline: '2026-11-20T01:10:30.000Z', outcome: null, reason: null });
});

test('what was due after a pause was paused', () => {
  const pause = { paused_at: '2026-11-20T01:30:00Z', reason: 'maintenance' };
  const span = { after: at('20T00:00'), until: at('20T03:00'), count: 9 };
  expect(newestDueTicks(schedule({ every: '1h' }), pause, span).map(({ outcome }) => outcome)).toEqual([
    'paused',
    'paused',
    null,
  ]);
});
