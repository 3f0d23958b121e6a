import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createScope } from '../../src/core/expression.ts';
import { DYN } from '../../src/core/expression-types.ts';
import type { Json } from '../../src/core/json.ts';
import { compileTemplate, type Rendering } from '../../src/core/template.ts';

const scope = createScope({ v: DYN });

function render(text: string, v: Json = null): Rendering {
  const compiled = compileTemplate(text, scope);
  if (!compiled.ok) throw new Error(compiled.problems.map(({ message }) => message).join());
  return compiled.template.render(scope.bind({ v }));
}

function textOf(text: string, v: Json = null): string {
  const rendering = render(text, v);
  return rendering.ok ? rendering.text : `failed: ${rendering.message}`;
}

function problemsOf(text: string): { message: string; offset: number }[] {
  const compiled = compileTemplate(text, scope);
  return compiled.ok ? [] : compiled.problems;
}

test('strings are rendered as they are, everything else as JSON', () => {
  expect(textOf('a {{ v }} b', 'x "y"')).toBe('a x "y" b');
  expect(textOf('{{v}}{{ v }}', 1.5)).toBe('1.51.5');
  expect(textOf('{{ v }}', 1.0)).toBe('1');
  expect(textOf('{{ v }}', { a: [1, 'x', null] })).toBe('{"a":[1,"x",null]}');
  expect(textOf('{{ v }} {{ true }} {{ 1 + 2 }}')).toBe('null true 3');
});

test('text without parts is constant', () => {
  const compiled = compileTemplate('plain }} text { }', scope);
  expect(compiled).toMatchObject({ ok: true, template: { isConstant: true } });
  expect(textOf('plain }} text { }')).toBe('plain }} text { }');
});

test('braces in string literals and maps do not end a part', () => {
  expect(textOf('{{ "}}" }}')).toBe('}}');
  expect(textOf('{{ "{{" }} v {{ \'}}\' }}')).toBe('{{ v }}');
  expect(textOf('{{ "\\"}}" }}')).toBe('"}}');
  expect(textOf('{{ """a "}}" b""" }}')).toBe('a "}}" b');
  expect(textOf('{{ {"a": {"b": 1}}["a"] }}')).toBe('{"b":1}');
  expect(textOf('{{ {"a": {"b": 1}}}}')).toBe('{"a":{"b":1}}');
});

test('an unclosed part is a problem at its place', () => {
  expect(problemsOf('ab {{ v')).toEqual([{ message: 'this {{ has no }}', offset: 3 }]);
  expect(problemsOf('ab {{ "}}')).toEqual([{ message: 'this {{ has no }}', offset: 3 }]);
});

test('all problems are told, each at its place in the text', () => {
  const text = '{{ w }} and {{   v. }} and {{ }}';
  expect(problemsOf(text).map(({ offset }) => offset)).toEqual([3, text.indexOf('v.') + 2, text.length - 2]);
});

test('a text that cannot be stored is a problem', () => {
  expect(problemsOf('a\u0000')[0]?.message).toContain('U+0000');
  expect(problemsOf('\ud800')[0]?.message).toContain('lone surrogate');
});

test('a failing part names itself and what it read', () => {
  expect(render('{{ 1 }} {{ v.a.b }}', { a: {} })).toEqual({
    ok: false,
    expression: 'v.a.b',
    message: 'v.a.b: No such key: b',
    values: { 'v.a.b': '(missing)' },
  });
});

test('a rendering tells what it read', () => {
  expect(render('{{ v.a }}-{{ v.b }}', { a: 1, b: 'x' })).toEqual({
    ok: true,
    text: '1-x',
    values: { 'v.a': 1, 'v.b': 'x' },
  });
});

test('a text that grows without bounds is stopped', () => {
  expect(textOf('{{ v }}'.repeat(20), 'x'.repeat(100_000))).toContain('renders more than');
});

test('data is never evaluated, whatever it holds', () => {
  const hostile = fc.oneof(
    fc.string(),
    fc.constantFrom('é', '😀', '\u2028', '\n', ''),
    fc
      .array(fc.constantFrom('{{', '}}', ' v ', '"', "'", '\\', '{{ v }}', '1 + 1', '$', '{v}'))
      .map((p) => p.join('')),
  );
  fc.assert(
    fc.property(hostile, hostile, (a, b) => {
      expect(textOf('<{{ v.a }}|{{ v.b + "" }}>', { a, b })).toBe(`<${a}|${b}>`);
    }),
  );
});
