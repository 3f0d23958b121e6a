import { describe, expect, test } from 'vitest';
import { edit, errorsOf } from '../setup/refused-definitions.ts';

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
