import { describe, expect, test } from 'vitest';
import { formatError } from '../../src/definitions/errors.ts';
import { loadDefinitions } from '../../src/definitions/load.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { definitionFolder, HOURLY, METRICS_TYPE, REVIEW } from './definition-folder.ts';

const resolvers = createResolvers();

/** The errors of one folder, as people read them, with the folder's own path taken off. */
async function errorsOf(files: Record<string, string | Uint8Array>, eventTypes?: Record<string, string>) {
  await using folder = await definitionFolder(files, eventTypes);
  const result = await loadDefinitions(folder.path, resolvers);
  return result.ok ? [] : result.errors.map((error) => formatError(error).replace(`${folder.path}/`, ''));
}

/** `from` stands in the text exactly once. */
function edit(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`${from} does not stand exactly once`);
  return text.replace(from, () => to);
}

const review = (from: string, to: string) => ({ 'review.yaml': edit(REVIEW, from, to) });
const hourly = (from: string, to: string) => ({ 'hourly.yaml': edit(HOURLY, from, to) });

test('the files that the cases below break are valid', async () => {
  expect(await errorsOf({ 'review.yaml': REVIEW, 'hourly.yaml': HOURLY })).toEqual([]);
});

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

describe('faults of different kinds', () => {
  const places = async (text: string, eventTypes?: Record<string, string>) =>
    (await errorsOf({ 'review.yaml': text }, eventTypes)).map((error) => error.split(' ')[1]);

  test('a cron that is none hides neither a source that needs an event nor a misspelt variable', async () => {
    const text = `id: review
title: t
owner: o
trigger: { schedule: { cron: "0 25 * * *" } }
context_sources:
  - { type: event-payload, bind_to: context.metrics }
rules:
  - { id: a, condition: contxt.metrics.x, task: { title: t } }
`;
    expect(await places(text)).toEqual([
      'trigger.schedule.cron:',
      'context_sources[0].type:',
      'rules[0].condition:',
    ]);
  });

  test('a wrong field hides no misspelt one in an expression', async () => {
    const text = edit(
      edit(REVIEW, 'priority: medium', 'prio: medium'),
      'summary.success_rate',
      'summary.sucess',
    );
    expect(await places(text)).toEqual(['rules[0].condition:', 'rules[0].task.prio:']);
  });

  test('an unknown event type hides no fault of an expression', async () => {
    const text = edit(
      edit(REVIEW, 'metrics.recorded', 'metrics.recorde'),
      'condition: context',
      'condition: contxt',
    );
    expect(await places(text)).toEqual(['trigger.event.type:', 'rules[0].condition:']);
  });

  test('an unknown source hides none either, and what it would bind is not told as wrong', async () => {
    const text = edit(
      edit(REVIEW, 'event-payload', 'event-paylod'),
      'attributes.project',
      'attributes.projekt',
    );
    expect(await places(text)).toEqual(['trigger.event.filter:', 'context_sources[0].type:']);
  });

  test('what stands in the place of a fault is never told of', async () => {
    const text = edit(edit(REVIEW, 'id: review', 'id: Re view'), '  event:\n', '  event:\n    tpe: x\n');
    const errors = await places(
      edit(text, 'condition: context.metrics.summary.success_rate < 0.8', 'condition: 5'),
    );
    expect(errors).toEqual(['id:', 'trigger.event.tpe:', 'rules[0].condition:']);
  });

  test('an event type without an owner hides no fault of its schema', async () => {
    const type = edit(
      edit(METRICS_TYPE, 'owner: kaizen\n', ''),
      'agent: { type: string }',
      'agent: { type: strin }',
    );
    expect(await errorsOf({}, { 'kaizen.metrics.recorded.yaml': type })).toEqual([
      expect.stringContaining('owner: missing required field'),
      expect.stringContaining('attributes_schema.properties.agent.type: must be one of'),
    ]);
  });
});

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

describe('context sources', () => {
  const source = (type: string, params: string) =>
    `id: hourly\ntitle: t\nowner: o\ntrigger: { manual: {} }\ncontext_sources:\n  - type: ${type}\n    bind_to: context.x\n    params: ${params}\n`;
  test.each([
    [
      'an unknown type',
      review('event-payload', 'event-paylod'),
      'review.yaml:9:11 context_sources[0].type: unknown context source type `event-paylod`; did you mean `event-payload`?; known types:',
    ],
    [
      'a missing parameter',
      { 'hourly.yaml': source('static', '{}') },
      'hourly.yaml:8:13 context_sources[0].params.value: missing required field `value`',
    ],
    [
      'an unknown parameter',
      { 'hourly.yaml': source('static', '{ value: 1, vale: 2 }') },
      'hourly.yaml:8:25 context_sources[0].params.vale: unknown field `vale`; did you mean `value`?',
    ],
    [
      'a payload where no event comes',
      hourly('trigger:\n', 'context_sources:\n  - { type: event-payload, bind_to: context.x }\ntrigger:\n'),
      'hourly.yaml:5:13 context_sources[0].type: `event-payload` needs a trigger of `event`, `manual`, found `schedule`',
    ],
    [
      'a name outside the context',
      review('bind_to: context.metrics', 'bind_to: metrics'),
      'review.yaml:10:14 context_sources[0].bind_to: expected a name in the context, as in context.metrics, found the text `metrics`',
    ],
  ])('%s', async (_name, files, expected) => {
    const errors = await errorsOf(files);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(expected);
  });
});

describe('expressions and templates', () => {
  test.each([
    [
      'a misspelt field in a condition',
      review('summary.success_rate <', 'summary.sucess_rate <'),
      /^review\.yaml:13:\d+ rules\[0\]\.condition: .*sucess_rate/,
    ],
    [
      'a misspelt field in a filter',
      review('event.attributes.project', 'event.attributes.projekt'),
      /^review\.yaml:7:\d+ trigger\.event\.filter: .*projekt/,
    ],
    [
      'a misspelt variable',
      review('condition: context', 'condition: contxt'),
      /^review\.yaml:13:16 rules\[0\]\.condition: .*contxt/,
    ],
    [
      'a condition that is no expression',
      review('< 0.8', '<'),
      /^review\.yaml:13:\d+ rules\[0\]\.condition: /,
    ],
    [
      'a condition that is no boolean',
      review(' < 0.8', ''),
      /^review\.yaml:13:\d+ rules\[0\]\.condition: .*true or false/,
    ],
    [
      "an event's data by the name that others have for it",
      review('event.attributes.project', 'event.payload.project'),
      /trigger\.event\.filter: event has no field payload; .*did you mean attributes\?$/,
    ],
    [
      'a number in quotes',
      review('summary.success_rate < 0.8', 'summary.success_rate < "0.8"'),
      /: no such overload: double < string \(context\.metrics\.summary\.success_rate is a number \(double\), "0\.8" a text \(string\): write 0\.8, without quotes\)$/,
    ],
    [
      'an element of `for_each` by a name that nobody gave it',
      review(
        '    condition: context.metrics.summary.success_rate < 0.8',
        '    for_each: \'["a"]\'\n    condition: team == "a"',
      ),
      /unknown variable team; visible are .*; the element of `for_each` is called item, or what `as` says, as in `as: team`$/,
    ],
    [
      'an element where there is no list',
      review('condition: context.metrics.summary.success_rate < 0.8', 'condition: item == "a"'),
      /unknown variable item; visible are .*; only a rule with `for_each` has it$/,
    ],
    [
      'a template that does not end',
      review('agent }}"', 'agent }"'),
      /^review\.yaml:15:\d+ rules\[0\]\.task\.title: /,
    ],
    [
      'a misspelt field in a template',
      review('context.metrics.agent', 'context.metrics.agnt'),
      /^review\.yaml:15:\d+ rules\[0\]\.task\.title: .*agnt/,
    ],
  ])('%s', async (_name, files, expected) => {
    const errors = await errorsOf(files);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(expected);
  });

  test('an expression on an event type that is itself invalid is not told as wrong too', async () => {
    const errors = await errorsOf(
      { 'review.yaml': REVIEW },
      { 'kaizen.metrics.recorded.yaml': edit(METRICS_TYPE, 'owner: kaizen\n', '') },
    );
    expect(errors).toEqual([
      'event-types/kaizen.metrics.recorded.yaml:1:1 owner: missing required field `owner`',
      expect.stringMatching(
        /^review\.yaml:6:11 trigger\.event\.type: the event type `kaizen\.metrics\.recorded` is itself invalid: see /,
      ),
    ]);
  });
});

describe('instructions and reports', () => {
  const triage = `id: triage
title: Triage
owner: o
trigger: { manual: {} }
context_sources:
  - { type: state-hub, bind_to: context.hub }
rules:
  - { id: first, condition: "true", task: { title: T } }
instructions:
  - id: triage
    prompt: |
      Sort what follows.
      {{ context.hub.ranked }}
    output_schema:
      type: object
      properties:
        summary: { type: string }
        top: { type: array, items: { type: object, properties: { id: { type: string } } } }
    tasks:
      - for_each: output.top
        task: { title: "Look at {{ item.id }}" }
reports:
  - sink: state-hub-progress
    event_type: daily_triage
    summary: "{{ instructions.triage.summary }}"
    detail: { top: instructions.triage.top }
  - { sink: working-memory, name: "triage-{{ run.date }}" }
`;
  const broken = (from: string, to: string) => ({ 'triage.yaml': edit(triage, from, to) });

  test('the file that the cases below break is valid', async () => {
    expect(await errorsOf({ 'triage.yaml': triage })).toEqual([]);
  });

  test.each([
    [
      'a misspelt field in a prompt',
      broken('context.hub.ranked', 'context.hub.rankd'),
      /^triage\.yaml:13:22 instructions\[0\]\.prompt: .*did you mean ranked\?/,
    ],
    [
      'a misspelt field of the answer in a task',
      broken('item.id }}', 'item.idd }}'),
      /^triage\.yaml:21:41 instructions\[0\]\.tasks\[0\]\.task\.title: .*did you mean id\?/,
    ],
    [
      'a misspelt field of the answer in a template of a report',
      broken('instructions.triage.summary', 'instructions.triage.sumary'),
      /^triage\.yaml:25:38 reports\[0\]\.summary: .*did you mean summary\?/,
    ],
    [
      'a misspelt field of the answer in an expression of a report',
      broken('instructions.triage.top', 'instructions.triage.tops'),
      /^triage\.yaml:26:40 reports\[0\]\.detail\.top: .*did you mean top\?/,
    ],
    [
      'an answer that no instruction gives',
      broken('{{ instructions.triage.summary', '{{ instructions.triag.summary'),
      /^triage\.yaml:25:31 reports\[0\]\.summary: instructions has no field triag; .*did you mean triage\?/,
    ],
    [
      'a rule that wants to see an answer',
      broken('condition: "true"', 'condition: instructions.triage.summary == ""'),
      'triage.yaml:8:29 rules[0].condition: instructions is not visible here: the model is asked when the rules are decided',
    ],
    [
      'a schema with an unknown type',
      broken('summary: { type: string }', 'summary: { type: strin }'),
      /^triage\.yaml:17:26 instructions\[0\]\.output_schema\.properties\.summary\.type: must be one of .*found the text `strin`; did you mean `string`\?$/,
    ],
    [
      'a schema with an unknown keyword',
      broken('      properties:\n', '      propertys:\n'),
      /^triage\.yaml:17:9 instructions\[0\]\.output_schema\.propertys: unknown keyword `propertys`; did you mean `properties`\?$/,
    ],
    [
      'an instruction with the name of a rule',
      broken('- id: triage\n', '- id: first\n'),
      "triage.yaml:10:9 instructions[0].id: the id first is a rule's already; rules and instructions share their names",
    ],
    [
      'a sink that nobody knows',
      broken('sink: working-memory', 'sink: working-memry'),
      /^triage\.yaml:27:13 reports\[1\]\.sink: unknown report sink `working-memry`; did you mean `working-memory`\?/,
    ],
    [
      'a field that the sink does not know',
      broken('name: "triage', 'bdy: x, name: "triage'),
      /^triage\.yaml:27:29 reports\[1\]\.bdy: unknown field `bdy`; did you mean `body`\?/,
    ],
  ])('%s', async (_name, files, expected) => {
    const errors = await errorsOf(files);
    if (typeof expected === 'string') expect(errors[0]).toBe(expected);
    else expect(errors[0]).toMatch(expected);
  });

  test('a report that is wrong hides no fault of another', async () => {
    const files = {
      'triage.yaml': edit(edit(triage, 'sink: working-memory', 'sink: nowhere'), 'item.id }}', 'item.idd }}'),
    };
    expect(await errorsOf(files)).toEqual([
      expect.stringContaining('instructions[0].tasks[0].task.title'),
      expect.stringContaining('reports[1].sink: unknown report sink `nowhere`'),
    ]);
  });
});

describe('event types', () => {
  const type = (from: string, to: string) => ({
    'kaizen.metrics.recorded.yaml': edit(METRICS_TYPE, from, to),
  });
  const at = 'event-types/kaizen.metrics.recorded.yaml';
  test.each([
    [
      'a file of another name',
      { 'other.yaml': METRICS_TYPE },
      'event-types/other.yaml:1:7 type: expected the name of the file, `other`; found `kaizen.metrics.recorded`',
    ],
    [
      'a schema with an unknown type',
      type('agent: { type: string }', 'agent: { type: strin }'),
      `${at}:8:20 attributes_schema.properties.agent.type: must be one of ["array","boolean","integer","null","number","object","string"], found the text \`strin\`; did you mean \`string\`?`,
    ],
    [
      'a schema with an unknown keyword',
      type('  required: [agent, project, summary]', '  requird: [agent]'),
      `${at}:6:12 attributes_schema.requird: unknown keyword \`requird\`; did you mean \`required\`?`,
    ],
    [
      'a remote reference',
      type('project: { type: string }', 'project: { $ref: "https://example.com/p.json" }'),
      `${at}:9:22 attributes_schema.properties.project.$ref: \`https://example.com/p.json\` is not in this schema; expected a reference into it, as in \`#/$defs/name\``,
    ],
    [
      'a pattern beyond RE2',
      type('agent: { type: string }', 'agent: { type: string, pattern: "^(?=a)" }'),
      `${at}:8:37 attributes_schema.properties.agent.pattern: expected a regular expression that RE2 understands`,
    ],
    [
      'attributes that are no object',
      type('  type: object\n  required: [agent', '  type: array\n  required: [agent'),
      `${at}:5:9 attributes_schema.type: expected \`type: object\`, since attributes are an object`,
    ],
    [
      'a keyword that is only begun, by the type that it stands beside',
      type('runs: { type: integer }', 'runs: { type: integer, min: 0 }'),
      `${at}:15:37 attributes_schema.properties.summary.properties.runs.min: unknown keyword \`min\`; did you mean \`minimum\`?`,
    ],
    [
      'a keyword that is only begun, beside a type by another name',
      type('runs: { type: integer }', 'runs: { type: integer }\n        all: { min: 0 }'),
      '.all.min: unknown keyword `min`; expected one of `minimum`, `minLength`, `minItems`, `minProperties`',
    ],
    [
      'a field that says of itself that it is optional',
      type('runs: { type: integer }', 'runs: { type: integer, optional: true }'),
      'unknown keyword `optional`; a field is optional unless `required` names it: leave this out',
    ],
    [
      'a keyword of the same name as a field',
      type('project: { type: string }', 'min: { type: string, min: 1 }'),
      `${at}:9:31 attributes_schema.properties.min.min: unknown keyword \`min\`; did you mean \`minLength\`?`,
    ],
    [
      'a field that stands beside `properties`',
      type('  properties:\n    agent', '  build: { type: string }\n  properties:\n    agent'),
      `${at}:7:10 attributes_schema.build: unknown keyword \`build\`; a field of the data belongs under \`properties\``,
    ],
    [
      '`required` in a field of its own',
      type('agent: { type: string }', 'agent: { type: string, required: true }'),
      `${at}:8:38 attributes_schema.properties.agent.required: must be array, found \`true\`; \`required\` is a list of names beside \`properties\`, as in \`required: [repo]\``,
    ],
    [
      'a type by the name that another language has for it',
      type('runs: { type: integer }', 'runs: { type: int }'),
      'found the text `int`; did you mean `integer`?',
    ],
    [
      'a required field that the schema itself refuses',
      type(
        '  required: [agent, project, summary]',
        '  additionalProperties: false\n  required: [agent, projet, summary]',
      ),
      `${at}:7:21 attributes_schema.required[1]: \`projet\` is required, and \`additionalProperties: false\` refuses it because \`properties\` does not declare it: nothing can ever pass; declare it or take it out; did you mean \`project\`?`,
    ],
    [
      'no schema at all',
      { 'a.b.yaml': 'type: a.b\ntitle: t\nowner: o\n' },
      'event-types/a.b.yaml:1:1 attributes_schema: missing required field `attributes_schema`',
    ],
  ])('%s', async (_name, eventTypes, expected) => {
    const errors = await errorsOf({}, eventTypes);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(expected);
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
