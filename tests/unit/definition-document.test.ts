import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatPath,
  type ParsedDocument,
  parseDocument,
  type SourceDocument,
} from '../../src/core/document.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (text: string): ParsedDocument => parseDocument(bytes(text));

function parsed(text: string): SourceDocument {
  const result = parse(text);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.document;
}

function faults(input: string | Uint8Array) {
  const result = parseDocument(typeof input === 'string' ? bytes(input) : input);
  return result.ok ? [] : result.faults;
}

test('arbitrary bytes are refused or parsed, and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (input) => {
      expect(parseDocument(input).ok).toBeTypeOf('boolean');
    }),
    { numRuns: 500 },
  );
});

test('arbitrary text made of what YAML is made of is refused or parsed, and never throws', () => {
  const piece = fc.constantFrom(
    ...[
      'a: ',
      '- ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      ',',
      '&x ',
      '*x',
      '"',
      "'",
      '|\n',
      '>',
      '? ',
      ': ',
      '!!str ',
    ],
    ...[
      '\t',
      '#',
      '---\n',
      '...\n',
      '%YAML 1.1\n',
      '<<: ',
      '"\\0"',
      '"\\uD800"',
      '.inf',
      '0x',
      'b',
      '\r\n',
      '\\',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const result = parse(pieces.join(''));
      if (result.ok) expect(() => JSON.stringify(result.document.value)).not.toThrow();
      else for (const { line, column } of result.faults) expect([line > 0, column > 0]).toEqual([true, true]);
    }),
    { numRuns: 1000 },
  );
});

test('any JSON object, written as JSON, is read as itself', () => {
  const storable = fc
    .string({ unit: 'grapheme' })
    .filter((text) => text !== '__proto__' && !text.includes('\0'));
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      storable,
      fc.boolean(),
      fc.constant(null),
      fc.integer(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(storable, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value;
  fc.assert(
    fc.property(fc.dictionary(storable, value, { maxKeys: 4, noNullPrototype: true }), (object) => {
      expect(parsed(JSON.stringify(object)).value).toEqual(object);
    }),
  );
});

describe('what is refused, and where', () => {
  test.each([
    ['a tab as indentation', 'a:\n\tb: 1\n', 2, 1, /[Tt]ab/],
    ['a bracket that is never closed', 'a: [1, 2\nb: 3\n', 2, 1, /flow sequence|flow collection/i],
    [
      'a duplicate key',
      'a: 1\nb: 2\na: 3\n',
      3,
      1,
      'the key `a` stands here a second time; it stands in line 1',
    ],
    [
      'a duplicate key deep inside',
      'a:\n  - { b: 1, b: 2 }\n',
      2,
      13,
      'the key `b` stands here a second time',
    ],
    ['an unknown tag', 'a: !secret x\n', 1, 4, /tag/],
    ['an alias without an anchor', 'a: *b\n', 1, 4, 'the alias `*b` has no complete anchor `&b` before it'],
    ['an alias inside its own anchor', 'a: &a [1, *a]\n', 1, 11, 'the alias `*a` has no complete anchor'],
    ['infinity', 'a: .inf\n', 1, 4, 'expected a finite number, found `.inf`'],
    ['an integer beyond a double', 'a: 12345678901234567890\n', 1, 4, 'too large to be kept exactly'],
    ['U+0000 in an escape', 'a: "x\\0"\n', 1, 4, 'U+0000'],
    ['a lone surrogate in an escape', 'a:\n  b: "\\uD800"\n', 2, 6, 'lone surrogate'],
    ['a key with U+0000', '"\\0": 1\n', 1, 1, 'U+0000'],
    ['a key that is a list', '? [a]\n: 1\n', 1, 3, /key/],
    ['__proto__', 'a:\n  __proto__: 1\n', 2, 3, '`__proto__` is not allowed'],
    ['two documents', 'a: 1\n---\nb: 2\n', 2, 1, 'a second document begins here'],
    ['an empty file', '', 1, 1, 'the file is empty'],
    ['only a comment', '# nothing\n', 1, 1, 'the file is empty'],
    ['a list at the top', '- a\n', 1, 1, 'expected a mapping of fields'],
    ['a text at the top', 'hello\n', 1, 1, 'expected a mapping of fields'],
    ['a control character', 'a: b\nc: \u0001\n', 2, 4, 'the control character U+0001'],
    ['256 KiB of brackets', '['.repeat(256 * 1024), 1, 67, 'nested deeper than 64 levels'],
    ['256 KiB of dashes', '- '.repeat(128 * 1024), 1, 133, 'nested deeper than 64 levels'],
    ['300 KiB', `a: ${'x'.repeat(300 * 1024)}\n`, 1, 1, 'larger than the 262144 bytes'],
  ])('%s', (_name, text, line, column, message) => {
    const [fault] = faults(text);
    expect(fault?.message).toMatch(message);
    expect({ line: fault?.line, column: fault?.column }).toEqual({ line, column });
  });

  test('bytes that are not UTF-8', () => {
    expect(faults(Uint8Array.of(0x61, 0x3a, 0x20, 0xff, 0xfe))).toMatchObject([
      { message: 'the file is not UTF-8 text' },
    ]);
  });

  test('an alias bomb, before it has expanded', () => {
    const levels = Array.from(
      { length: 9 },
      (_, n) =>
        `a${n}: &a${n} [${Array(9)
          .fill(n === 0 ? 'x' : `*a${n - 1}`)
          .join(', ')}]`,
    );
    expect(faults(levels.join('\n'))).toMatchObject([
      { message: 'more than 50000 values once its aliases are expanded' },
    ]);
  });
});

test('an alias stands for a copy of what its anchor names', () => {
  expect(parsed('a: &x { k: [1] }\nb: *x\n').value).toEqual({ a: { k: [1] }, b: { k: [1] } });
});

test('a byte order mark and Windows line ends change nothing', () => {
  const document = parsed('\uFEFFa: 1\r\nb:\r\n  c: 2\r\n');
  expect(document.value).toEqual({ a: 1, b: { c: 2 } });
  expect(document.locate(['b', 'c'])).toEqual({ line: 3, column: 6 });
});

describe('the place in the text', () => {
  const text = [
    'plain: abc def', // 1
    `single: 'it''s fine'`, // 2
    'double: "a \\"b\\" c"', // 3
    'literal: |', // 4
    '  first line', // 5
    '  second line', // 6
    'folded: >-', // 7
    '  one', // 8
    '  two', // 9
    'list: [ { key: 5 }, 6 ]', // 10
    'nothing:', // 11
  ].join('\n');
  const document = parsed(text);

  test.each([
    ['a plain text', ['plain'], 4, 1, 12],
    ['a single-quoted text, past its doubled quote', ['single'], 5, 2, 16],
    ['a double-quoted text, past its escapes', ['double'], 6, 3, 18],
    ['a line of a literal block', ['literal'], 11 + 7, 6, 10],
    ['a folded block: its beginning only', ['folded'], 5, 7, 9],
  ])('of a character in %s', (_name, path, offset, line, column) => {
    expect(document.locate(path, 'value', offset)).toEqual({ line, column });
  });

  test('of a value, of its key, and of the parent where there is no such member', () => {
    expect(document.locate(['list', 0, 'key'])).toEqual({ line: 10, column: 16 });
    expect(document.locate(['list', 0, 'key'], 'key')).toEqual({ line: 10, column: 11 });
    expect(document.locate(['list', 0, 'absent'])).toEqual({ line: 10, column: 9 });
    expect(document.locate(['list', 7, 'absent', 'more'])).toEqual({ line: 10, column: 7 });
    expect(document.locate(['absent'])).toEqual({ line: 1, column: 1 });
  });

  test('of an alias is the place where the value was written', () => {
    const shared = parsed('a: &x\n  k: 1\nb: *x\n');
    expect(shared.locate(['b', 'k'])).toEqual({ line: 2, column: 6 });
  });
});

test('paths read as authors would write them', () => {
  expect(formatPath(['rules', 0, 'task', 'title'])).toBe('rules[0].task.title');
  expect(formatPath(['params', 'a b', '$ref'])).toBe('params["a b"].$ref');
  expect(formatPath([])).toBe('');
});
