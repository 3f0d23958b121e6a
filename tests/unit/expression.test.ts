import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compileExpression,
  createScope,
  type Evaluation,
  type Expected,
  variableNameProblem,
} from '../../src/core/expression.ts';
import { DYN, typeOfSchema } from '../../src/core/expression-types.ts';
import type { Json } from '../../src/core/json.ts';

const attributes = typeOfSchema({
  type: 'object',
  properties: {
    runs: { type: 'integer' },
    rate: { type: 'number' },
    agent: { type: 'string' },
    failed: { type: 'boolean' },
    'a-b': { type: 'string' },
    list: {
      type: 'array',
      items: {
        type: 'object',
        properties: { due: { type: 'boolean' }, n: { type: 'integer' }, name: { type: 'string' } },
      },
    },
    open: { type: 'object', additionalProperties: true, properties: { known: { type: 'integer' } } },
    counts: { type: 'object', additionalProperties: { type: 'integer' } },
    maybe: { type: ['string', 'null'] },
  },
});
const scope = createScope({
  event: { kind: 'object', fields: new Map([['attributes', attributes]]), rest: null },
  context: { kind: 'object', fields: new Map([['metrics', DYN]]), rest: null },
  free: DYN,
});
const values: Record<string, Json> = {
  runs: 7,
  rate: 0.5,
  agent: 'coach',
  failed: false,
  'a-b': 'dashed',
  list: [
    { due: true, n: 1, name: 'one' },
    { due: false, n: 2, name: 'two' },
  ],
  open: { known: 3, other: 4 },
  counts: { ok: 5 },
  maybe: null,
};

function evaluate(source: string, free: Json = null, expected: Expected = 'any'): Evaluation {
  const compiled = compileExpression(source, scope, expected);
  if (!compiled.ok) throw new Error(`${source}: ${compiled.problem.message}`);
  return compiled.expression.evaluate(
    scope.bind({ event: { attributes: values }, context: { metrics: free }, free }),
  );
}

function resultOf(source: string, free: Json = null): Json {
  const evaluation = evaluate(source, free);
  if (!evaluation.ok) throw new Error(evaluation.message);
  return evaluation.value;
}

function messageOf(source: string, free: Json = null, expected: Expected = 'any'): string {
  const evaluation = evaluate(source, free, expected);
  return evaluation.ok ? `gave ${JSON.stringify(evaluation.value)}` : evaluation.message;
}

function problemOf(source: string, expected: Expected = 'any') {
  const compiled = compileExpression(source, scope, expected);
  if (compiled.ok) throw new Error(`${source} compiled`);
  return compiled.problem;
}

describe('numbers', () => {
  test('an integer of the schema is an int', () => {
    expect(resultOf('event.attributes.runs + 1')).toBe(8);
    expect(resultOf('event.attributes.runs / 2')).toBe(3);
    expect(resultOf('event.attributes.runs == 7')).toBe(true);
  });

  test('a number of the schema is a double', () => {
    expect(resultOf('event.attributes.rate * 2.0')).toBe(1);
    expect(problemOf('event.attributes.rate * 2').message).toContain('double * int');
    expect(problemOf('event.attributes.rate * 2').message).toContain('write 2.0');
  });

  test('an undeclared number of an open object is a double, a declared one is what it says', () => {
    expect(resultOf('event.attributes.open.other + 1.0')).toBe(5);
    expect(resultOf('event.attributes.open.known + 1')).toBe(4);
    expect(messageOf('event.attributes.open.other + 1')).toBe(
      'event.attributes.open.other + 1: no such overload: double + int',
    );
    expect(resultOf('event.attributes.counts.ok + 1')).toBe(6);
  });

  test('a dynamic number can be compared with an int literal', () => {
    expect(resultOf('free == 3', 3)).toBe(true);
    expect(resultOf('free in [1, 2, 3]', 3)).toBe(true);
    expect(resultOf('free > 2', 3)).toBe(true);
  });
});

describe('what does not fit together', () => {
  test.each([
    [
      'event.attributes.agent == 3',
      'event.attributes.agent is a text (string), 3 a whole number (int): write "3"',
    ],
    [
      'event.attributes.runs == "3"',
      'event.attributes.runs is a whole number (int), "3" a text (string): write 3, without',
    ],
    ['event.attributes.rate > "3"', 'write 3.0, without quotes'],
    ['event.attributes.failed == "true"', '"true" a text (string): write true, without quotes'],
    ['event.attributes.agent + event.attributes.runs', 'write string(event.attributes.runs)'],
    ['"a" in event.attributes.agent', 'write event.attributes.agent.contains("a")'],
    ['event.attributes.agent == null', 'where it may be missing, ask with has(…)'],
    ['event.attributes.agent == event.attributes.list', 'event.attributes.list a list)'],
  ])('says which side is what, and what to write: %s', (source, hint) => {
    expect(problemOf(source).message).toContain(hint);
  });

  test.each([
    ['event.attributes.agent.lower() == "a"', 'did you mean lowerAscii?'],
    ['len(event.attributes.agent) > 3', 'did you mean size?'],
    ['event.attributes.agent.startswith("a")', 'did you mean startsWith?'],
  ])('names the function that is meant: %s', (source, hint) => {
    expect(problemOf(source).message).toContain(hint);
  });
});

describe('what other languages write', () => {
  test.each([
    ['event.attributes.rate > 0.5 and event.attributes.rate < 0.8', '&& for and'],
    ['not event.attributes.flag', '! for not'],
    ['event.attributes.agent = "coach"', 'write == to compare'],
    ['{{ event.attributes.rate }} > 0.5', 'leave out {{ }}'],
  ])('is a problem that says how it is written here: %s', (source, hint) => {
    expect(problemOf(source).message).toContain(hint);
  });

  test('is not looked for in texts, nor where another fault is', () => {
    expect(problemOf('event.attributes.agent == "this and = that" !').message).not.toContain('(');
  });
});

describe('fields that the schema does not declare', () => {
  test('are a problem that suggests the nearest one, at its place', () => {
    const problem = problemOf('1 > 0 && event.attributes.rat > 0.5');
    expect(problem.message).toContain('event.attributes has no field rat');
    expect(problem.message).toContain('did you mean rate?');
    expect(problem.offset).toBe('1 > 0 && event.attributes.'.length);
  });

  test('are a problem inside has(), in macros and by index too', () => {
    expect(problemOf('has(event.attributes.agents)').message).toContain('did you mean agent?');
    expect(problemOf('event.attributes.list.exists(x, has(x.dew))').message).toContain('did you mean due?');
    expect(problemOf('event.attributes.list[0].nam').message).toContain('did you mean name?');
    expect(problemOf('event.attributes["agnt"]').message).toContain('did you mean agent?');
  });

  test('are fine where the object says that there are others', () => {
    expect(resultOf('has(event.attributes.open.absent)')).toBe(false);
    expect(resultOf('has(event.attributes.open.other)')).toBe(true);
  });

  test('names that are no identifiers are read by index, and asked for with in', () => {
    expect(resultOf('event.attributes["a-b"]')).toBe('dashed');
    expect(resultOf('"a-b" in event.attributes')).toBe(true);
  });

  test('an unknown variable is a problem that names the visible ones', () => {
    expect(problemOf('evnt.attributes').message).toMatch(/unknown variable evnt.*did you mean event\?/);
    expect(problemOf('metrics.x').message).toContain('did you mean context.metrics?');
  });

  test('a variable that is not visible here tells why', () => {
    const filter = scope.only(['event'], 'a filter sees only `event`');
    const compiled = compileExpression('context.metrics', filter, 'any');
    expect(compiled).toMatchObject({
      ok: false,
      problem: { message: 'context is not visible here: a filter sees only `event`', offset: 0 },
    });
  });
});

describe('errors are loud', () => {
  test('a missing field names the part that is missing', () => {
    expect(messageOf('free.a.b.c == 1', { a: {} })).toBe('free.a.b: No such key: b');
  });

  test('a missing parent is an error inside has() too', () => {
    expect(messageOf('has(free.a.b)', {})).toBe('free.a: No such key: a');
  });

  test('no number divided by zero gives a value, doubles neither', () => {
    expect(messageOf('1 / 0')).toBe('1 / 0: division by zero');
    expect(messageOf('free.a / free.b > 0.5', { a: 0, b: 0 })).toBe('free.a / free.b: division by zero');
    expect(messageOf('event.attributes.runs % 0')).toContain('modulo by zero');
  });

  test('a condition that is not boolean is refused when it is checked, or fails when it is evaluated', () => {
    expect(problemOf('event.attributes.agent', 'bool').message).toBe('gives string; expected true or false');
    expect(messageOf('free', 'yes', 'bool')).toBe('free: expected true or false, found the text `yes`');
    expect(messageOf('free', null, 'bool')).toContain('expected true or false');
  });

  test('an operand of && or || that is not boolean is named', () => {
    expect(messageOf('true && free.a', { a: 'x' })).toBe('free.a: expected true or false, found a string');
    expect(messageOf('free.a || false', { a: 1 })).toBe('free.a: expected true or false, found a number');
  });

  test('&& and || go from left to right, and an error on the way stands whatever the other side says', () => {
    expect(messageOf('free.absent == 1 || true', {})).toBe('free.absent: No such key: absent');
    expect(messageOf('free.absent == 1 && false', {})).toBe('free.absent: No such key: absent');
    expect(resultOf('false && free.absent == 1', {})).toBe(false);
    expect(resultOf('true || free.absent == 1', {})).toBe(true);
    expect(messageOf('free.absent == 1 || false', {})).toBe('free.absent: No such key: absent');
  });

  test('a wrong type names the expression at fault', () => {
    expect(messageOf('free.a.startsWith("x") || false', { a: 3 })).toBe(
      'free.a.startsWith("x"): found no matching overload for \'double.startsWith(string)\'',
    );
  });

  test('a result without a JSON form is an error', () => {
    expect(messageOf('9007199254740993')).toContain('beyond 2^53');
    expect(messageOf('type(1)')).toContain('no JSON form');
    expect(messageOf('double("nan")')).toContain('no JSON number');
    expect(messageOf('"\\u0000"')).toContain('U+0000');
    expect(messageOf('"😀".substring(0, 1)')).toContain('lone surrogate');
  });
});

describe('results are JSON', () => {
  test('times, durations and bytes have a text form', () => {
    expect(resultOf('timestamp("2026-11-20T08:15:00Z")')).toBe('2026-11-20T08:15:00.000Z');
    expect(resultOf('duration("-90.5s")')).toBe('-90.5s');
    expect(resultOf('duration("1h")')).toBe('3600s');
    expect(resultOf('b"hi"')).toBe('aGk=');
    expect(resultOf('5u')).toBe(5);
  });

  test('ints inside lists and maps become numbers', () => {
    expect(resultOf('event.attributes.list.filter(x, x.due)')).toEqual([{ due: true, n: 1, name: 'one' }]);
    expect(resultOf('{"a": [event.attributes.runs, "x"]}')).toEqual({ a: [7, 'x'] });
  });

  test('a list is told from what is none', () => {
    expect(problemOf('event.attributes.agent', 'list').message).toBe('gives string; expected a list');
    expect(messageOf('free', 3, 'list')).toBe('free: expected a list, found `3`');
    expect(evaluate('event.attributes.list', null, 'list')).toMatchObject({ ok: true, value: values.list });
  });
});

describe('the trace', () => {
  test('holds every path that is read, whole, with its value', () => {
    const source = 'event.attributes.runs > 3 && event.attributes["a-b"] == "x" || free.list[1].name != "y"';
    expect(evaluate(source, { list: [0, { name: 'two' }] }).values).toEqual({
      'event.attributes.runs': 7,
      'event.attributes["a-b"]': 'dashed',
      'free.list[1].name': 'two',
    });
  });

  test('tells what is missing, also of a failed evaluation', () => {
    expect(evaluate('has(free.a) && free.b.c == 1', { a: 1 })).toMatchObject({
      ok: false,
      values: { 'free.a': 1, 'free.b.c': '(missing)' },
    });
  });

  test('of a dynamic index holds the list and the index', () => {
    expect(evaluate('free.list[event.attributes.runs - 7].name', { list: [{ name: 'x' }] })).toEqual({
      ok: true,
      value: 'x',
      values: { 'free.list': [{ name: 'x' }], 'event.attributes.runs': 7 },
    });
  });

  test('does not take the variables of macros for roots', () => {
    const evaluation = evaluate('free.exists(event, event.n == 2) && cel.bind(free, 3, free == 3)', [
      { n: 2 },
    ]);
    expect(evaluation).toEqual({ ok: true, value: true, values: { free: [{ n: 2 }] } });
  });

  test('shows large values cut', () => {
    const { values: read } = evaluate('size(free) > 0', 'x'.repeat(5000));
    expect(read.free).toMatch(/x… \[truncated\]$/);
  });
});

describe('data never reaches the inside of JavaScript', () => {
  test('constructor and its like are missing unless the data has them', () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect(messageOf(`free.${name}`, {})).toContain('No such key');
      expect(messageOf(`free["${name}"]`, {})).toContain('No such key');
      expect(resultOf(`has(free.${name})`, {})).toBe(false);
      expect(resultOf(`"${name}" in free`, {})).toBe(false);
    }
    expect(messageOf('free.length', 'text')).toContain('No such key');
    expect(messageOf('free.length', [1])).toContain('No such key');
  });

  test('data that has such keys is data', () => {
    const free: Json = JSON.parse('{"constructor": "c", "__proto__": {"x": 1}, "n": [{"constructor": 2}]}');
    expect(resultOf('free.constructor', free)).toBe('c');
    expect(resultOf('free.__proto__.x', free)).toBe(1);
    expect(resultOf('"constructor" in free && size(free) == 3', free)).toBe(true);
    expect(resultOf('free.n.exists(x, x.constructor == 2)', free)).toBe(true);
    expect(resultOf('free', free)).toEqual(free);
  });

  test('a map literal that would lose such a key is refused', () => {
    expect(problemOf('{"__proto__": 1}').message).toBe('a map cannot have the key __proto__');
    expect(messageOf('{free: 1}', 'constructor')).toBe('free: a map cannot have the key constructor');
  });
});

describe('hostile expressions', () => {
  test('give a problem', () => {
    const nested = (depth: number): string =>
      depth === 0 ? 'true' : `[1].all(x${depth}, ${nested(depth - 1)})`;
    const sources = [
      '',
      '   ',
      '1 +',
      `${'!'.repeat(4000)}true`,
      '('.repeat(4000),
      '['.repeat(4000),
      `1${'+1'.repeat(900)}`,
      'a'.repeat(5000),
      nested(4),
      `"${'x'.repeat(10)}".matches("(")`,
      '"a\u0000b"',
      'HAS(free)',
      'guardKey(free)',
    ];
    for (const source of sources) expect(problemOf(source).message, source.slice(0, 40)).not.toBe('');
  });

  test('lists that double are stopped', () => {
    expect(messageOf(`[[1, 1]]${'.map(a, a + a)'.repeat(30)}`)).toContain('a list of more than 100000');
  });

  test('a regular expression cannot hang', () => {
    expect(resultOf('free.matches("^(a+)+$")', `${'a'.repeat(50_000)}b`)).toBe(false);
    expect(resultOf('"foobar".matches("o{2}b")')).toBe(true);
    expect(messageOf('"a".matches(free)', '(')).toContain('not a regular expression of RE2');
  });

  test('any text compiles or gives a problem, and never throws', () => {
    const token = fc.constantFrom(
      ...[
        'event',
        '.',
        'attributes',
        '[',
        ']',
        '(',
        ')',
        '{',
        '}',
        '"',
        "'",
        'has',
        'map',
        'x',
        ',',
        ':',
        '?',
      ],
      ...[
        '1',
        '1.5',
        '+',
        '-',
        '*',
        '/',
        '&&',
        '||',
        '!',
        'in',
        '==',
        '<',
        'free',
        'r"',
        'b"',
        '\\',
        '//',
        ' ',
      ],
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(token).map((tokens) => tokens.join('')),
        ),
        (source) => {
          const compiled = compileExpression(source, scope, 'any');
          if (compiled.ok) compiled.expression.evaluate(scope.bind({ event: null, context: {}, free: null }));
          else expect(compiled.problem.offset).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});

test('any JSON that is bound dynamically comes back as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (free) => {
      const json = JSON.parse(JSON.stringify(free)) as Json;
      const evaluation = evaluate('free', json);
      if (evaluation.ok) expect(evaluation.value).toEqual(json);
      else expect(evaluation.message).toMatch(/cannot be stored/);
    }),
  );
});

test('a variable cannot have a name that CEL uses', () => {
  expect(variableNameProblem('repo')).toBeNull();
  for (const name of ['list', 'int', 'type', 'cel', 'in', 'for', 'as', 'true', 'null', 'return']) {
    expect(variableNameProblem(name), name).not.toBeNull();
  }
});
