import { describe, expect, test } from 'vitest';
import { errorsOf, hourly, review } from '../setup/refused-definitions.ts';

const SCHEDULE = '  schedule:\n    cron: "15 * * * *"\n    timezone: Europe/Berlin\n';

describe('the text', () => {
  test.each([
    ['a syntax error', review('  event:', '  event: ]'), /^review\.yaml:5:10 \(file\): .*flow/i],
    ['a tab', review('  event:', '\tevent:'), /^review\.yaml:5:1 \(file\): .*tab/i],
    [
      'a duplicate key',
      review('owner: kaizen', 'owner: kaizen\ntitle: Again'),
      'review.yaml:4:1 title: the key `title` stands here a second time; it stands in line 2 already, and only one of the two can stay',
    ],
    [
      'an expression that begins with `!`',
      review(
        'condition: context.metrics.summary.success_rate < 0.8',
        'condition: !has(context.metrics.agent)',
      ),
      "review.yaml:13:16 (file): `!has(context.metrics.agent)` begins with `!`, which YAML reads as a tag; put the value in quotes, as in `'!has(context.metrics.agent)'`",
    ],
    [
      'an expression that begins with `!` and has a text in it',
      review(
        'condition: context.metrics.summary.success_rate < 0.8',
        'condition: !run.date.startsWith("2026")',
      ),
      /^review\.yaml:13:\d+ \(file\): `!run\.date\.startsWith\("2026"\)` begins with `!`, which YAML reads as a tag/,
    ],
    [
      'a cron without quotes',
      hourly('"15 * * * *"', '* * * * *'),
      /^hourly\.yaml:6:\d+ \(file\): `\* \* \* \* \*` begins with `\*`, which YAML reads as an alias; put the value in quotes/,
    ],
    [
      'a cron without quotes in braces',
      hourly(SCHEDULE, '  schedule: { cron: */5 * * * *, timezone: UTC }\n'),
      /: `\*\/5 \* \* \* \*` begins with `\*`, .* in quotes, as in `'\*\/5 \* \* \* \*'`$/,
    ],
    [
      'a cron without quotes before a comment',
      hourly('"15 * * * *"', '*/5 * * * *  # often'),
      /: `\*\/5 \* \* \* \*` begins with `\*`, .* in quotes, as in `'\*\/5 \* \* \* \*'`$/,
    ],
    [
      'an expression that begins with `!` and has a text in single quotes in it',
      review(
        'condition: context.metrics.summary.success_rate < 0.8',
        "condition: !(context.metrics.agent == 'coach')",
      ),
      /put the value in quotes, as in `"!\(context\.metrics\.agent == 'coach'\)"`$/,
    ],
    [
      'an expression that begins with a text that has an apostrophe in it',
      review(
        'condition: context.metrics.summary.success_rate < 0.8',
        `condition: "it's" in context.metrics.agent  # or not`,
      ),
      /as in `'"it''s" in context\.metrics\.agent'`, or on a line/,
    ],
    [
      'a template that begins a text in braces without quotes',
      review(
        '      title: "Review {{ context.metrics.agent }}"\n      priority: medium\n',
        '      { title: {{ context.metrics.agent }} review, priority: medium }\n',
      ),
      /: `\{\{ context\.metrics\.agent \}\} review` begins with a brace/,
    ],
    [
      'an expression that begins with `!` and a space, which YAML would drop',
      review(
        'condition: context.metrics.summary.success_rate < 0.8',
        'condition: ! (context.metrics.summary.success_rate < 0.8)',
      ),
      /^review\.yaml:13:\d+ rules\[0\]\.condition: `!` with a space behind it is a tag for YAML; put the whole value in quotes/,
    ],
    [
      'a template that begins a text without quotes',
      review('title: "Review {{ context.metrics.agent }}"', 'title: {{ context.metrics.agent }} review'),
      /^review\.yaml:15:\d+ \(file\): `\{\{ context\.metrics\.agent \}\} review` begins with a brace, .*put the whole text in quotes$/,
    ],
    [
      'an expression that begins with a text in quotes',
      review(
        'condition: context.metrics.summary.success_rate < 0.8',
        'condition: "a" in context.metrics.agent',
      ),
      /^review\.yaml:13:\d+ \(file\): something follows the closing " of a text; put the whole value in quotes, as in `'"a" in context\.metrics\.agent'`/,
    ],
    [
      'a text with a colon',
      review('title: Review an agent', 'title: Review: an agent'),
      /^review\.yaml:2:\d+ \(file\): a second `:` makes a field within this value; put a text that holds `: ` in quotes/,
    ],
    [
      'a field that is indented too far',
      review('    type: kaizen.metrics.recorded\n', '     type: kaizen.metrics.recorded\n'),
      /^review\.yaml:7:\d+ \(file\): this is indented otherwise than a field beside it; begin it at the same column/,
    ],
    [
      'a line that is no field',
      review('owner: kaizen', 'owner'),
      /^review\.yaml:\d+:\d+ \(file\): expected `name: value` here/,
    ],
    [
      'two documents',
      review('owner: kaizen', 'owner: kaizen\n---'),
      'review.yaml:4:1 (file): a second document begins here; expected one in a file',
    ],
    [
      'an empty file',
      { 'empty.yaml': '' },
      'empty.yaml:1:1 (file): the file is empty; expected a mapping of fields',
    ],
    [
      'a file of 10 MB',
      { 'big.yaml': 'a'.repeat(10_000_000) },
      'big.yaml:1:1 (file): the file is larger than the 262144 bytes allowed',
    ],
    [
      'a binary file',
      { 'binary.yaml': Uint8Array.from({ length: 512 }, (_, n) => n % 256) },
      'binary.yaml:1:1 (file): the file is not UTF-8 text',
    ],
    [
      'an alias bomb',
      {
        'bomb.yaml': Array.from(
          { length: 9 },
          (_, n) =>
            `a${n}: &a${n} [${Array(9)
              .fill(n ? `*a${n - 1}` : 'x')
              .join(', ')}]`,
        ).join('\n'),
      },
      /^bomb\.yaml:\d+:\d+ a\d.*: more than 50000 values once its aliases are expanded/,
    ],
  ])('%s', async (_name, files, expected) => {
    const errors = await errorsOf(files);
    expect(errors).toHaveLength(1);
    if (typeof expected === 'string') expect(errors[0]).toBe(expected);
    else expect(errors[0]).toMatch(expected);
  });
});
