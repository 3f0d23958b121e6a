import { describe, expect, test } from 'vitest';
import { inQuotes, valueAt } from '../../src/core/yaml-value.ts';

describe('the value that begins in a line', () => {
  test.each([
    ['cron: ', '*/5 * * * *', ''],
    ['cron: ', '*/5 * * * *', '   # every five minutes'],
    ['schedule: { cron: ', '*/5,10 * * * *', ', timezone: UTC }'],
    ['schedule: { timezone: UTC, cron: ', '*/5 * * * *', ' }'],
    ['    cron: ', '*/5 * * * *', ','],
    ['    cron: ', '*/5 * * * *', ',  # and more'],
    ['    cron: ', '*/5 * * * *', ' }'],
    ['condition: ', '!["a", "b"].exists(x, x == y)', ' # neither'],
    ['- { condition: ', '!(x in ["a, b", "c # d"])', ', id: one }'],
    ['task: { title: ', '{{ a.b }} of {{ size(c) }}', ', priority: high }'],
    ['labels: [', '{{ a }}', ', {{ b }}]'],
    ['title: ', "*Don't*, and do", ' # please'],
    ['title: ', '*a) b, c', ''],
    ["title: { a: 'x: {', title: ", '!b', '}'],
  ])('%s→%s←%s', (before, value, behind) => {
    expect(valueAt(before + value + behind, before.length)).toBe(value);
  });
});

describe('a value in quotes', () => {
  test.each([
    ['!a', "'!a'"],
    ['!(a == "x")', `'!(a == "x")'`],
    ["!(a == 'x')", `"!(a == 'x')"`],
    [`"it's" in a`, `'"it''s" in a'`],
    ["!a.matches('\\d')", "'!a.matches(''\\d'')'"],
  ])('%s', (value, quoted) => {
    expect(inQuotes(value)).toBe(quoted);
  });
});
