import { describe, expect, test } from 'vitest';
import { errorsOf, hourly, review } from '../setup/refused-definitions.ts';

const SCHEDULE = '  schedule:\n    cron: "15 * * * *"\n    timezone: Europe/Berlin\n';

describe('the trigger', () => {
  const cron = (text: string) => hourly('"15 * * * *"', JSON.stringify(text));
  test.each([
    [
      'two triggers',
      hourly('trigger:\n', 'trigger:\n  manual: {}\n'),
      'hourly.yaml:5:3 trigger: expected exactly one of `event`, `schedule`, `manual`; found `schedule`, `manual`',
    ],
    [
      'no trigger',
      { 'x.yaml': 'id: x\ntitle: x\nowner: x\ntrigger: {}\n' },
      'x.yaml:4:10 trigger: expected exactly one of `event`, `schedule`, `manual`; found none',
    ],
    [
      'cron and every',
      hourly('    timezone: Europe/Berlin', '    every: 2s'),
      'hourly.yaml:6:5 trigger.schedule: expected exactly one of `cron`, `every`; found both',
    ],
    [
      'neither cron nor every',
      hourly('    cron: "15 * * * *"\n', ''),
      'hourly.yaml:6:5 trigger.schedule: expected exactly one of `cron`, `every`; found neither',
    ],
    [
      'a cron where the schedule belongs that has it',
      hourly(SCHEDULE, '  schedule: "0 23 * * *"\n'),
      'hourly.yaml:5:13 trigger.schedule: expected a mapping, found the text `0 23 * * *`; write `schedule: { cron: "0 23 * * *" }`',
    ],
    [
      'an interval where the schedule belongs that has it',
      hourly(SCHEDULE, '  schedule: 5 min\n'),
      'hourly.yaml:5:13 trigger.schedule: expected a mapping, found the text `5 min`; write `schedule: { every: 5m }`',
    ],
    [
      'a word where a schedule belongs',
      hourly(SCHEDULE, '  schedule: hourly\n'),
      'hourly.yaml:5:13 trigger.schedule: expected a mapping, found the text `hourly`; its cron or interval belongs below it, as in `schedule: { cron: "15 * * * *" }`',
    ],
    [
      'a cron that is none, where a schedule belongs',
      hourly(SCHEDULE, '  schedule: "0 25 * * *"\n'),
      'hourly.yaml:5:13 trigger.schedule: expected a mapping, found the text `0 25 * * *`; its cron or interval belongs below it, as in `schedule: { cron: "15 * * * *" }`',
    ],
    [
      'an interval that is too short, where a schedule belongs',
      hourly(SCHEDULE, '  schedule: 500ms\n'),
      'hourly.yaml:5:13 trigger.schedule: expected a mapping, found the text `500ms`; its cron or interval belongs below it, as in `schedule: { cron: "15 * * * *" }`',
    ],
    [
      'a bad cron',
      cron('61 * * * *'),
      'hourly.yaml:6:11 trigger.schedule.cron: expected a minute from 0 to 59; found `61`',
    ],
    [
      'a cron of six fields',
      cron('0 15 * * * *'),
      'hourly.yaml:6:11 trigger.schedule.cron: expected five cron fields, without seconds; found six in `0 15 * * * *`',
    ],
    [
      'a cron of four fields',
      cron('15 * * *'),
      /trigger\.schedule\.cron: expected five cron fields \(minute hour day month weekday\)/,
    ],
    ['a nickname', cron('@hourly'), /trigger\.schedule\.cron: expected five cron fields, not a nickname/],
    [
      'a cron that only one of the two engines knows',
      cron('0 9 * * 1#2'),
      /trigger\.schedule\.cron: expected digits, names.*found `1#2`/,
    ],
    [
      'a cron that never fires',
      cron('0 0 31 2 *'),
      /trigger\.schedule\.cron: expected a cron that fires one day/,
    ],
    [
      'a cron whose day and weekday must both match, on a day that there is not',
      cron('0 0 30 2 1'),
      /trigger\.schedule\.cron: expected a cron that fires one day/,
    ],
    [
      'an interval of broken seconds',
      hourly('cron: "15 * * * *"', 'every: 1500ms'),
      'hourly.yaml:6:12 trigger.schedule.every: expected whole seconds, found the text `1500ms`',
    ],
    [
      'an unknown time zone',
      hourly('Europe/Berlin', 'Europe/Berlim'),
      'hourly.yaml:7:15 trigger.schedule.timezone: unknown time zone `Europe/Berlim`; expected an IANA name, as in `Europe/Berlin`; did you mean `Europe/Berlin`?',
    ],
    [
      'a time zone in the wrong case',
      hourly('Europe/Berlin', 'europe/berlin'),
      /did you mean `Europe\/Berlin`\?$/,
    ],
    [
      'an offset for a time zone',
      hourly('Europe/Berlin', '"+02:00"'),
      /trigger\.schedule\.timezone: unknown time zone/,
    ],
    [
      'a short catch-up window',
      hourly('    timezone:', '    catchup_window: 9s\n    timezone:'),
      'hourly.yaml:7:21 trigger.schedule.catchup_window: expected at least `10s`, found the text `9s`',
    ],
    [
      'a duration without a unit',
      hourly('    timezone:', '    jitter: "5"\n    timezone:'),
      'hourly.yaml:7:13 trigger.schedule.jitter: expected a duration like 30s, 15m, 1h or 7d, found the text `5`',
    ],
    [
      'an interval in words',
      hourly('cron: "15 * * * *"', 'every: 5 min'),
      'hourly.yaml:6:12 trigger.schedule.every: expected a duration like 30s, 15m, 1h or 7d (`5 min` is written `5m`), found the text `5 min`',
    ],
    [
      'an interval of two units',
      hourly('cron: "15 * * * *"', 'every: 1h30m'),
      'hourly.yaml:6:12 trigger.schedule.every: expected a duration like 30s, 15m, 1h or 7d (`1h30m` is written `90m`), found the text `1h30m`',
    ],
    [
      'a day as ISO 8601 has it',
      hourly('cron: "15 * * * *"', 'every: P1D'),
      'hourly.yaml:6:12 trigger.schedule.every: expected a duration like 30s, 15m, 1h or 7d (`P1D` is written `1d`), found the text `P1D`',
    ],
    [
      'a month as ISO 8601 has it, which is no minute',
      hourly('cron: "15 * * * *"', 'every: P1M'),
      'hourly.yaml:6:12 trigger.schedule.every: expected a duration like 30s, 15m, 1h or 7d, found the text `P1M`',
    ],
    [
      'an interval that is a number',
      hourly('cron: "15 * * * *"', 'every: 5'),
      'hourly.yaml:6:12 trigger.schedule.every: expected a duration like 30s, 15m, 1h or 7d, found `5`',
    ],
    [
      'an hour that no day has',
      cron('0 25 * * *'),
      'hourly.yaml:6:11 trigger.schedule.cron: expected an hour from 0 to 23; found `25`',
    ],
    [
      'a month that no year has',
      cron('0 0 1 0 *'),
      'hourly.yaml:6:11 trigger.schedule.cron: expected a month from 1 to 12, or JAN to DEC; found `0`',
    ],
    [
      'a range beyond midnight',
      cron('0 22-2 * * *'),
      'hourly.yaml:6:11 trigger.schedule.cron: expected the smaller end of a range first, as in `22-23,0-2`; found `22-2`',
    ],
    [
      'an interval under a second',
      hourly('cron: "15 * * * *"', 'every: 500ms'),
      'hourly.yaml:6:12 trigger.schedule.every: expected at least `1s`, found the text `500ms`',
    ],
    [
      'an expectation under a minute',
      hourly('trigger:', 'expect: { run_every: 59s }\ntrigger:'),
      'hourly.yaml:4:22 expect.run_every: expected at least `1m`, found the text `59s`',
    ],
    [
      'an unknown event type',
      review('type: kaizen.metrics.recorded', 'type: kaizen.metric.recorded'),
      'review.yaml:6:11 trigger.event.type: unknown event type `kaizen.metric.recorded`; did you mean `kaizen.metrics.recorded`?; registered types: `kaizen.metrics.recorded`',
    ],
  ])('%s', async (_name, files, expected) => {
    const errors = await errorsOf(files);
    expect(errors).toHaveLength(1);
    if (typeof expected === 'string') expect(errors[0]).toBe(expected);
    else expect(errors[0]).toMatch(expected);
  });
});
