import { describe, expect, test } from 'vitest';
import { compileExpression, createScope } from '../../src/core/expression.ts';
import { typeOfSchema } from '../../src/core/expression-types.ts';

const state = { enum: ['open', 'closed'] };
const scope = createScope({
  ev: typeOfSchema({
    type: 'object',
    properties: {
      repo: { type: 'string' },
      count: { type: 'integer' },
      state,
      labels: { type: 'array', items: { enum: ['nightly', 'slow'] } },
      steps: { type: 'array', items: { type: 'object', properties: { state } } },
    },
  }),
});

function messageOf(source: string): string {
  const compiled = compileExpression(source, scope, 'any');
  if (compiled.ok) throw new Error(`${source} compiles`);
  return compiled.problem.message;
}

describe('a name that is a value of the field beside it', () => {
  test.each([
    ['ev.state == open', "unknown variable open; a value of ev.state is a text: write 'open'"],
    ['closed != ev.state', "unknown variable closed; a value of ev.state is a text: write 'closed'"],
    ['ev.state in ["closed", open]', "unknown variable open; a value of ev.state is a text: write 'open'"],
    ['slow in ev.labels', "unknown variable slow; a value of ev.labels is a text: write 'slow'"],
    [
      'ev.repo == "a" && ev.steps.exists(s, s.state == open)',
      "unknown variable open; a value of s.state is a text: write 'open'",
    ],
  ])('is told to stand in quotes: %s', (source, message) => {
    expect(messageOf(source)).toBe(message);
  });

  test.each(['ev.repo == open', 'ev.state == opened', 'ev.state == "open" && open'])(
    'is none in %s',
    (source) => {
      expect(messageOf(source)).toMatch(/^unknown variable open(ed)?; visible are `ev`/);
    },
  );
});

describe('a filter, as the templates of other languages have them', () => {
  test.each([
    ['ev.repo | upper', 'ev.repo.upperAscii()'],
    ['ev.repo|trim|lower', 'ev.repo.trim()'],
    ['ev.steps | length', 'size(ev.steps)'],
    ['ev.labels | join(", ")', 'ev.labels.join(…)'],
    ['ev.repo | default("-")', 'has(ev.repo) ? ev.repo : …'],
  ])('%s is answered with what to write', (source, instead) => {
    expect(messageOf(source)).toContain(` (templates and expressions have no filters; write ${instead})`);
  });

  test.each([
    'ev.repo + "|" | upcase',
    'ev.count > 1 | ev.count < 5',
    'ev.repo | title',
    'ev | default("-")',
    'ev.repo | has',
    '5 | upper',
  ])('where nothing certain can be written instead, nothing is: %s', (source) => {
    expect(messageOf(source)).toContain(' (templates and expressions have no filters; or is written ||)');
  });

  test('is none inside a text', () => {
    expect(messageOf('ev.repo == "a | b" and ev.count > 1')).toContain('(write && for and');
  });
});
