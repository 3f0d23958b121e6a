/** Definitions over a record in memory: what is told as a difference, what is passed over, and what is never called the same. */
import { describe, expect, test } from 'vitest';
import type { RecordedRun } from '../../src/clients/activity-core-api-backtest.ts';
import type { LoadedDefinition } from '../../src/definitions/check.ts';
import {
  backtest,
  EVENT_KEY,
  eventOf,
  failed,
  load,
  type OnThisRecord,
  recordApi,
  review,
  rule,
  runOf,
  task,
} from './backtest-record.ts';

const FAILING = '[true][int(context.metrics.summary.success_rate * 10.0)]';
const filtering = (filter: string) =>
  review({ trigger: { event: { type: 'kaizen.metrics.recorded', filter } } });

/** One event that ended in these runs of the applied definition. */
async function over(
  applied: LoadedDefinition,
  file: object,
  runs: Partial<RecordedRun>[],
  record: Partial<OnThisRecord> = {},
) {
  const { definition_hash } = applied;
  const events = [
    eventOf(
      'fired',
      runs.map((run) => runOf({ definition_hash, ...run })),
      definition_hash,
    ),
  ];
  return backtest(await load(file), recordApi({ applied, events, ...record }));
}

describe('a model that did not answer', () => {
  const instruction = { id: 'rank', prompt: 'Rank these', output_schema: { type: 'object' } };
  const ranking = (change: object = {}) => review({ instructions: [instruction], ...change });
  const recordOf = (status: 'failed' | 'invalid') => ({
    ...{ instruction_id: 'rank', status, review_required: false, reused: false, prompt_hash: 'other' },
    ...{ output: null, answers: [] },
  });
  const details = { instruction_id: 'rank' };
  const { definition_hash: _hash, ...unanswered } = failed('instruction_failed', {
    ...{ details, instructions: [recordOf('failed')] },
  });

  test.each([
    ['the same', ranking()],
    ['another rule', ranking({ rules: [rule('other', 'true')] })],
    ['no instruction any more', review()],
  ])('says nothing of a file with %s', async (_what, file) => {
    const report = await over(await load(ranking()), file, [unanswered]);
    expect(report).toMatchObject({
      ...{ compared: 0, not_compared: { instruction_failed: 1 }, is_changed: false, differences: [] },
    });
  });

  test.each([
    ['filtered', ranking(filtering('false'))],
    ['rule_error', ranking({ rules: [rule('low', FAILING)] })],
  ])(
    'hides no file that ends %s before the model is asked, and that is no new failure',
    async (outcome, file) => {
      const report = await over(await load(ranking()), file, [unanswered]);
      expect(report).toMatchObject({ compared: 1, outcomes_changed: 1, new_failures: 0, is_changed: true });
      expect(report.differences).toMatchObject([
        { kind: 'outcome', recorded_outcome: 'instruction_failed', outcome },
      ]);
    },
  );
});

describe('an event that was held or discarded', () => {
  test.each(['held', 'discarded'])('is passed over where the filter lets it through: %s', async (outcome) => {
    const applied = await load(review());
    const events = [eventOf(outcome)];
    const other = await backtest(await load(review({ rules: [] })), recordApi({ applied, events }));
    expect(other).toMatchObject({ compared: 0, not_compared: { [outcome]: 1 }, is_changed: false });
    const refused = await backtest(await load(filtering('false')), recordApi({ applied, events }));
    expect(refused).toMatchObject({ compared: 1, is_changed: true, new_failures: 0 });
    expect(refused.differences).toMatchObject([{ recorded_outcome: outcome, outcome: 'filtered' }]);
  });
});

describe('a chain of retries', () => {
  const both = review({ rules: [rule('low', 'true', 'Old'), rule('also', 'true', 'Also')] });
  const one = review({ rules: [rule('low', 'true', 'New')] });

  async function chain(file: object) {
    const [first, second] = [await load(both), await load(one)];
    const rejected = failed('task_rejected', {
      ...{ definition_hash: first.definition_hash, tasks: [task(EVENT_KEY, 'also', 'Also')] },
    });
    // Sent by the first run as `Old`, and taken over as it was.
    const retried = runOf({
      ...{ definition_hash: second.definition_hash, tasks: [task(EVENT_KEY, 'low', 'Old', true)] },
    });
    return over(second, file, [rejected, retried], { earlier: [first] });
  }

  test('makes no difference of an unchanged file, neither by what it left behind nor by what it kept', async () => {
    expect(await chain(one)).toMatchObject({
      ...{ is_changed: false, specs: { recorded: 1, now: 1, unchanged: 0, kept: 1 }, differences: [] },
    });
  });

  test('does not hide that a rule is there again', async () => {
    const report = await chain(review({ rules: [rule('low', 'true', 'New'), rule('also', 'true', 'Also')] }));
    expect(report).toMatchObject({ is_changed: true, specs: { kept: 1, added: 1 } });
    expect(report.differences).toMatchObject([{ kind: 'added', rule_id: 'also' }]);
  });

  test('does not hide that the rule of what it kept is another one', async () => {
    const report = await chain(review({ rules: [rule('low', 'true', 'Newer')] }));
    expect(report).toMatchObject({ is_changed: true, specs: { kept: 0, changed: 1 } });
  });
});

describe('a failure', () => {
  const rules = (of: string) =>
    review({ rules: [rule('a', of === 'a' ? FAILING : 'true'), rule('b', FAILING)] });

  test('in another rule is a difference, in the same one none', async () => {
    const applied = await load(rules('a'));
    const inA = failed('rule_error', { details: { rule_id: 'a' } });
    const { definition_hash: _hash, ...run } = inA;
    expect(await over(applied, rules('a'), [run])).toMatchObject({ is_changed: false, compared: 1 });
    const report = await over(applied, rules('b'), [run]);
    expect(report).toMatchObject({ is_changed: true, new_failures: 0 });
    expect(report.differences).toMatchObject([
      { kind: 'outcome', rule_id: 'b', reason: 'failed_elsewhere', name: 'a' },
    ]);
  });

  test('that is new is told as one', async () => {
    const applied = await load(review());
    const run = { tasks: [task(EVENT_KEY, 'low', 'Review coach')] };
    const report = await over(applied, review({ rules: [rule('low', FAILING)] }), [run]);
    expect(report).toMatchObject({ new_failures: 1, differences: [{ kind: 'failing' }] });
  });
});

describe('what no spec shows', () => {
  const run = { tasks: [task(EVENT_KEY, 'low', 'Review coach')] };

  test('is named where the file changes it', async () => {
    const applied = await load(review());
    const file = review({ emit: 'live', on_duplicate: 'always', expect: { run_every: '1h' } });
    expect(await over(applied, file, [run])).toMatchObject({
      ...{ is_changed: false, compared: 1, not_compared_fields: ['emit', 'expect', 'on_duplicate'] },
    });
    expect(await over(applied, review(), [run])).toMatchObject({ not_compared_fields: [] });
  });

  test('is named of schedules and limits too, and an hourly limit where it is wider', async () => {
    const scheduled = (change: object, limits: object = {}) =>
      review({
        trigger: { schedule: { cron: '0 * * * *', ...change } },
        context_sources: [],
        rules: [],
        limits,
      });
    const applied = await load(scheduled({}, { max_tasks_per_hour: 5 }));
    const fieldsOf = async (file: object) =>
      (await backtest(await load(file), recordApi({ applied }))).not_compared_fields;
    expect(
      await fieldsOf(scheduled({ overlap: 'allow_all', catchup_window: '2h' }, { max_tasks_per_hour: 4 })),
    ).toEqual(['trigger.schedule.catchup_window', 'trigger.schedule.overlap']);
    expect(await fieldsOf(scheduled({}, { max_tasks_per_run: 7, max_model_calls_per_run: 2 }))).toEqual([
      ...['limits.max_model_calls_per_run', 'limits.max_tasks_per_hour'],
    ]);
  });

  test('is named where it is enabled, and where its event type has another schema beside it', async () => {
    const applied = await load(review({ enabled: false }));
    const type = {
      type: 'kaizen.metrics.recorded',
      title: 't',
      owner: 'o',
      attributes_schema: { type: 'object' },
    };
    const api = recordApi({ applied, eventType: { ...type, attributes_schema: { type: 'array' } } });
    const report = await backtest(await load(review()), api, { eventType: type });
    expect(report.not_compared_fields).toEqual(['enabled', 'event_type.attributes_schema']);
    const same = recordApi({ applied, eventType: type });
    expect((await backtest(await load(review()), same, { eventType: type })).not_compared_fields).toEqual([
      'enabled',
    ]);
  });

  test('makes a difference where the hourly limit of the file would pause and the applied one would not', async () => {
    const two = { rules: [rule('low', 'true', 'One'), rule('high', 'true', 'Two')] };
    const tasks = [task(EVENT_KEY, 'low', 'One'), task(EVENT_KEY, 'high', 'Two')];
    const limited = (limit: number) => review({ ...two, limits: { max_tasks_per_hour: limit } });
    const report = await over(await load(limited(2)), limited(1), [{ tasks }]);
    expect(report).toMatchObject({ is_changed: true, differences: [], specs: { unchanged: 2 } });
    expect(report.hourly_limit).toMatchObject({ is_new: true, would_pause_at: '2026-11-20T08:15:00Z' });
    expect(await over(await load(limited(1)), limited(1), [{ tasks }])).toMatchObject({ is_changed: false });
  });
});

describe('a schedule', () => {
  const hourly = (cron: string) =>
    review({ trigger: { schedule: { cron } }, context_sources: [], rules: [rule('each', 'true', 'Look')] });
  const tickAt = (scheduled_for: string) => ({
    ...{ scheduled_for, outcome: 'fired', reason: null },
    runs: [runOf({ tasks: [task(`schedule:${scheduled_for}`, 'each', 'Look')] })],
  });

  test('that is the same in other words has no times of its own, not even from before it was applied', async () => {
    const applied = await load(hourly('0 * * * *'));
    const ticks = [tickAt('2026-11-20T10:00:00Z'), tickAt('2026-11-20T11:00:00Z')];
    const report = await backtest(await load(hourly('0 */1 * * *')), recordApi({ applied, ticks }));
    expect(report).toMatchObject({
      ...{ compared: 2, not_compared: { not_decided: 4 }, is_changed: false, differences: [] },
    });
    const twice = await backtest(await load(hourly('0,30 * * * *')), recordApi({ applied, ticks }));
    expect(twice).toMatchObject({ compared: 8, not_compared: { not_decided: 4 }, specs: { added: 6 } });
  });

  test('has no times that are still to come', async () => {
    const applied = await load(hourly('0 9 * * *'));
    const api = recordApi({ applied });
    const report = await backtest(await load(hourly('30 * * * *')), api, { until: '2027-01-01T00:00:00Z' });
    expect(report).toMatchObject({ until: '2026-11-20T12:00:00Z', compared: 6 });
    expect(api.asked.map(({ until }) => until)).toEqual(['2026-11-20T12:00:00Z']);
  });
});

test('inputs with their contexts are asked for in small pages, and in smaller ones where those take too long', async () => {
  const hub = review({ context_sources: [{ type: 'state-hub', bind_to: 'context.hub' }], rules: [] });
  const applied = await load(hub);
  const { definition_hash } = applied;
  const events = Array.from({ length: 30 }, () =>
    eventOf('fired', [runOf({ definition_hash, context: { hub: {} } })], definition_hash),
  );
  const api = recordApi({ applied, events, mostInputs: 25 });
  expect(await backtest(applied, api)).toMatchObject({ events: 30, compared: 30, is_changed: false });
  expect(api.asked.map(({ limit }) => limit)).toEqual([100, 50, 25, 25]);
  const never = recordApi({ applied, events, mostInputs: 0 });
  await expect(backtest(applied, never)).rejects.toThrow('so many');
  expect(never.asked.at(-1)?.limit).toBe(1);
});
