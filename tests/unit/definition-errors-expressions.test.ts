import { describe, expect, test } from 'vitest';
import { edit, errorsOf, hourly, review } from '../setup/refused-definitions.ts';
import { METRICS_TYPE, REVIEW } from './definition-folder.ts';

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
      'an element by its usual name where `as` gives it another',
      review(
        '    condition: context.metrics.summary.success_rate < 0.8',
        '    for_each: \'["a"]\'\n    as: repo\n    condition: item == "a"',
      ),
      /unknown variable item; visible are .*`repo`; the element of `for_each` is called repo here, as `as` says$/,
    ],
    [
      'an element by a slip of the name that `as` gives it',
      review(
        '    condition: context.metrics.summary.success_rate < 0.8',
        '    for_each: \'["a"]\'\n    as: repo\n    condition: rep == "a"',
      ),
      /unknown variable rep; visible are .*; did you mean repo\?$/,
    ],
    [
      'a filter of other templates',
      review('context.metrics.agent }}', 'context.metrics.agent | upper }}'),
      /rules\[0\]\.task\.title: .* \(templates and expressions have no filters; write context\.metrics\.agent\.upperAscii\(\)\)$/,
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

  test('single braces are text', async () => {
    expect(await errorsOf(review('{{ context.metrics.agent }}', '{x}'))).toEqual([]);
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
