import { describe, expect, test } from 'vitest';
import { edit, errorsOf } from '../setup/refused-definitions.ts';
import { METRICS_TYPE, REVIEW } from './definition-folder.ts';

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
