import { expect, test } from 'vitest';
import { ruleLines } from '../../src/cli/details.ts';
import { printDryRun } from '../../src/cli/dry-run-story.ts';
import { type DryRun, dryRunSchema } from '../../src/clients/activity-core-api-shapes.ts';
import { capturedTerminal } from '../setup/captured-cli.ts';

function storyOf(filter: DryRun['filter']): string {
  const { terminal, out } = capturedTerminal();
  const answer = dryRunSchema.parse({ context: {}, rules: [], tasks: [], errors: [], filter });
  printDryRun({ terminal }, answer, false);
  return out.join('\n');
}

const FILTER = {
  expression: 'event.attributes.stage == "live"',
  values: { 'event.attributes.stage': 'test' },
};

test('a filter that would refuse the event is told with what it read', () => {
  const story = storyOf({ ...FILTER, result: false, message: null });
  expect(story).toContain('Were this event published, no run would start: the filter says no.');
  expect(story).toContain('event.attributes.stage = "test"');
});

test('a filter that would fail is told with why', () => {
  const story = storyOf({ ...FILTER, result: null, message: 'No such key: stage' });
  expect(story).toContain('the filter fails, and so would its run: No such key: stage');
});

test('a filter that lets the event pass, and none at all, need no word', () => {
  expect(storyOf({ ...FILTER, result: true, message: null })).not.toContain('filter');
  expect(storyOf(null)).not.toContain('filter');
});

test('a rule whose list is empty is not told as a false one', () => {
  const { terminal } = capturedTerminal();
  const rule = {
    rule_id: 'each',
    expression: 'context.found',
    values: { 'context.found': [] },
    result: false,
  };
  expect(ruleLines(terminal, rule)[0]).toBe('each has an empty list to go through: context.found');
});
