import { describe, expect, test } from 'vitest';
import { loadDefinitions } from '../../src/definitions/load.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { edit, errorsOf } from '../setup/refused-definitions.ts';
import { definitionFolder, METRICS_TYPE, REVIEW } from './definition-folder.ts';

async function warningsOf(text: string): Promise<string[]> {
  await using folder = await definitionFolder({ 'review.yaml': text });
  const { warnings } = await loadDefinitions(folder.path, createResolvers());
  return warnings.map(({ code }) => code);
}

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

  const listed = edit(
    edit(REVIEW, '  - id: low\n', '  - id: low\n    for_each: \'["a"]\'\n    as: repo\n'),
    'condition: context.metrics.summary.success_rate < 0.8',
    'condition: repo == "a"',
  );
  test.each([
    ['context_sources', edit(REVIEW, 'context_sources:', 'context_source:'), 'context_source:'],
    [
      'params',
      edit(
        REVIEW,
        'type: event-payload',
        'type: static\n    parms: { value: { summary: { success_rate: 1 } } }',
      ),
      'context_sources[0].parms:',
    ],
    ['for_each', edit(edit(listed, 'for_each', 'for_eech'), '    as: repo\n', ''), 'rules[0].for_eech:'],
    ['for_each', edit(edit(listed, 'for_each', 'loop'), '    as: repo\n', ''), 'rules[0].loop:'],
    ['as', edit(listed, '    as: repo', '    ass: repo'), 'rules[0].ass:'],
    [
      'instructions',
      `id: review
title: t
owner: o
trigger: { manual: {} }
instruction: [{ id: a, prompt: p, output_schema: { type: string } }]
reports: [{ sink: working-memory, name: "{{ instructions.a }}" }]
`,
      'instruction:',
    ],
  ])('`%s` by a slip is told alone: what it declares is not known', async (_name, text, place) => {
    expect(await places(text)).toEqual([place]);
  });

  test('a misspelt filter or condition makes no warning of what it may ask for', async () => {
    const asked = edit(REVIEW, 'context.metrics.agent }}', 'context.metrics.summary.runs }}');
    const misspelt = [
      edit(asked, 'filter: event', 'filer: event'),
      edit(asked, 'condition: context', 'conditon: context'),
      edit(asked, 'condition: context', 'condition: contxt'),
      edit(asked, 'filter: event', 'filter: evnt'),
    ];
    for (const text of misspelt) expect(await warningsOf(text)).toEqual([]);
    expect(await warningsOf(asked)).toEqual(['optional_field']);
  });

  test('a source without a type hides no fault of an expression, and its params are not told as wrong', async () => {
    const text = edit(
      edit(REVIEW, '  - type: event-payload\n    bind_to', '  - params: { cadence: daily }\n    bind_to'),
      'attributes.project',
      'attributes.projekt',
    );
    expect(await places(text)).toEqual(['trigger.event.filter:', 'context_sources[0].type:']);
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
