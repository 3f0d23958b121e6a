import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { compileDefinition, type Problem, renderParams } from '../../src/core/compile.ts';
import { type Definition, definitionSchema } from '../../src/core/definition.ts';
import { type EventType, eventTypeSchema } from '../../src/core/event-type.ts';
import type { JsonSchema } from '../../src/core/json.ts';

const read = (path: string): unknown =>
  parse(readFileSync(new URL(`../../definitions/${path}`, import.meta.url), 'utf8'));
const eventType = eventTypeSchema.parse(read('event-types/kaizen.metrics.recorded.yaml'));
const run = { run_id: 'r1', definition_id: 'd', scheduled_for: null, date: '2026-11-20' };

function define(overrides: Record<string, unknown>): Definition {
  return definitionSchema.parse({
    id: 'd',
    title: 'A definition',
    owner: 'o',
    trigger: { event: { type: eventType.type } },
    ...overrides,
  });
}

function rule(overrides: Record<string, unknown>): Record<string, unknown> {
  return { id: 'r', condition: 'true', task: { title: 'T' }, ...overrides };
}

function problemsOf(
  definition: Definition,
  contextTypes: Record<string, JsonSchema> = {},
  type: EventType | null = eventType,
): Problem[] {
  const result = compileDefinition(definition, { eventType: type, contextTypes, reportTexts: [] });
  return result.ok ? [] : result.problems;
}

const summary = (problems: Problem[]): string[] =>
  problems.map(({ path, message }) => `${path.join('.')}: ${message}`);

test('the shipped low-success-rate-review compiles', () => {
  const definition = definitionSchema.parse(read('low-success-rate-review.yaml'));
  expect(problemsOf(definition, { metrics: eventType.attributes_schema })).toEqual([]);
});

test('a misspelt field of the shipped definition is found, with what was probably meant', () => {
  const definition = definitionSchema.parse(read('low-success-rate-review.yaml'));
  definition.rules[0]!.condition = 'context.metrics.summary.succes_rate < 0.8';
  expect(problemsOf(definition, { metrics: eventType.attributes_schema })).toEqual([
    {
      path: ['rules', 0, 'condition'],
      offset: 'context.metrics.summary.'.length,
      message: expect.stringContaining('did you mean success_rate?'),
    },
  ]);
});

test('all problems of a document are told at once', () => {
  const definition = define({
    trigger: { event: { type: eventType.type, filter: 'event.attributes.agnt == "x"' } },
    context_sources: [{ type: 'static', bind_to: 'context.a', params: { deep: [{ text: '{{ nope }}' }] } }],
    rules: [
      rule({
        condition: 'event.attributes.agent',
        task: {
          title: '{{ evnt }} {{',
          description: '{{ 1 + }}',
          labels: ['ok', '{{ x }}'],
          dedupe_key: '{{ run.day }}',
        },
      }),
    ],
  });
  expect(problemsOf(definition).map(({ path }) => path.join('.'))).toEqual([
    'trigger.event.filter',
    'context_sources.0.params.deep.0.text',
    'rules.0.condition',
    'rules.0.task.title',
    'rules.0.task.title',
    'rules.0.task.description',
    'rules.0.task.labels.1',
    'rules.0.task.dedupe_key',
  ]);
});

test('a filter sees only the event, and says so', () => {
  const filter = 'context.metrics.agent == "x"';
  const trigger = { event: { type: eventType.type, filter } };
  const sources = [{ type: 'event-payload', bind_to: 'context.metrics' }];
  expect(summary(problemsOf(define({ trigger, context_sources: sources })))).toEqual([
    'trigger.event.filter: context is not visible here: a filter sees only `event`',
  ]);
});

test('params see event and run, not the context', () => {
  const source = { type: 'static', bind_to: 'context.a', params: { value: '{{ context.a }}' } };
  expect(summary(problemsOf(define({ context_sources: [source] })))).toEqual([
    'context_sources.0.params.value: context is not visible here: params see only `event` and `run`',
  ]);
});

test('repeated rule ids and names are told at the second', () => {
  const definition = define({
    context_sources: [
      { type: 'static', bind_to: 'context.a' },
      { type: 'static', bind_to: 'context.a' },
    ],
    rules: [rule({}), rule({ id: 'other' }), rule({})],
  });
  expect(problemsOf(definition).map(({ path, message }) => [path.join('.'), message])).toEqual([
    ['rules.2.id', 'the rule id r is used twice; it stands at rules[0].id already'],
    [
      'context_sources.1.bind_to',
      'the name context.a is used twice; it stands at context_sources[0].bind_to already',
    ],
  ]);
});

test('the element of for_each is typed by the list', () => {
  const contextTypes: Record<string, JsonSchema> = {
    repos: {
      type: 'object',
      properties: {
        runs: {
          type: 'array',
          items: { type: 'object', properties: { agent: { type: 'string' }, due: { type: 'boolean' } } },
        },
      },
    },
  };
  const context_sources = [{ type: 'x', bind_to: 'context.repos' }];
  const rules = [
    rule({
      id: 'a',
      for_each: 'context.repos.runs',
      condition: 'item.due',
      task: { title: '{{ item.agnt }}' },
    }),
    rule({ id: 'b', for_each: 'context.repos.runs.filter(r, r.due)', as: 'repo', condition: 'repo.do' }),
    rule({ id: 'c', for_each: 'context.repos.runs.map(r, r.agent)', condition: 'item == 1' }),
    rule({ id: 'd', for_each: '["a"]', condition: 'itm == "a"' }),
    rule({ id: 'e', for_each: 'context.repos', condition: 'true' }),
  ];
  const problems = summary(problemsOf(define({ context_sources, rules }), contextTypes));
  expect(problems).toEqual([
    expect.stringMatching(/rules\.0\.task\.title: item has no field agnt.*did you mean agent\?/),
    expect.stringMatching(/rules\.1\.condition: repo has no field do.*did you mean due\?/),
    'rules.2.condition: item == 1: no such overload: string == int (item is a text (string), 1 a whole number (int): write "1")',
    expect.stringMatching(/rules\.3\.condition: unknown variable itm.*did you mean item\?/),
    'rules.4.for_each: gives object; expected a list',
  ]);
});

test('a name for the element that is taken is refused, and one without for_each', () => {
  const rules = ['context', 'event', 'run', 'list', 'in'].map((as) =>
    rule({ id: as, for_each: '[1]', as, condition: 'true' }),
  );
  rules.push(rule({ id: 'alone', as: 'x' }));
  expect(problemsOf(define({ rules })).map(({ path }) => path.join('.'))).toEqual(
    [0, 1, 2, 3, 4, 5].map((i) => `rules.${i}.as`),
  );
});

test('the event of a schedule or a manual trigger is dynamic, and may be null', () => {
  const rules = [rule({ condition: 'event != null && event.attributes.anything > 1.0' })];
  for (const trigger of [{ schedule: { every: '1h' } }, { manual: {} }]) {
    expect(problemsOf(define({ trigger, rules }), {}, null)).toEqual([]);
  }
});

test('what an envelope may leave out can be compared with null', () => {
  const rules = [rule({ condition: 'event.subject == null || event.subject.startsWith("a")' })];
  expect(problemsOf(define({ rules }))).toEqual([]);
  expect(summary(problemsOf(define({ rules: [rule({ condition: 'event.typ == "x"' })] })))[0]).toContain(
    'did you mean type?',
  );
});

test('params are rendered wherever a text stands in them', () => {
  const params = {
    slug: 'x-{{ event.attributes.project }}',
    plain: 'p',
    deep: [{ on: '{{ run.date }}', n: 3, none: null }, '{{ event.attributes.summary }}'],
  };
  const definition = define({ context_sources: [{ type: 'static', bind_to: 'context.a', params }] });
  const result = compileDefinition(definition, { eventType, contextTypes: {}, reportTexts: [] });
  if (!result.ok) throw new Error(summary(result.problems).join());
  const event = { attributes: { project: '{{ run.run_id }}', summary: { runs: 2 } } };
  expect(renderParams(result.compiled.sources[0]!, { event, run })).toEqual({
    ok: true,
    params: {
      slug: 'x-{{ run.run_id }}',
      plain: 'p',
      deep: [{ on: '2026-11-20', n: 3, none: null }, '{"runs":2}'],
    },
  });
  expect(renderParams(result.compiled.sources[0]!, { event: { attributes: {} }, run })).toMatchObject({
    ok: false,
    path: 'params.slug',
    expression: 'event.attributes.project',
    message: 'event.attributes.project: No such key: project',
  });
});
