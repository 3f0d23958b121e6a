/** How a backtest pairs specs and tells what it found. */
import { describe, expect, test } from 'vitest';
import { compareSpecs } from '../../src/backtest/compare-specs.ts';
import { createHourlyLimit, hourlyLimitReport } from '../../src/backtest/hourly-limit.ts';
import type { BacktestReport, Difference } from '../../src/backtest/report.ts';
import { isSameText } from '../../src/backtest/same-text.ts';
import { backtestStory } from '../../src/cli/backtest-story.ts';
import type { RecordedTask } from '../../src/clients/activity-core-api-backtest.ts';
import type { TaskDraft, TaskSpec } from '../../src/core/decision.ts';
import { idempotencyKey } from '../../src/core/ids.ts';
import { capturedTerminal } from '../setup/captured-cli.ts';

const ids = { definitionId: 'd', triggerKey: 'event:e', keptRules: new Set<string>() };
const spec = (title: string, change: Partial<TaskSpec> = {}): TaskSpec => ({
  ...{ title, description: '', labels: [], priority: 'medium', target_repo: null, dedupe_key: null },
  ...change,
});
const recorded = (rule_id: string, position: number, of: TaskSpec): RecordedTask => ({
  idempotency_key: idempotencyKey(ids.definitionId, ids.triggerKey, rule_id, position),
  rule_id,
  spec: of,
  moved: false,
});
const draft = (rule_id: string, position: number, of: TaskSpec): TaskDraft => ({
  ...{ rule_id, position, dedupe_key: of.dedupe_key, spec: of },
});

describe('specs', () => {
  test('that are equal are the same wherever they stand, and each counts once', () => {
    const found = compareSpecs(
      ids,
      [recorded('r', 0, spec('a')), recorded('r', 1, spec('b')), recorded('r', 2, spec('a'))],
      [
        draft('r', 0, spec('b')),
        draft('r', 5, spec('a')),
        draft('r', 6, spec('a')),
        draft('r', 7, spec('a')),
      ],
    );
    expect(found).toMatchObject({ unchanged: 3, gone: [], changed: [], added: [{ position: 7 }] });
  });

  test('with one dedupe key are one that changed, before those of one place', () => {
    const [one, two] = [spec('one', { dedupe_key: 'k-1' }), spec('two', { dedupe_key: 'k-2' })];
    const found = compareSpecs(
      ids,
      [recorded('r', 0, one), recorded('r', 1, two)],
      [draft('r', 0, { ...two, title: 'two, anew' })],
    );
    expect(found.changed).toMatchObject([
      { recorded: { spec: two }, fields: [{ field: 'title', now: 'two, anew' }] },
    ]);
    expect(found.gone).toMatchObject([{ spec: one }]);
  });

  test('of one place in one rule are one that changed, with each field that did', () => {
    const found = compareSpecs(
      ids,
      [recorded('r', 4, spec('a', { labels: ['x'], priority: 'low' }))],
      [draft('r', 4, spec('a', { labels: ['y'], priority: 'high' }))],
    );
    expect(found.changed[0]?.fields.map(({ field }) => field)).toEqual(['labels', 'priority']);
    expect(compareSpecs(ids, [recorded('r', 4, spec('a'))], [draft('r', 5, spec('b'))]).changed).toEqual([]);
  });

  test('that another rule makes now changed their rule alone', () => {
    const found = compareSpecs(ids, [recorded('old', 0, spec('a'))], [draft('new', 0, spec('a'))]);
    expect(found.changed).toMatchObject([{ fields: [{ field: 'rule_id', recorded: 'old', now: 'new' }] }]);
  });

  const moved = (rule_id: string, position: number, of: TaskSpec): RecordedTask => ({
    ...recorded(rule_id, position, of),
    moved: true,
  });

  test('that a retry kept are paired by their key, and are no change where only keeping explains their text', () => {
    const before = [moved('r', 0, spec('on Monday')), recorded('r', 1, spec('b'))];
    const now = [draft('r', 0, spec('on Tuesday')), draft('r', 1, spec('b'))];
    expect(compareSpecs({ ...ids, keptRules: new Set(['r']) }, before, now)).toMatchObject({
      ...{ unchanged: 1, kept: 1, changed: [], gone: [], added: [] },
    });
    expect(compareSpecs(ids, before, now)).toMatchObject({ unchanged: 1, kept: 0, changed: [{}] });
    const anew = [recorded('r', 0, spec('on Monday'))];
    expect(compareSpecs({ ...ids, keptRules: new Set(['r']) }, anew, now)).toMatchObject({ kept: 0 });
  });

  test('with JSON in their texts are equal in any place of a list', () => {
    const of = (json: string) => spec('a', { description: `at ${json}`, labels: [json], dedupe_key: json });
    const found = compareSpecs(
      ids,
      [recorded('r', 0, of('{"a":1,"b":2}')), recorded('r', 1, of('{"a":3,"b":4}'))],
      [draft('r', 0, of('{"b":4,"a":3}')), draft('r', 1, of('{"b":2,"a":1}'))],
    );
    expect(found).toMatchObject({ unchanged: 2, changed: [], added: [], gone: [] });
  });

  test('with JSON in a text are equal in any order of its members, and in nothing else', () => {
    expect(isSameText('at {"a":1,"b":{"c":"}","d":2}}!', 'at {"b":{"d":2,"c":"}"},"a":1}!')).toBe(true);
    expect(isSameText('at {"a":[{"b":1,"c":"x"}]}', 'at {"a":[{"c":"x","b":1}]}')).toBe(true);
    expect(isSameText('{ {"a":1,"b":2} {', '{ {"b":2,"a":1} {')).toBe(true);
    expect(isSameText('at {"a":1,"b":2}', 'at {"a":2,"b":1}')).toBe(false);
    expect(isSameText('[{"a":1},{"a":2}]', '[{"a":2},{"a":1}]')).toBe(false);
    expect(isSameText('{no json} ab', '{no json} ba')).toBe(false);
    expect(isSameText('{"open', '{"nepo')).toBe(false);
  });

  test.each([
    ['integers beyond what a double holds', '{"id":9007199254740993}', '{"id":9007199254740992}'],
    ['a number that is written another way', '{"n":1E2}', '{"n":100}'],
    ['a number that is written another way and as long', '{"n":1E2}', '{"n":1e2}'],
    ['what stands twice, in another order', '{"a":1,"a":2}', '{"a":2,"a":1}'],
    ['white space', '{"a": 1,"b":2}', '{"b":2,"a":1 }'],
    ['elements of a list', '{"a":[1,2]}', '{"a":[2,1]}'],
    ['a value under another name', '{"a":1,"b":"x"}', '{"b":1,"a":"x"}'],
  ])('differ by %s', (_what, one, other) => {
    expect(isSameText(one, other)).toBe(false);
    expect(isSameText(one, one)).toBe(true);
  });

  test.each(['{', '{"a":', '{"a":[', '{"', '[{"a":1},', '{"a":"\\', '{"a":{"b":1},'])(
    'of 250,000 characters of %j are compared in one pass',
    (part) => {
      const text = part.repeat(250_000 / part.length);
      expect(isSameText(`${text}1`, `${text}2`)).toBe(false);
    },
  );
});

describe('the hourly limit', () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 20, 8, minute)).toISOString();

  test('is crossed by what sixty minutes make, and first crossed once', () => {
    const limit = createHourlyLimit(3);
    for (const minute of [0, 30, 61, 90, 91]) limit.add(at(minute), 1);
    expect(limit.pausesAt()).toBeNull();
    limit.add(at(92), 1);
    limit.add(at(93), 10);
    expect(limit.pausesAt()).toBe(at(92));
    const none = createHourlyLimit(undefined);
    none.add(at(0), 1000);
    expect(none.pausesAt()).toBeNull();
  });

  test('is new where the applied one would not have paused, or later', () => {
    const pausing = (limit: number | undefined) => {
      const made = createHourlyLimit(limit);
      for (const minute of [0, 10, 20]) made.add(at(minute), 1);
      return made;
    };
    const isNew = (limit: number, applied: number | undefined) =>
      hourlyLimitReport(limit, { now: pausing(limit), applied: pausing(applied) })?.is_new;
    expect([isNew(2, undefined), isNew(1, 2), isNew(2, 2), isNew(5, 2)]).toEqual([true, true, false, false]);
    expect(hourlyLimitReport(undefined, { now: pausing(undefined), applied: pausing(1) })).toBeNull();
  });
});

describe('the story', () => {
  const difference: Difference = {
    ...{ kind: 'failing', rule_id: 'r', recorded_outcome: 'completed', outcome: 'rule_error', fields: [] },
    ...{ reason: null, name: null, recorded_expression: 'a < 1', expression: 'a < 2', inputs: 1200 },
    specs: { added: 0, gone: 7, changed: 0 },
    examples: [
      {
        ...{ event: { event_uid: 'u', id: 'e-1', source: 's', received_at: '2026-11-20T08:15:00Z' } },
        ...{ scheduled_for: null, run_id: 'run-1', expression: 'a < 2', values: {}, added: [], changed: [] },
        error: { code: 'rule_error', message: 'rule r: no\u001b[31m', details: { values: { a: 3 } } },
        gone: [spec('Review it', { target_repo: 'repo' })],
      },
    ],
  };
  const report: BacktestReport = {
    ...{ definition_id: 'd', file: 'd.yaml', definition_hash: 'a'.repeat(64), applied_hash: 'b'.repeat(64) },
    ...{
      since: '2026-11-19T08:15:00Z',
      until: '2026-11-20T09:00:00Z',
      asked_since: null,
      events: 2400,
      ticks: 0,
    },
    ...{ compared: 1200, not_compared: { overlapped: 2 }, not_reproducible: 0, outcomes_changed: 1200 },
    ...{ new_failures: 1200, is_changed: true, earlier_revisions: 0, notes: [], differences: [difference] },
    specs: { recorded: 7, now: 0, unchanged: 0, kept: 0, added: 0, gone: 7, changed: 0 },
    hourly_limit: { max_tasks_per_hour: 5, would_pause_at: '2026-11-20T08:20:00Z', is_new: true },
    not_compared_fields: [],
  };
  const story = (change: Partial<BacktestReport> = {}) =>
    backtestStory(capturedTerminal().terminal, { ...report, ...change }).join('\n');

  test('names what would fail, both expressions, the example and how many more', () => {
    const told = story();
    for (const part of [
      '1,200 would FAIL that did not',
      '! 1,200 events: completed → rule_error in rule r; 7 specs gone',
      'applied  a < 1',
      'file     a < 2',
      'e.g. event e-1 from s, 2026-11-20 08:15:00Z, run run-1',
      '- Review it (repo)',
      'and 1,199 more like it',
      'it would pause at 2026-11-20 08:20:00Z',
      '2 overlapped',
    ])
      expect(told).toContain(part);
    expect(told).not.toContain('\u001b');
  });

  test('is calm where nothing differs, and does not call nothing the same', () => {
    const calm = { differences: [], is_changed: false, new_failures: 0, outcomes_changed: 0 };
    const none = { recorded: 0, now: 0, unchanged: 0, kept: 0, added: 0, gone: 0, changed: 0 };
    expect(story({ ...calm, specs: none })).toContain('It would have done the same.');
    const empty = story({ ...calm, specs: none, compared: 0, events: 0 });
    expect(empty).toContain('no event and no tick of this window; runs by hand do not count');
    expect(empty).toContain('There was nothing to compare.');
    expect(story({ ...calm, specs: none, not_reproducible: 3 })).toContain('3 that CANNOT BE TOLD');
    expect(story({ ...calm, specs: none, compared: 0 })).toContain('Nothing could be compared: all of it');
  });

  test('names what the file changes and nothing was compared of, beside the verdict', () => {
    const calm = {
      differences: [],
      is_changed: false,
      new_failures: 0,
      outcomes_changed: 0,
      hourly_limit: null,
    };
    const specs = { ...report.specs, gone: 0, kept: 2 };
    const told = story({ ...calm, specs, not_compared_fields: ['emit', 'reports'] });
    expect(told).toContain(
      'the same. Nothing was written or sent.\nAlso changed, and not compared: emit, reports.',
    );
    expect(told).toContain('2 that a retry kept as they had been sent');
    expect(story({ ...calm, specs, is_changed: true, hourly_limit: report.hourly_limit })).toContain(
      'It would not have been the same: a pause by the hourly limit.',
    );
  });

  test('names where a run failed then, where it fails elsewhere now', () => {
    const elsewhere = { ...difference, kind: 'outcome', reason: 'failed_elsewhere', name: 'a' } as const;
    const told = story({ differences: [{ ...elsewhere, recorded_outcome: 'rule_error' }] });
    expect(told).toContain('rule_error in a → rule_error in rule r');
  });
});
