import { describe, expect, test } from 'vitest';
import {
  alignEngagement,
  type Clock,
  type Finding,
  type RepoEntry,
  type ScheduledSource,
} from '../../src/core/engagement-alignment.ts';

const NOW = Date.parse('2026-11-20T08:00:00Z');

const entry = (repo: string, cron: string | null, more: Partial<RepoEntry> = {}): RepoEntry => ({
  repo,
  agent: 'coach',
  cadence: 'daily',
  cron,
  timezone: 'UTC',
  ...more,
});

const hourly = (cron: string, timezone = 'UTC'): Clock => ({ cron, every: null, timezone });

function source(
  schedule: Clock,
  entries: RepoEntry[],
  more: Partial<ScheduledSource> & { skipped?: { repo: string; reason: string }[]; roster?: null } = {},
): ScheduledSource {
  const { skipped = [], roster = { source: 'roster_path', file: 'roster.yaml' }, ...rest } = more;
  return {
    definition_id: 'orient',
    file: 'definitions/orient.yaml',
    schedule,
    bind_to: 'context.repos',
    agents: ['coach'],
    found: { kind: 'discovered', repos: { roster, entries, repos_scanned: entries.length, skipped } },
    ...rest,
  };
}

const align = (...sources: ScheduledSource[]) => alignEngagement(sources, NOW);

function outOfStep(findings: readonly Finding[]) {
  return findings.flatMap((finding) => (finding.kind === 'out_of_step' ? [finding] : []));
}

describe('in step', () => {
  test.each([
    ['the same cron', '15 * * * *', 'UTC', hourly('15 * * * *')],
    ['six in the morning, under an hourly definition', '15 6 * * *', 'Europe/Berlin', hourly('15 * * * *')],
    ['a zone of half hours', '45 6 * * *', 'Asia/Kolkata', hourly('15 * * * *')],
    ['workdays, under every quarter of an hour', '30 7 * * 1-5', 'UTC', hourly('*/15 * * * *')],
    ['the hour, under an interval', '0 * * * *', 'UTC', { cron: null, every: '1h', timezone: 'UTC' }],
    ['every minute, which is more than is looked at', '* * * * *', 'UTC', hourly('* * * * *')],
    ['29 February, which the year to come has not', '0 0 29 2 *', 'UTC', hourly('0 * * * *')],
  ])('%s', (_what, cron, timezone, schedule) => {
    const { in_step, findings } = align(source(schedule, [entry('a', cron, { timezone })]));
    expect({ in_step, findings }).toEqual({ in_step: 1, findings: [] });
  });

  test('an entry without a cron is in step with anything', () => {
    expect(align(source(hourly('7 3 * * *'), [entry('a', null)]))).toMatchObject({
      in_step: 1,
      findings: [],
    });
  });
});

describe('out of step', () => {
  test('never: no time in common, told with the first that is missed and both sides to mend', () => {
    const { in_step, findings, definitions } = align(
      source(hourly('15 * * * *'), [entry('a', '20 * * * *')]),
    );
    expect(in_step).toBe(0);
    expect(findings).toEqual([
      {
        kind: 'out_of_step',
        relation: 'never',
        ...entry('a', '20 * * * *'),
        first_missed: '2026-11-20T08:20:00Z',
        definition_id: 'orient',
        definition: hourly('15 * * * *'),
        mend: {
          repository: {
            file: 'a/.kaizen/schedule.yml',
            agent: 'coach',
            cron: '15 * * * *',
            timezone: 'UTC',
            changes: null,
          },
          definition: { file: 'definitions/orient.yaml', cron: '20 * * * *', timezone: 'UTC' },
        },
      },
    ]);
    expect(definitions).toMatchObject([{ not_compared: null, in_step: 0, out_of_step: 1 }]);
  });

  test.each([
    ['twice an hour, under once', '15,45 * * * *', 'UTC', hourly('15 * * * *'), '2026-11-20T08:45:00Z'],
    ['a change of the clock', '0 6 * * *', 'Europe/Berlin', hourly('0 5 * * *'), '2027-03-28T04:00:00Z'],
  ])('partly: %s', (_what, cron, timezone, schedule, first_missed) => {
    const { findings } = align(source(schedule, [entry('a', cron, { timezone })]));
    expect(findings).toMatchObject([{ relation: 'partly', first_missed }]);
  });

  test('where no cron of the repositories suits all, only they can be mended, and all crons are told', () => {
    const entries = [entry('a', '20 * * * *'), entry('b', '15 * * * *'), entry('c', null)];
    const { in_step, findings, definitions } = align(source(hourly('15 * * * *'), entries));
    expect(in_step).toBe(2);
    expect(outOfStep(findings).map(({ repo, mend }) => [repo, mend.definition])).toEqual([['a', null]]);
    const wanted = ['20 * * * *', '15 * * * *'].map((cron) => ({ cron, timezone: 'UTC' }));
    expect(definitions).toMatchObject([{ wanted }]);
  });

  test.each([
    [
      'that of one which fires more often',
      hourly('15 * * * *'),
      [entry('a', '15,45 * * * *'), entry('b', '15 6 * * *', { timezone: 'Europe/Berlin' })],
      { cron: '15,45 * * * *', timezone: 'UTC' },
    ],
    [
      "in the definition's time zone",
      hourly('15 * * * *'),
      [entry('a', '20 * * * *', { timezone: 'Europe/Berlin' })],
      { cron: '20 * * * *', timezone: 'UTC' },
    ],
    [
      'in the time zone of the repositories, where only that suits',
      hourly('15 * * * *'),
      [entry('a', '20 6 * * *', { timezone: 'Europe/Berlin' }), entry('b', null)],
      { cron: '20 6 * * *', timezone: 'Europe/Berlin' },
    ],
  ])('a cron of the repositories is proposed where it suits all: %s', (_what, schedule, entries, mend) => {
    const { findings } = align(source(schedule, entries));
    const definition = { file: 'definitions/orient.yaml', ...mend };
    expect(findings).toMatchObject([{ repo: 'a', mend: { definition } }]);
  });

  test("a cron for the definition suits its other sources' repositories too", () => {
    const [coach, scribe] = [entry('a', '20 * * * *'), entry('a', '15 * * * *', { agent: 'scribe' })];
    const { findings } = align(
      source(hourly('15 * * * *'), [coach, scribe]),
      source(hourly('15 * * * *'), [coach, scribe], { bind_to: 'context.others', agents: ['scribe'] }),
    );
    expect(outOfStep(findings).map(({ mend }) => mend.definition)).toEqual([null]);
  });

  test.each([
    ['the hour that a repository wants stays', '0 6 * * *', 'UTC', hourly('15 * * * *'), '15 6 * * *', 'UTC'],
    [
      'so does its time zone',
      '0 6 * * *',
      'Europe/Berlin',
      hourly('15 * * * *'),
      '15 6 * * *',
      'Europe/Berlin',
    ],
    [
      'also in a zone of half hours, with the minute that the definition has there',
      '0 6 * * *',
      'Asia/Kolkata',
      hourly('0 * * * *'),
      '30 6 * * *',
      'Asia/Kolkata',
    ],
    [
      'as many minutes as it has, where the definition has as many',
      '5,35 * * * *',
      'UTC',
      hourly('*/15 * * * *'),
      '0,30 * * * *',
      'UTC',
    ],
    [
      "a definition of one hour: its cron, since the repository's hour is another",
      '0 6 * * *',
      'UTC',
      hourly('0 5 * * *'),
      '0 5 * * *',
      'UTC',
    ],
    [
      'under an interval that no cron is in step with, it is left out',
      '7 * * * *',
      'UTC',
      { cron: null, every: '7m', timezone: 'UTC' },
      null,
      'UTC',
    ],
    [
      'under an interval of hours it is the minute of the interval',
      '7 6 * * *',
      'UTC',
      { cron: null, every: '1h', timezone: 'UTC' },
      '0 6 * * *',
      'UTC',
    ],
  ])('the mended cron: %s', (_what, cron, timezone, schedule, mended, zone) => {
    const { findings } = align(source(schedule, [entry('a', cron, { timezone })]));
    expect(outOfStep(findings)[0]?.mend.repository).toMatchObject({ cron: mended, timezone: zone });
  });

  const every = (interval: string): Clock => ({ cron: null, every: interval, timezone: 'UTC' });
  test.each([
    ['another minute', '20 6 * * *', 'UTC', hourly('15 * * * *'), '15 6 * * *', null],
    [
      'another hour',
      '0 6 * * *',
      'UTC',
      hourly('0 5 * * *'),
      '0 5 * * *',
      'this changes 06:00 UTC to 05:00 UTC',
    ],
    [
      'the nearest hour of several',
      '20 7 * * 1',
      'UTC',
      hourly('15 */6 * * *'),
      '15 6 * * 1',
      'this changes 07:20 UTC to 06:15 UTC',
    ],
    [
      'another zone',
      '30 6 * * *',
      'Australia/Lord_Howe',
      hourly('0 * * * *'),
      '0 19 * * *',
      'this changes 06:30 Australia/Lord_Howe to 19:00 UTC',
    ],
    [
      'fewer runs',
      '15,45 * * * *',
      'UTC',
      hourly('15 * * * *'),
      '15 * * * *',
      'this makes it due half as often',
    ],
    ['more runs', '7 * * * *', 'UTC', every('7m'), null, 'this makes it due 9 times as often'],
    [
      'other days',
      '0 6 * * 1',
      'UTC',
      hourly('0 6 * * 2'),
      '0 6 * * 2',
      'this changes the times at which it is due',
    ],
  ])('what a mend changes is told: %s', (_what, cron, timezone, schedule, mended, changes) => {
    const { findings } = align(source(schedule, [entry('a', cron, { timezone })]));
    expect(outOfStep(findings)[0]?.mend.repository).toMatchObject({ cron: mended, changes });
  });
});

describe('what is not compared', () => {
  test('a source without agents serves all that is due, and none of its own', () => {
    const { definitions, in_step, findings, notes } = align(
      source(hourly('0 * * * *'), [entry('a', '20 * * * *')], { agents: null }),
    );
    expect(definitions).toMatchObject([{ not_compared: 'it serves every agent that is due' }]);
    expect({ in_step, findings }).toEqual({ in_step: 0, findings: [] });
    expect(notes).toEqual([{ kind: 'unserved_agent', ...entry('a', '20 * * * *') }]);
  });

  test('params that a run renders', () => {
    const { definitions, findings } = align(
      source(hourly('0 * * * *'), [], { found: { kind: 'rendered_later' } }),
    );
    expect(definitions).toMatchObject([{ not_compared: expect.stringContaining('{{ }}') }]);
    expect(findings).toEqual([]);
  });

  test('a source that fails counts as a finding', () => {
    const { findings } = align(
      source(hourly('0 * * * *'), [], { found: { kind: 'failed', message: 'no roster' } }),
    );
    expect(findings).toEqual([{ kind: 'not_discovered', definition_id: 'orient', message: 'no roster' }]);
  });
});

describe('notes and skipped repositories', () => {
  test('an agent that one definition of the same cadence serves is not told again by the other', () => {
    const entries = [entry('a', '15 * * * *'), entry('a', '30 * * * *', { agent: 'scribe' })];
    const both = [
      source(hourly('15 * * * *'), entries),
      source(hourly('0 * * * *'), entries, { agents: null }),
    ];
    expect(align(...both).notes.map(({ agent }) => agent)).toEqual(['scribe']);
  });

  test('a skipped repository counts, once for all definitions', () => {
    const skipped = [{ repo: 'b', reason: 'malformed: no' }];
    const { findings } = align(
      source(hourly('15 * * * *'), [], { skipped }),
      source(hourly('30 * * * *'), [], { skipped, definition_id: 'review' }),
    );
    expect(findings).toEqual([{ kind: 'skipped', repo: 'b', reason: 'malformed: no' }]);
  });

  test('a folder without a schedule counts only where a roster names it', () => {
    const skipped = [{ repo: 'b', reason: 'no_schedule: .kaizen/schedule.yml is not there' }];
    expect(align(source(hourly('15 * * * *'), [], { skipped })).findings).toHaveLength(1);
    expect(align(source(hourly('15 * * * *'), [], { skipped, roster: null })).findings).toEqual([]);
  });
});
