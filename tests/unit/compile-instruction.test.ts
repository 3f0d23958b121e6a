import { expect, test } from 'vitest';
import { findSchemaProblems } from '../../src/core/compile-instruction.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createSchemaCheck } from '../../src/core/json-schema.ts';
import { compiled, type Declared, instruction, problemsOf, TRIAGE_SCHEMA } from './compiled-instruction.ts';

const rule = (overrides: JsonObject): JsonObject => ({
  id: 'r',
  condition: 'true',
  task: { title: 'T' },
  ...overrides,
});
const summary = (declared: Declared): string[] =>
  problemsOf(declared).map(({ path, message }) => `${path.join('.')}: ${message}`);

test('a compiled instruction has what a question to the model needs', () => {
  const [first] = compiled({
    instructions: [instruction({ temperature: 0.2, review_required: true })],
  }).instructions;
  expect(first).toMatchObject({
    id: 'triage',
    review_required: true,
    temperature: 0.2,
    max_tokens: 4096,
    output_schema: TRIAGE_SCHEMA,
    tasks: [],
  });
});

test('a misspelt field is found, in prompts and in tasks, each at its place', () => {
  const tasks: JsonObject[] = [
    { for_each: 'output.tops', task: { title: 'x' } },
    { for_each: 'output.top', task: { title: 'x', description: 'y {{ item.idd }}' } },
    { for_each: 'output.top', as: 'entry', task: { title: '{{ item.id }}' } },
  ];
  const prompt = 'Look at\n{{ context.v.taks }}';
  const contextTypes = { v: { type: 'object', properties: { tasks: { type: 'array' } } } };
  expect(problemsOf({ instructions: [instruction({ prompt, tasks })], contextTypes })).toEqual([
    {
      path: ['instructions', 0, 'prompt'],
      offset: prompt.indexOf('taks'),
      message: expect.stringContaining('did you mean tasks?'),
    },
    {
      path: ['instructions', 0, 'tasks', 0, 'for_each'],
      offset: 'output.'.length,
      message: expect.stringContaining('did you mean top?'),
    },
    {
      path: ['instructions', 0, 'tasks', 1, 'task', 'description'],
      offset: 'y {{ item.'.length,
      message: expect.stringContaining('did you mean id?'),
    },
    {
      path: ['instructions', 0, 'tasks', 2, 'task', 'title'],
      offset: 3,
      message: expect.stringContaining('unknown variable item'),
    },
  ]);
});

test('the types of an answer are those of its schema', () => {
  const wrong = { for_each: 'output.top.filter(t, t.rank < 2.5 && t.id == 1)', task: { title: 'x' } };
  expect(summary({ instructions: [instruction({ tasks: [wrong] })] })).toEqual([
    'instructions.0.tasks.0.for_each: t.id == 1: no such overload: string == int (t.id is a text (string), 1 a whole number (int): write "1")',
  ]);
  const list = { type: 'array', items: { type: 'string' } };
  const whole = { for_each: 'output', task: { title: '{{ item.startsWith("a") }}' } };
  expect(summary({ instructions: [instruction({ output_schema: list, tasks: [whole] })] })).toEqual([]);
});

test('a prompt sees the outputs before it, not its own and not later ones', () => {
  const asking = (id: string, other: string) =>
    instruction({ id, prompt: `{{ instructions["${other}"].summary }}` });
  expect(summary({ instructions: [instruction(), asking('second-look', 'triage')] })).toEqual([]);
  expect(summary({ instructions: [asking('a', 'a'), asking('b', 'c'), asking('c', 'b')] })).toEqual([
    'instructions.0.prompt: instructions has no field a: it declares none',
    expect.stringMatching(/^instructions\.1\.prompt: instructions has no field c; it declares `a`/),
  ]);
});

test('a prompt does not see output, and rules, filters and params see no instructions', () => {
  const instructions = [instruction({ prompt: '{{ output.summary }}' })];
  const rules = [rule({ condition: 'instructions.triage.summary == ""' })];
  expect(summary({ instructions, rules })).toEqual([
    'rules.0.condition: instructions is not visible here: the model is asked when the rules are decided',
    expect.stringMatching(/^instructions\.0\.prompt: unknown variable output; /),
  ]);
});

test('the element of a list must not hide what is visible beside it', () => {
  const tasks = ['event', 'context', 'run', 'instructions', 'output', 'list'].map((as) => ({
    for_each: 'output.top',
    as,
    task: { title: 'x' },
  }));
  const problems = summary({ instructions: [instruction({ tasks })] });
  expect(problems).toHaveLength(tasks.length);
  expect(problems[4]).toBe('instructions.0.tasks.4.as: output would hide the variable output');
});

test('rules and instructions share their names', () => {
  const instructions = [instruction({ id: 'r' }), instruction({ id: 'a' }), instruction({ id: 'a' })];
  expect(summary({ rules: [rule({})], instructions })).toEqual([
    'instructions.2.id: the instruction id a is used twice; it stands at instructions[1].id already',
    "instructions.0.id: the id r is a rule's already; rules and instructions share their names",
  ]);
});

test('an empty prompt is refused', () => {
  expect(summary({ instructions: [instruction({ prompt: ' \n' })] })).toEqual([
    'instructions.0.prompt: the prompt is empty',
  ]);
});

test('a schema that is none is a problem at its place', () => {
  const output_schema = { type: 'object', properties: { a: { type: 'strin' } } };
  const { definition } = compiled({ instructions: [instruction(), instruction({ id: 'b', output_schema })] });
  expect(findSchemaProblems(definition, createSchemaCheck())).toEqual([
    {
      path: ['instructions', 1, 'output_schema', 'properties', 'a', 'type'],
      offset: null,
      message: expect.stringContaining('found the text `strin`'),
    },
  ]);
});
