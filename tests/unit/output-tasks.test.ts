import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { type DraftedTasks, draftTasks } from '../../src/core/output-tasks.ts';
import { bindings, compiled, instruction } from './compiled-instruction.ts';

const OUTPUT: Json = {
  summary: 's',
  top: [
    { id: 'T-1', rank: 1 },
    { id: 'T-2', rank: 2 },
  ],
};

function drafted(
  tasks: JsonObject[],
  output: Json = OUTPUT,
  limit = 50,
  overrides: JsonObject = {},
): DraftedTasks {
  const [only] = compiled({ instructions: [instruction({ tasks, ...overrides })] }).instructions;
  return draftTasks(only!, bindings({ repo: 'hub' }), output, limit);
}

const each = (title: string, overrides: JsonObject = {}): JsonObject => ({
  for_each: 'output.top',
  task: { title },
  ...overrides,
});

test('each element of the answer makes a task, named after the instruction', () => {
  const template = each('{{ item.rank }}. {{ item.id }} of {{ context.v.repo }} on {{ run.date }}', {
    task: {
      title: '{{ item.rank }}. {{ item.id }} of {{ context.v.repo }} on {{ run.date }}',
      description: '{{ output.summary }} {{ instructions.triage.summary }}',
      dedupe_key: 'triage:{{ item.id }}',
    },
  });
  const result = drafted([template], OUTPUT, 50, { review_required: true });
  expect(result).toMatchObject({
    ok: true,
    wanted: 2,
    tasks: [
      {
        rule_id: 'triage',
        position: 0,
        dedupe_key: 'triage:T-1',
        review_required: true,
        spec: { title: '1. T-1 of hub on 2026-11-20', description: 's s' },
      },
      { rule_id: 'triage', position: 1, dedupe_key: 'triage:T-2', review_required: true },
    ],
  });
});

test('a second template has a name of its own, and no task has another’s identity', () => {
  const result = drafted([each('a'), each('b', { as: 'entry' }), each('c')]);
  expect(result.ok && result.tasks.map(({ rule_id, position }) => `${rule_id}/${position}`)).toEqual([
    'triage/0',
    'triage/1',
    'triage.1/0',
    'triage.1/1',
    'triage.2/0',
    'triage.2/1',
  ]);
});

test('beyond the limit tasks are counted and not rendered', () => {
  const dynamic = { output_schema: {} };
  const result = drafted([each('{{ item.missing }}')], OUTPUT, 0, dynamic);
  expect(result).toEqual({ ok: true, tasks: [], wanted: 2 });
  expect(drafted([each('{{ item.id }}')], OUTPUT, 1)).toMatchObject({ wanted: 2, tasks: [{ position: 0 }] });
});

test('an instruction without tasks drafts none', () => {
  expect(drafted([])).toEqual({ ok: true, tasks: [], wanted: 0 });
});

test('an error names the instruction, the template, what it read and the element', () => {
  const output: Json = { top: [{ id: 'T-1' }, { rank: 2 }] };
  const result = drafted([each('x'), each('{{ item.id }}')], output, 50, { output_schema: {} });
  expect(result).toEqual({
    ok: false,
    error: {
      code: 'rule_error',
      message: 'instruction triage, tasks[1].task.title: item.id: No such key: id',
      details: {
        instruction_id: 'triage',
        path: 'tasks[1].task.title',
        expression: 'item.id',
        values: { 'item.id': '(missing)' },
        position: 1,
        item: { rank: 2 },
      },
    },
  });
});

test('a list that is none is an error too', () => {
  expect(drafted([each('x')], { top: 'T-1' }, 50, { output_schema: {} })).toMatchObject({
    ok: false,
    error: {
      code: 'rule_error',
      message: 'instruction triage, tasks[0].for_each: output.top: expected a list, found the text `T-1`',
      details: { path: 'tasks[0].for_each', expression: 'output.top', values: { 'output.top': 'T-1' } },
    },
  });
});

test('nothing in an answer is evaluated', () => {
  const hostile = fc
    .array(fc.constantFrom('{{ run.run_id }}', '{{', '}}', '../', '$', '{run}', '"', 'a', '\\'))
    .map((pieces) => `x${pieces.join('')}`);
  fc.assert(
    fc.property(hostile, (id) => {
      const result = drafted([each('{{ item.id }}')], { summary: '', top: [{ id, rank: 1 }] });
      expect(result.ok && result.tasks[0]?.spec.title).toBe(id);
    }),
  );
});
