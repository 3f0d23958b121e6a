/** What a shell reads of a word that is told to be pasted. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellWord } from '../../src/core/shell-word.ts';

test.each([
  'e-1',
  '',
  'x; touch y #',
  '$(id) `id` $HOME',
  "it's 'quoted'",
  'two\nlines',
  '"\\',
  'a*b?[c]~!{d,e}',
])('it is the same text, and one word: %j', (text) => {
  const read = execFileSync('sh', ['-c', `printf '%s.' ${shellWord(text)}`], { encoding: 'utf8' });
  expect(read).toBe(`${text}.`);
});

test('what needs no quotes has none', () => {
  expect(shellWord('01JDZ8X6QY3V9W4T1N2M7K5R0B')).toBe('01JDZ8X6QY3V9W4T1N2M7K5R0B');
});
