/** How a backtest pairs specs, reads the record, and tells what it found. */
import { describe, expect, test } from 'vitest';
import { compareSpecs } from '../../src/backtest/compare-specs.ts';
import { createHourlyLimit } from '../../src/backtest/hourly-limit.ts';
import { inputOfEvent, inputOfTick } from '../../src/backtest/recorded-outcome.ts';
import type { BacktestReport, Difference } from '../../src/backtest/report.ts';
import { isSameText } from '../../src/backtest/same-text.ts';
import { backtestStory } from '../../src/cli/backtest-story.ts';
import type { RecordedRun, RecordedTask } from '../../src/clients/activity-core-api-backtest.ts';
import type { TaskDraft, TaskSpec } from '../../src/core/decision.ts';
import type { Envelope } from '../../src/core/envelope.ts';
import { idempotencyKey } from '../../src/core/ids.ts';
import { capturedTerminal } from '../setup/captured-cli.ts';

const ids = { definitionId: 'd', triggerKey: 'event:e' };
const spec = (title: string, change: Partial<TaskSpec> = {}): TaskSpec => ({
  ...{ title, description: '', labels: [], priority: 'medium', target_repo: null, dedupe_key: null },
  ...change,
});
const recorded = (rule_id: string, position: number, of: TaskSpec): RecordedTask => ({
  idempotency_key: idempotencyKey(ids.definitionId, ids.triggerKey, rule_id, position),
  rule_id,
  spec: of,
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

  test('with JSON in a text are equal in any order of its members, and in nothing else', () => {
    expect(isSameText('at {"a":1,"b":{"c":"}","d":2}}!', 'at {"b":{"d":2,"c":"}"},"a":1}!')).toBe(true);
    expect(isSameText('at {"a":1,"b":2}', 'at {"a":2,"b":1}')).toBe(false);
    expect(isSameText('[{"a":1},{"a":2}]', '[{"a":2},{"a":1}]')).toBe(false);
    expect(isSameText('{no json} ab', '{no json} ba')).toBe(false);
    expect(isSameText('{"open', '{"nepo')).toBe(false);
  });
});

const run = (change: Partial<RecordedRun>): RecordedRun => ({
  ...{
    run_id: 'run',
    definition_hash: 'h',
    status: 'completed',
    started_at: '2026-11-20T08:15:00Z',
    error: null,
  },
  ...{ has_context: true, context: null, instructions: [], tasks: [] },
  ...change,
});
const failed = (
  code: 'task_rejected' | 'rule_error' | 'worker_crashed' | 'workflow_terminated',
  has_context = true,
) => run({ status: 'failed', has_context, error: { code, message: '', details: {} } });

const envelope: Envelope = {
  ...{ id: 'e', type: 't', source: 's', time: '2026-11-20T08:15:00Z', subject: null, schema_version: null },
  ...{ correlation_id: null, causation_id: null, attributes: {} },
};

describe('the record', () => {
  const event = (outcome: string, of: RecordedRun | null = null) => {
    const decision = { definition_hash: 'h', outcome, reason: null };
    const at = { event_uid: 'u', received_at: '2026-11-20T08:15:00Z' };
    const { recorded: found } = inputOfEvent({ ...at, envelope, decision, run: of });
    return [found.outcome, found.compares];
  };

  test.each([
    ['filtered', null, 'filtered', 'whole'],
    ['held', null, 'held', 'filter'],
    ['discarded', null, 'discarded', 'filter'],
    ['fired', null, 'no_run', 'no'],
    ['fired', run({}), 'completed', 'whole'],
    ['fired', run({ status: 'running' }), 'completed', 'whole'],
    ['fired', run({ status: 'running', has_context: false }), 'running', 'no'],
    ['fired', run({ has_context: false }), 'filtered', 'whole'],
    ['fired', failed('rule_error'), 'rule_error', 'whole'],
    ['fired', failed('task_rejected'), 'completed', 'whole'],
    ['fired', failed('worker_crashed', false), 'worker_crashed', 'no'],
    ['fired', failed('workflow_terminated'), 'completed', 'whole'],
    ['filter_error', run({}), 'completed', 'whole'],
  ] as const)('of an event that was %s with %j is %s, and compares %s', (outcome, of, found, compares) => {
    expect(event(outcome, of)).toEqual([found, compares]);
  });

  test('of a tick that started nothing compares with nothing', () => {
    const tick = { scheduled_for: '2026-11-20T08:15:00Z', reason: null, run: null };
    expect(inputOfTick({ ...tick, outcome: 'overlapped' }).recorded).toMatchObject({ compares: 'no' });
    expect(inputOfTick({ ...tick, outcome: 'fired', run: run({}) })).toMatchObject({
      ...{
        trigger_key: 'schedule:2026-11-20T08:15:00Z',
        recorded: { outcome: 'completed', compares: 'whole' },
      },
    });
  });
});

describe('the hourly limit', () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 20, 8, minute)).toISOString();

  test('is crossed by what sixty minutes make, and first crossed once', () => {
    const limit = createHourlyLimit(3);
    for (const minute of [0, 30, 61, 90, 91]) limit.add(at(minute), 1);
    expect(limit.report()).toEqual({ max_tasks_per_hour: 3, would_pause_at: null });
    limit.add(at(92), 1);
    limit.add(at(93), 10);
    expect(limit.report()?.would_pause_at).toBe(at(92));
    expect(createHourlyLimit(undefined).report()).toBeNull();
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
    specs: { recorded: 7, now: 0, unchanged: 0, added: 0, gone: 7, changed: 0 },
    hourly_limit: { max_tasks_per_hour: 5, would_pause_at: '2026-11-20T08:20:00Z' },
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
    const none = { recorded: 0, now: 0, unchanged: 0, added: 0, gone: 0, changed: 0 };
    expect(story({ ...calm, specs: none })).toContain('It would have done the same.');
    const empty = story({ ...calm, specs: none, compared: 0, events: 0 });
    expect(empty).toContain('nothing is on record');
    expect(empty).toContain('There was nothing to compare.');
    expect(story({ ...calm, specs: none, not_reproducible: 3 })).toContain('3 that CANNOT BE TOLD');
  });
});
