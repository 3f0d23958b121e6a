/** What a backtest takes a recorded input for, and which run of a chain of retries counts. */
import { describe, expect, test } from 'vitest';
import { inputOfEvent, inputOfTick } from '../../src/backtest/recorded-outcome.ts';
import type { RecordedRun } from '../../src/clients/activity-core-api-backtest.ts';
import { EVENT_KEY, eventOf, failed, runOf, task } from './backtest-record.ts';

const filed = (attempts: number[]) => ({ details: { reports: attempts.map((n) => ({ attempts: n })) } });

test.each([
  ['filtered', null, 'filtered', 'whole'],
  ['held', null, 'held', 'filter'],
  ['discarded', null, 'discarded', 'filter'],
  ['fired', null, 'no_run', 'no'],
  ['fired', runOf(), 'completed', 'whole'],
  ['fired', runOf({ status: 'running' }), 'completed', 'whole'],
  ['fired', runOf({ status: 'running', has_context: false }), 'running', 'no'],
  ['fired', runOf({ has_context: false }), 'filtered', 'whole'],
  ['fired', failed('rule_error'), 'rule_error', 'whole'],
  ['fired', failed('task_rejected'), 'completed', 'whole'],
  ['fired', failed('instruction_failed'), 'instruction_failed', 'failure'],
  ['fired', failed('instruction_invalid'), 'instruction_invalid', 'whole'],
  ['fired', failed('worker_crashed', { has_context: false }), 'worker_crashed', 'no'],
  ['fired', failed('workflow_terminated'), 'completed', 'whole'],
  ['fired', failed('report_failed', filed([3, 1])), 'completed', 'whole'],
  ['fired', failed('report_failed', filed([3, 0])), 'report_failed', 'whole'],
  ['filter_error', runOf(), 'completed', 'whole'],
] as const)('an event that was %s with %j is %s, and compares %s', (outcome, run, found, compares) => {
  const { recorded } = inputOfEvent(eventOf(outcome, run ? [run] : []));
  expect([recorded.outcome, recorded.compares]).toEqual([found, compares]);
});

test('a tick that started nothing compares with nothing', () => {
  const tick = { scheduled_for: '2026-11-20T08:15:00Z', reason: null };
  expect(inputOfTick({ ...tick, outcome: 'overlapped', runs: [] }).recorded.compares).toBe('no');
  expect(inputOfTick({ ...tick, outcome: 'fired', runs: [runOf()] })).toMatchObject({
    trigger_key: 'schedule:2026-11-20T08:15:00Z',
    recorded: { outcome: 'completed', compares: 'whole' },
  });
});

describe('of a chain of retries', () => {
  const first = failed('task_rejected', { run_id: 'first', tasks: [task(EVENT_KEY, 'left', 'left behind')] });
  const recorded = (...later: RecordedRun[]) => inputOfEvent(eventOf('fired', [first, ...later])).recorded;

  test('the newest run that decided counts, with its own specs alone', () => {
    const second = runOf({ run_id: 'second', tasks: [task(EVENT_KEY, 'made', 'made again', true)] });
    expect(recorded(second).run).toMatchObject({ run_id: 'second', tasks: [{ rule_id: 'made' }] });
    expect(recorded(failed('rule_error', { run_id: 'second' }))).toMatchObject({
      ...{ outcome: 'rule_error', run: { run_id: 'second', tasks: [] } },
    });
  });

  test.each([
    failed('worker_crashed', { has_context: false }),
    failed('resolver_failed', { has_context: false }),
    failed('instruction_failed'),
    runOf({ status: 'running', has_context: false }),
  ])('one that did not decide leaves the earlier one standing: %j', (undecided) => {
    expect(recorded(undecided)).toMatchObject({
      ...{ outcome: 'completed', run: { run_id: 'first', tasks: [{ rule_id: 'left' }] } },
    });
  });
});
