import { describe, expect, test } from 'vitest';
import { compileExpression, createScope } from '../../src/core/expression.ts';
import { DYN, typeOfSchema } from '../../src/core/expression-types.ts';
import type { JsonSchema } from '../../src/core/json.ts';

const build: JsonSchema = {
  type: 'object',
  required: ['repo', 'state', 'steps', 'extra', 'tiers'],
  additionalProperties: false,
  properties: {
    repo: { type: 'string' },
    state: { enum: ['open', 'closed'] },
    level: { type: 'integer', enum: [1, 2, 3] },
    kind: { const: 'build' },
    note: { type: 'string' },
    failures: { type: 'integer' },
    'a-b': { type: 'string' },
    labels: { type: 'array', items: { enum: ['nightly', 'slow'] } },
    who: {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' }, mail: { type: 'string' } },
    },
    steps: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, seconds: { type: 'number' }, ok: { type: 'boolean' } },
      },
    },
    extra: { type: 'object', additionalProperties: true },
    tiers: { type: 'object', additionalProperties: { enum: ['gold', 'silver'] } },
  },
};
const scope = createScope({ ev: typeOfSchema(build), c: DYN, event: DYN }, { nullable: new Set(['event']) });

function warningsOf(source: string, seen = scope): string[] {
  const compiled = compileExpression(source, seen, 'any');
  if (!compiled.ok) throw new Error(`${source}: ${compiled.problem.message}`);
  return compiled.warnings.map(({ warning, offset }) => `${warning} ${source.slice(offset)}`);
}

function messageOf(source: string): string {
  const compiled = compileExpression(source, scope, 'any');
  if (!compiled.ok || compiled.warnings.length !== 1) throw new Error(`${source} has not one warning`);
  return compiled.warnings[0]!.message;
}

describe('a field that its schema does not require', () => {
  test.each([
    'ev.note == "x"',
    'ev.failures > 3',
    'ev.repo == "a" && ev.failures > 3',
    'ev.failures > 3 && has(ev.failures)',
    'has(ev.failures) || ev.failures > 3',
    '!has(ev.failures) && ev.failures > 3',
    'has(ev.note) && ev.failures > 3',
    'has(ev.failures) ? 0 : ev.failures',
    'ev["a-b"] == "x"',
    'has(ev.who.mail)',
    'has(ev.who) && ev.who.mail == "x"',
    'ev.steps.exists(s, !s.ok)',
    'ev.steps.filter(s, has(s.ok)).map(s, s.seconds)',
    'ev.steps[0].seconds > 1.0',
    'ev.steps.exists(s, has(s.ok)) && ev.steps[0].ok',
    'size(ev.labels) > 0',
    '{"f": ev.failures}.f == 3',
    'string(ev.failures)',
    'ev.failures > 3 && ev.failures < 9',
    'cel.bind(n, ev.failures, n > 3)',
    'cel.bind(n, ev.failures, n > 3) && ev.failures < 9',
    'ev.steps.all(ev, has(ev.ok)) && ev.note == ""',
  ])('is told once where it is read unasked: %s', (source) => {
    expect(warningsOf(source)).toEqual([expect.stringMatching(/^optional_field /)]);
  });

  test.each([
    'ev.repo == "x"',
    'has(ev.note)',
    'has(ev.failures) && ev.failures > 3',
    'has(ev.failures) && has(ev.note) && ev.failures > size(ev.note)',
    '!has(ev.failures) || ev.failures > 3',
    '!(has(ev.failures) && ev.failures > 3)',
    '!(!has(ev.failures) || ev.failures < 3)',
    'has(ev.failures) ? ev.failures > 3 : false',
    '!has(ev.failures) ? false : ev.failures > 3',
    '(has(ev.failures) ? true : false) && ev.failures > 3',
    'has(ev.failures) == true && ev.failures > 3',
    'has(ev.failures) != false && ev.failures > 3',
    '"failures" in ev && ev.failures > 3',
    '"a-b" in ev && ev["a-b"] == "x"',
    'has(ev.who) && has(ev.who.mail) && ev.who.mail == "x"',
    'has(ev.who) && ev.who.name == "x"',
    'ev.steps.exists(s, has(s.ok) && !s.ok)',
    'ev.steps.all(s, has(s.ok)) && ev.steps.exists(s, !s.ok)',
    '!ev.steps.exists(s, !has(s.ok)) && ev.steps[0].ok',
    'ev.steps.filter(s, has(s.ok)).exists(s, !s.ok)',
    'ev.steps.filter(s, has(s.seconds)).map(s, s.seconds)',
    'ev.steps.map(s, has(s.seconds), s.seconds)',
    'ev.steps.filter(s, has(s.seconds))[0].seconds > 1.0',
    'ev.steps.filter(s, has(s.ok)).map(s, {"ok": s.ok})[0].ok',
    'cel.bind(known, has(ev.failures), known && ev.failures > 3)',
    'cel.bind(w, ev.steps, w[0].name == "x")',
    'has(ev.failures) && [1, 2].exists(n, n == ev.failures)',
    'true || ev.failures > 3',
    'c.anything.at.all == 3',
    'ev.extra.anything == 3',
    '[{"note": "x"}].exists(ev, ev.note == "x")',
  ])('is not told where it is asked for: %s', (source) => {
    expect(warningsOf(source)).toEqual([]);
  });

  test('stands at its place, with what to write', () => {
    expect(warningsOf('ev.repo == "x" && ev.failures > 3')).toEqual(['optional_field ev.failures > 3']);
    expect(messageOf('ev.failures > 3')).toBe(
      'ev.failures may be missing, since its schema does not require `failures`: without it this expression fails, and the run with it; write `has(ev.failures) && …`, or `has(ev.failures) ? ev.failures : …` for a value instead',
    );
  });

  test('an empty list can stand for a list', () => {
    expect(messageOf('size(ev.labels) > 0')).toContain('`has(ev.labels) ? ev.labels : []`');
    expect(warningsOf('size(has(ev.labels) ? ev.labels : []) > 0')).toEqual([]);
  });

  test('is asked for by its key where `has` cannot ask', () => {
    expect(messageOf('ev["a-b"] == "x"')).toContain('write `"a-b" in ev && …`');
    expect(messageOf('ev.steps[0].ok')).toContain('write `"ok" in ev.steps[0] && …`');
  });

  test('what is written to ask for it is CEL, and silences the warning', () => {
    for (const source of ['ev.failures > 3', 'ev["a-b"] == "x"', 'ev.steps[0].ok == true']) {
      const question = /write `(.*?) && …`/.exec(messageOf(source))?.[1];
      expect(warningsOf(`${question} && ${source}`)).toEqual([]);
    }
  });

  test('is one that no part of the schema requires', () => {
    const optionalOf = (schema: JsonSchema) => {
      const type = typeOfSchema(schema);
      return type.kind === 'object' ? [...(type.optional ?? [])] : [];
    };
    const properties = { a: { type: 'string' }, b: { type: 'string' }, c: { type: 'string' } };
    expect(optionalOf({ properties })).toEqual(['a', 'b', 'c']);
    expect(optionalOf({ properties, required: ['a'], allOf: [{ required: ['b'] }] })).toEqual(['c']);
    // biome-ignore lint/suspicious/noThenProperty: a JSON Schema keyword
    expect(optionalOf({ properties, if: { required: ['a'] }, then: { required: ['b'] } })).toEqual([
      'a',
      'c',
    ]);
    expect(optionalOf({ properties, dependentRequired: { a: ['b', 'c'] } })).toEqual(['a']);
  });

  test.each<[string, JsonSchema & object]>([
    ['allOf', { allOf: [{ properties: { summary: { required: ['rate'] } } }] }],
    ['anyOf inside allOf', { allOf: [{ anyOf: [{ properties: { summary: { required: ['rate'] } } }] }] }],
    ['allOf inside a member', { allOf: [{ properties: { summary: { allOf: [{ required: ['rate'] }] } } }] }],
    // biome-ignore lint/suspicious/noThenProperty: a JSON Schema keyword
    ['then', { if: { required: ['summary'] }, then: { properties: { summary: { required: ['rate'] } } } }],
  ])('is none where `%s` requires it of what the object holds', (_name, combiner) => {
    const summary: JsonSchema & object = {
      type: 'object',
      properties: { rate: { type: 'number' }, runs: { type: 'integer' } },
    };
    const inline = { type: 'object', required: ['summary'], properties: { summary }, ...combiner };
    const referring = { ...inline, $defs: { summary }, properties: { summary: { $ref: '#/$defs/summary' } } };
    for (const schema of [inline, referring] as JsonSchema[]) {
      const nested = createScope({ ev: typeOfSchema(schema) });
      expect(warningsOf('ev.summary.rate > 1.0', nested)).toEqual([]);
      expect(warningsOf('ev.summary.runs > 1', nested)).toEqual(['optional_field ev.summary.runs > 1']);
    }
  });

  test('is none where a combiner requires it deeper down, in lists too, or a reference does', () => {
    const step = { type: 'object', properties: { ok: { type: 'boolean' } } };
    const steps = { type: 'array', items: step };
    const job = { type: 'object', required: ['steps'], properties: { steps } };
    const schema: JsonSchema = {
      $defs: { step },
      type: 'object',
      required: ['job', 'last'],
      properties: { job, last: { $ref: '#/$defs/step', required: ['ok'] } },
      allOf: [{ properties: { job: { properties: { steps: { items: { required: ['ok'] } } } } } }],
    };
    const nested = createScope({ ev: typeOfSchema(schema) });
    expect(warningsOf('ev.job.steps.all(s, s.ok) && ev.last.ok', nested)).toEqual([]);
  });
});

describe('a variable that is null in scheduled runs', () => {
  test.each(['event.type == "x"', 'event.attributes.x', 'has(event.attributes.x)'])('%s', (source) => {
    expect(warningsOf(source)).toEqual([`no_event ${source.replace(/^has\(/, '')}`]);
  });

  test.each([
    'event == null || event.type == "x"',
    'event != null && event.type == "x"',
    'event != null ? event.type : ""',
  ])('is not told where it is asked for: %s', (source) => {
    expect(warningsOf(source)).toEqual([]);
  });
});

describe('a value that the schema does not allow', () => {
  test.each([
    [
      'ev.state == "opne"',
      'this is never true: by its schema ev.state is one of `open`, `closed`, and never "opne"; did you mean `open`?',
    ],
    [
      '"done" == ev.state',
      'this is never true: by its schema ev.state is one of `open`, `closed`, and never "done"',
    ],
    [
      'ev.state != "close"',
      'this is always true: by its schema ev.state is one of `open`, `closed`, and never "close"; did you mean `closed`?',
    ],
    [
      'ev.state in ["open", "done"]',
      '"done" stands here in vain: by its schema ev.state is one of `open`, `closed`, and never "done"',
    ],
    [
      'has(ev.level) && ev.level == 4',
      'this is never true: by its schema ev.level is one of `1`, `2`, `3`, and never 4',
    ],
    [
      'has(ev.kind) && ev.kind == "biuld"',
      'this is never true: by its schema ev.kind is `build`, and never "biuld"; did you mean `build`?',
    ],
    [
      'has(ev.labels) && "slwo" in ev.labels',
      'this is never true: by its schema ev.labels is one of `nightly`, `slow`, and never "slwo"; did you mean `slow`?',
    ],
    [
      'has(ev.labels) && ev.labels.exists(l, l == "fast")',
      'this is never true: by its schema l is one of `nightly`, `slow`, and never "fast"',
    ],
    [
      'ev.tiers["pilot-a"] == "gild"',
      'this is never true: by its schema ev.tiers["pilot-a"] is one of `gold`, `silver`, and never "gild"; did you mean `gold`?',
    ],
    [
      'ev.tiers.exists(name, ev.tiers[name] == "bronze")',
      'this is never true: by its schema ev.tiers[name] is one of `gold`, `silver`, and never "bronze"',
    ],
  ])('%s', (source, message) => {
    expect(messageOf(source)).toBe(message);
  });

  test.each([
    'ev.state == "open"',
    'ev.state in ["open", "closed"]',
    'has(ev.level) && ev.level == 2',
    'ev.repo == "anything"',
    'has(ev.labels) && "slow" in ev.labels',
    'ev.state == ev.repo',
    '"pilot-a" in ev.tiers',
    'ev.tiers.exists(name, name == "pilot-a")',
    'ev.tiers.all(name, name != "pilot-a")',
    'ev.tiers.exists_one(name, name in ["pilot-a", "pilot-b"])',
    'ev.tiers.filter(name, name != "pilot-a").exists(name, name == "pilot-b")',
    'ev.tiers.map(name, name == "pilot-a")',
    'ev.tiers.exists(name, ev.tiers[name] == "gold")',
  ])('is not told where it is allowed: %s', (source) => {
    expect(warningsOf(source)).toEqual([]);
  });
});
