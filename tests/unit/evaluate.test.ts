import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type CompiledDefinition, compileDefinition } from '../../src/core/compile.ts';
import type { Bindings, Decision } from '../../src/core/decision.ts';
import { definitionSchema } from '../../src/core/definition.ts';
import { evaluate } from '../../src/core/evaluate.ts';
import { eventTypeSchema } from '../../src/core/event-type.ts';
import type { JsonObject } from '../../src/core/json.ts';

const read = (path: string): unknown =>
  parse(readFileSync(new URL(`../../definitions/${path}`, import.meta.url), 'utf8'));
const eventType = eventTypeSchema.parse(read('event-types/kaizen.metrics.recorded.yaml'));
const run = { run_id: 'r1', definition_id: 'd', scheduled_for: null, date: '2026-11-20' };

const shipped = compiled(definitionSchema.parse(read('low-success-rate-review.yaml')));

function compiled(definition: Parameters<typeof compileDefinition>[0]): CompiledDefinition {
  const contextTypes = { metrics: eventType.attributes_schema };
  const result = compileDefinition(definition, { eventType, contextTypes, reportTexts: [] });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.compiled;
}

function review(attributes: JsonObject): Decision {
  return evaluate(shipped, { event: { attributes }, context: { metrics: attributes }, run });
}

function rule(overrides: Record<string, unknown>): Record<string, unknown> {
  return { id: 'r', condition: 'true', task: { title: 'T' }, ...overrides };
}

function decide(rules: Record<string, unknown>[], data: JsonObject = {}, limits: JsonObject = {}): Decision {
  const definition = definitionSchema.parse({
    id: 'd',
    title: 'T',
    owner: 'o',
    trigger: { schedule: { every: '1h' } },
    context_sources: [{ type: 'static', bind_to: 'context.data' }],
    rules,
    limits,
  });
  return evaluate(compiled(definition), { event: null, context: { data }, run });
}

describe('the shipped low-success-rate-review', () => {
  test('asks for a review where the success rate is low', () => {
    const attributes = {
      agent: 'coach',
      project: 'kaizen-agentic',
      summary: { success_rate: 0.62, runs: 12 },
    };
    expect(review(attributes)).toEqual({
      rules: [
        {
          rule_id: 'low-success-rate',
          expression: 'context.metrics.summary.success_rate < 0.8',
          values: { 'context.metrics.summary.success_rate': 0.62 },
          result: true,
        },
      ],
      tasks: [
        {
          rule_id: 'low-success-rate',
          position: 0,
          dedupe_key: 'low-success-rate:kaizen-agentic:coach',
          spec: {
            title: 'Review coach in kaizen-agentic',
            description: 'Success rate 0.62',
            labels: ['kaizen', 'quality'],
            priority: 'medium',
            target_repo: 'kaizen-agentic',
            dedupe_key: 'low-success-rate:kaizen-agentic:coach',
          },
        },
      ],
      error: null,
    });
  });

  test('asks for nothing where it is not', () => {
    const decision = review({ agent: 'coach', project: 'p', summary: { success_rate: 0.8 } });
    expect(decision).toMatchObject({ rules: [{ result: false }], tasks: [], error: null });
  });

  test('fails loudly where the rate is missing', () => {
    expect(review({ agent: 'coach', project: 'p', summary: {} })).toEqual({
      rules: [
        {
          rule_id: 'low-success-rate',
          expression: 'context.metrics.summary.success_rate < 0.8',
          values: { 'context.metrics.summary.success_rate': '(missing)' },
          result: null,
        },
      ],
      tasks: [],
      error: {
        code: 'rule_error',
        message:
          'rule low-success-rate, condition: context.metrics.summary.success_rate: No such key: success_rate',
        details: {
          rule_id: 'low-success-rate',
          path: 'condition',
          expression: 'context.metrics.summary.success_rate < 0.8',
          values: { 'context.metrics.summary.success_rate': '(missing)' },
        },
      },
    });
  });

  test('renders any agent and project as they are', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.constantFrom('{{ run.run_id }}', '" + run.run_id + "', "'\\", '}}', '{{', '$', '\\u0041'),
    );
    fc.assert(
      fc.property(text, text, (agent, project) => {
        const both = agent + project;
        fc.pre(!/\s/.test(both) && !both.includes('\u0000') && both.isWellFormed());
        const { tasks } = review({ agent, project, summary: { success_rate: 0.1 } });
        expect(tasks[0]?.spec.title).toBe(`Review ${agent} in ${project}`);
        expect(tasks[0]?.dedupe_key).toBe(`low-success-rate:${project}:${agent}`);
      }),
    );
  });

  test('decides the same for the same input, and leaves the input alone', () => {
    const attributes = fc.record({
      agent: fc.string(),
      project: fc.string(),
      summary: fc.record({ success_rate: fc.double({ noNaN: true, min: 0, max: 1 }), runs: fc.nat() }),
    });
    fc.assert(
      fc.property(attributes, (given) => {
        const bindings: Bindings = {
          event: { attributes: given },
          context: { metrics: structuredClone(given) },
          run,
        };
        const before = structuredClone(bindings);
        const decision = evaluate(shipped, bindings);
        expect(evaluate(shipped, structuredClone(before))).toEqual(decision);
        expect(bindings).toEqual(before);
      }),
    );
  });
});

describe('for_each', () => {
  const data = {
    runs: [
      { agent: 'a', due: true },
      { agent: 'b', due: false },
      { agent: 'c', due: true },
    ],
  };

  test('evaluates the rule for each element, in order', () => {
    const decision = decide(
      [
        rule({
          for_each: 'context.data.runs',
          as: 'repo',
          condition: 'repo.due',
          task: { title: 'Run {{ repo.agent }}' },
        }),
      ],
      data,
    );
    expect(decision.rules.map(({ item, as, values, result }) => [item, as, values, result])).toEqual([
      [data.runs[0], 'repo', { 'repo.due': true }, true],
      [data.runs[1], 'repo', { 'repo.due': false }, false],
      [data.runs[2], 'repo', { 'repo.due': true }, true],
    ]);
    expect(decision.tasks.map(({ position, spec }) => [position, spec.title])).toEqual([
      [0, 'Run a'],
      [2, 'Run c'],
    ]);
  });

  test('over an empty list leaves a trace of the list', () => {
    expect(decide([rule({ for_each: 'context.data.runs' })], { runs: [] }).rules).toEqual([
      { rule_id: 'r', expression: 'context.data.runs', values: { 'context.data.runs': [] }, result: false },
    ]);
  });

  test('over what is no list fails', () => {
    expect(decide([rule({ for_each: 'context.data.runs' })], { runs: { a: 1 } })).toMatchObject({
      rules: [{ expression: 'context.data.runs', result: null }],
      error: {
        code: 'rule_error',
        message: 'rule r, for_each: context.data.runs: expected a list, found a mapping',
        details: { path: 'for_each' },
      },
    });
  });

  test('stops at the first element that fails, and keeps the traces so far', () => {
    const decision = decide([rule({ for_each: 'context.data.l', condition: 'item.ok' })], {
      l: [{ ok: true }, {}, { ok: true }],
    });
    expect(decision.rules.map(({ result }) => result)).toEqual([true, null]);
    expect(decision.tasks).toEqual([]);
    expect(decision.error?.details).toMatchObject({
      path: 'condition',
      position: 1,
      item: {},
      values: { 'item.ok': '(missing)' },
    });
  });

  test('over a huge list keeps the first thousand traces, each that held, and a count', () => {
    const l = Array.from({ length: 5000 }, (_, i) => i);
    const { rules, tasks } = decide([rule({ for_each: 'context.data.l', condition: 'item == 4000' })], { l });
    expect(rules).toHaveLength(1002);
    expect(rules[1000]).toMatchObject({ item: 4000, result: true });
    expect(rules[1001]).toMatchObject({ values: { '(left out)': 3999 }, result: false });
    expect(tasks.map(({ position }) => position)).toEqual([4000]);
  });
});

describe('errors', () => {
  test('a failing template keeps the true condition and adds its own trace', () => {
    const rules = [
      rule({ id: 'fine' }),
      rule({ id: 'bad', task: { title: 'T', labels: ['a', '{{ context.data.x }}'] } }),
      rule({ id: 'never' }),
    ];
    expect(decide(rules)).toEqual({
      rules: [
        { rule_id: 'fine', expression: 'true', values: {}, result: true },
        { rule_id: 'bad', expression: 'true', values: {}, result: true },
        {
          rule_id: 'bad',
          expression: 'context.data.x',
          values: { 'context.data.x': '(missing)' },
          result: null,
        },
      ],
      tasks: [],
      error: {
        code: 'rule_error',
        message: 'rule bad, task.labels[1]: context.data.x: No such key: x',
        details: {
          rule_id: 'bad',
          path: 'task.labels[1]',
          expression: 'context.data.x',
          values: { 'context.data.x': '(missing)' },
        },
      },
    });
  });

  test('more tasks than the run may make is an error that tells how many', () => {
    const rules = [rule({ for_each: 'context.data.l' })];
    expect(decide(rules, { l: [1, 2, 3] }, { max_tasks_per_run: 2 })).toMatchObject({
      tasks: [],
      error: { code: 'task_limit_exceeded', details: { limit: 2, wanted: 3 } },
    });
    expect(decide(rules, { l: [1, 2] }, { max_tasks_per_run: 2 }).tasks).toHaveLength(2);
  });

  test('a text that cannot be stored is an error', () => {
    const decision = decide([rule({ task: { title: 'a{{ "\\u0000" }}' } })]);
    expect(decision.error?.message).toContain('U+0000');
  });

  test('an empty title, an empty key and a key that is too long are errors', () => {
    for (const task of [
      { title: '{{ context.data.e }} ' },
      { title: 'T', dedupe_key: '{{ context.data.e }}' },
      { title: 'T', dedupe_key: '{{ context.data.long }}' },
      { title: 'T', target_repo: '{{ context.data.long }}' },
    ]) {
      const decision = decide([rule({ task })], { e: '', long: 'x'.repeat(501) });
      expect(decision.error, JSON.stringify(task)).toMatchObject({ code: 'rule_error' });
    }
  });
});

describe('a task', () => {
  const specOf = (task: JsonObject, data: JsonObject) => decide([rule({ task })], data).tasks[0]?.spec;

  test('has single-line names, and a text as it was written', () => {
    expect(
      specOf(
        {
          title: ' {{ context.data.t }} ',
          description: '{{ context.data.t }}\n',
          labels: ['{{ context.data.t }}', 'x y', ' ', 'x  y'],
          target_repo: ' {{ context.data.e }} ',
        },
        { t: 'a\n  b', e: '' },
      ),
    ).toEqual({
      title: 'a b',
      description: 'a\n  b\n',
      labels: ['a b', 'x y'],
      priority: 'medium',
      target_repo: null,
      dedupe_key: null,
    });
  });

  test('has a title and a description of bounded length', () => {
    const spec = specOf(
      { title: '{{ context.data.t }}', description: '{{ context.data.t }}' },
      { t: '😀'.repeat(40_000) },
    );
    expect(spec?.title).toHaveLength(499);
    expect(spec?.title.endsWith('😀…')).toBe(true);
    expect(spec?.description.isWellFormed()).toBe(true);
    expect(spec?.description.length).toBeLessThanOrEqual(65_536);
  });

  test('may share its dedupe_key with another of the run', () => {
    const task = { title: 'T', dedupe_key: 'k' };
    expect(decide([rule({ id: 'a', task }), rule({ id: 'b', task })]).tasks).toHaveLength(2);
  });
});
