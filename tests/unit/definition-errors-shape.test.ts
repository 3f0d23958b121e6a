import { describe, expect, test } from 'vitest';
import { edit, errorsOf, hourly, review } from '../setup/refused-definitions.ts';
import { HOURLY, REVIEW } from './definition-folder.ts';

test('the files that the cases below break are valid', async () => {
  expect(await errorsOf({ 'review.yaml': REVIEW, 'hourly.yaml': HOURLY })).toEqual([]);
});

describe('the shape', () => {
  test.each([
    [
      'an unknown field',
      review('title: Review an agent', 'titel: Review an agent'),
      [
        'review.yaml:1:1 title: missing required field `title`',
        'review.yaml:2:1 titel: unknown field `titel`; did you mean `title`?',
      ],
    ],
    [
      'an unknown field deep inside',
      review('      priority: medium', '      prio: medium'),
      ['review.yaml:16:7 rules[0].task.prio: unknown field `prio`; did you mean `priority`?'],
    ],
    [
      'a missing field',
      review('owner: kaizen\n', ''),
      ['review.yaml:1:1 owner: missing required field `owner`'],
    ],
    [
      'a missing field deep inside',
      review('      title: "Review {{ context.metrics.agent }}"\n', ''),
      ['review.yaml:15:7 rules[0].task.title: missing required field `title`'],
    ],
    [
      'a wrong type',
      review('title: Review an agent', 'title: [Review]'),
      ['review.yaml:2:8 title: expected a text, found a list of 1'],
    ],
    [
      'a number where a text belongs',
      review('owner: kaizen', 'owner: 5'),
      ['review.yaml:3:8 owner: expected a text, found `5`'],
    ],
    [
      'yes, which is a text in YAML 1.2',
      review('owner: kaizen', 'owner: kaizen\nenabled: yes'),
      ['review.yaml:4:10 enabled: expected `true` or `false`, found the text `yes`'],
    ],
    [
      'nothing',
      review('title: Review an agent', 'title:'),
      ['review.yaml:2:7 title: expected a text, found nothing (null)'],
    ],
    [
      'a bad enum value',
      review('priority: medium', 'priority: hihg'),
      [
        'review.yaml:16:17 rules[0].task.priority: expected one of `low`, `medium`, `high`, `urgent`, found the text `hihg`; did you mean `high`?',
      ],
    ],
    [
      'a condition that is no text',
      review('condition: context.metrics.summary.success_rate < 0.8', 'condition: true'),
      ['review.yaml:13:16 rules[0].condition: expected a text, found `true`; write `"true"`'],
    ],
    [
      'a filter that is no text',
      review('filter: event.attributes.project != "sandbox"', 'filter: false'),
      ['review.yaml:7:13 trigger.event.filter: expected a text, found `false`; write `"false"`'],
    ],
    [
      'a rule without a condition',
      review('    condition: context.metrics.summary.success_rate < 0.8\n', ''),
      ['review.yaml:12:5 rules[0].condition: missing required field `condition`; `"true"` always holds'],
    ],
    [
      'an id that is no id',
      { 'Review.yaml': edit(REVIEW, 'id: review', 'id: Review') },
      ['Review.yaml:1:5 id: expected lower-case letters, digits and -, at most 100, found the text `Review`'],
    ],
    [
      'two rules of one name',
      review('rules:\n', 'rules:\n  - { id: low, condition: "true", task: { title: t } }\n'),
      [expect.stringMatching(/^review\.yaml:13:9 rules\[1\]\.id: .*low/)],
    ],
    [
      '`as` without `for_each`',
      review('  - id: low\n', '  - id: low\n    as: run_of\n'),
      [expect.stringMatching(/^review\.yaml:13:9 rules\[0\]\.as: .*`for_each`/)],
    ],
    [
      '`as` of a reserved name',
      review('  - id: low\n', '  - id: low\n    for_each: "[1]"\n    as: event\n'),
      [expect.stringMatching(/^review\.yaml:14:9 rules\[0\]\.as: .*event/)],
    ],
  ])('%s', async (_name, files, expected) => {
    expect(await errorsOf(files)).toEqual(expected);
  });

  test.each([
    ['repo', 'a task', '      priority: medium\n', '      repo: pilot-a\n', 'target_repo'],
    ['repo', 'a rule', '  - id: low\n', '  - id: low\n    repo: pilot-a\n', 'task.target_repo'],
    ['repo', 'the file', 'owner: kaizen\n', 'owner: kaizen\nrepo: a\n', 'rules[].task.target_repo'],
    ['event_type', 'the file', 'owner: kaizen\n', 'owner: kaizen\nevent_type: a.b\n', 'trigger.event.type'],
    ['event_type', 'the trigger', 'trigger:\n', 'trigger:\n  event_type: a.b\n', 'event.type'],
    ['cron', 'the trigger', 'trigger:\n', 'trigger:\n  cron: "15 * * * *"\n', 'schedule.cron'],
    [
      'schema',
      'an instruction',
      'rules:\n',
      'instructions: [{ id: a, prompt: p, output_schema: {}, schema: {} }]\nrules:\n',
      'output_schema',
    ],
  ])('`%s` in %s is a name that others have for a field', async (name, _place, from, to, meant) => {
    expect(await errorsOf(review(from, to))).toEqual([
      expect.stringContaining(`unknown field \`${name}\`; did you mean \`${meant}\`?`),
    ]);
  });

  test('a name that may mean several fields is answered with all that there are', async () => {
    expect(await errorsOf(review('owner: kaizen', 'owner: kaizen\nname: x'))).toEqual([
      expect.stringContaining('name: unknown field `name`; known fields: `id`, `title`, `owner`, '),
    ]);
  });

  test('every fault of every file is told at once, in the order of their places', async () => {
    const broken = edit(edit(REVIEW, 'owner: kaizen', 'owner: 5'), 'priority: medium', 'priority: hihg');
    expect(
      await errorsOf({ 'review.yaml': broken, ...hourly('title: Every hour', 'titel: x') }),
    ).toMatchObject([
      expect.stringContaining('hourly.yaml:1:1 title:'),
      expect.stringContaining('hourly.yaml:2:1 titel:'),
      expect.stringContaining('review.yaml:3:8 owner:'),
      expect.stringContaining('review.yaml:16:17 rules[0].task.priority:'),
    ]);
  });
});

describe('names', () => {
  test('an id that is not the name of its file is refused', async () => {
    expect(await errorsOf({ 'other.yaml': HOURLY })).toEqual([
      'other.yaml:1:5 id: expected the name of the file, `other`; found `hourly`',
    ]);
  });

  test('one id in two files is refused, and both are named', async () => {
    const [error, ...others] = await errorsOf({ 'hourly.yaml': HOURLY, 'hourly.yml': HOURLY });
    expect(others).toEqual([]);
    expect(error).toMatch(/^hourly\.yml:1:5 id: the id `hourly` stands in .*hourly\.yaml already$/);
  });
});
