import { expect, test } from 'vitest';
import type { Json } from '../../src/core/json.ts';
import { outputsInMarkdown } from '../../src/reports/note-markdown.ts';
import { reportedRun } from './reported-run.ts';

/** Without the headings and the facts. */
function rendered(output: Json): string {
  const text = outputsInMarkdown(reportedRun({ instructions: { x: output } }));
  return text.slice(text.indexOf('## X\n\n') + '## X\n\n'.length);
}

test('a triage reads like a note that a person wrote', () => {
  const run = reportedRun({
    instructions: {
      triage: {
        headline: 'Two things cannot wait.',
        top_items: [
          {
            id: 'HUB-104',
            title: 'Bastion host',
            reasons: ['Former colleagues', 'An hour of work'],
            sure: true,
          },
          { id: 'HUB-9', title: 'Backups', reasons: [], sure: false },
        ],
        risks: ['None is *new*', 'One is old'],
        questions: [],
        staleWork: null,
        score: 0.5,
      },
      second_look: 'Agreed.',
    },
  });
  expect(outputsInMarkdown(run)).toBe(`# Triage of the open work

**Needs review before anybody acts on it.**

Run 3f0c9a52-6f43-5a53-9c6a-8d5b2f6a7c10 of daily-triage, scheduled for 2026-11-20T06:00:00Z, started at 2026-11-20T06:00:01.250Z, 2 tasks

## Triage

### Headline

Two things cannot wait.

### Top items

1. **Id:** HUB-104
   - **Title:** Bastion host
   - **Reasons:**
     - Former colleagues
     - An hour of work
   - **Sure:** yes
2. **Id:** HUB-9
   - **Title:** Backups
   - **Reasons:** none
   - **Sure:** no

### Risks

- None is *new*
- One is old

### Questions

none

### Stale work

none

### Score

0.5

## Second look

Agreed.`);
});

test('without outputs there are the facts; a run that needs no review does not ask for one', () => {
  const run = reportedRun({ review_required: false, scheduled_for: null, task_count: 1, title: '# A\nb' });
  expect(outputsInMarkdown(run)).toBe(`# \\# A b

Run 3f0c9a52-6f43-5a53-9c6a-8d5b2f6a7c10 of daily-triage, started at 2026-11-20T06:00:01.250Z, 1 task`);
});

test.each([
  ['# Approved', '\\# Approved'],
  ['   ## Approved', '\\## Approved'],
  ['```\ncode', '\\`\\`\\`  \ncode'],
  ['~~~sh', '\\~~~sh'],
  ['Title\n===', 'Title  \n\\==='],
  ['Title\n-', 'Title  \n\\-'],
  ['Title\r\n---', 'Title  \n\\---'],
  ['* * *', '\\* * *'],
  ['___', '\\___'],
  ['> quoted', '\\> quoted'],
  ['- # in a list', '\\- # in a list'],
  ['12. ``` in a list', '12\\. \\`\\`\\` in a list'],
  ['<script>alert(1)</script>', '\\<script>alert(1)\\</script>'],
  ['\\<b>', '\\\\\\<b>'],
  ['&lt;b&gt; R&D & more', '\\&lt;b\\&gt; R\\&D & more'],
  ['![x](http://evil/?q) [y](z)', '!\\[x](http://evil/?q) \\[y](z)'],
  ['a\u2028# b\u0085# c', 'a  \n\\# b  \n\\# c'],
  ['one\n\n\n\ntwo\nthree', 'one\n\ntwo  \nthree'],
  ['    indented\u0000 \u001b[31m', 'indented \\[31m'],
  ['snake_case, 3.5 and -1 stay', 'snake_case, 3.5 and -1 stay'],
  ['  \n ', 'none'],
])('text of a model is text: %j is written %j', (text, markdown) => {
  expect(rendered(text)).toBe(markdown);
});

test('text of several lines stays in its list', () => {
  expect(rendered([{ why: 'one\n\n# two', n: 1 }, ['a', ['b']]])).toBe(
    '1. **Why:** one\n\n   \\# two\n   - **N:** 1\n2. - a\n   - - b',
  );
});

test('what has no plain member of its own is a list in the list', () => {
  expect(rendered([{ tags: ['a'], more: { n: 1 } }, {}])).toBe(
    '1. - **Tags:**\n     - a\n   - **More:**\n     - **N:** 1\n2. none',
  );
});

test('names of members are words, and text all the same', () => {
  expect(rendered({ '# <b>\n`x`': 1, jobSize: 2, '': 3, 'a*b': 4 })).toBe(
    '### \\# \\<b> \\`x\\`\n\n1\n\n### Job size\n\n2\n\n### none\n\n3\n\n### A\\*b\n\n4',
  );
});

test('what is nested very deep stands there as JSON', () => {
  let deep: Json = '<b>';
  for (let n = 0; n < 60; n++) deep = n % 2 ? [deep] : { d: deep };
  const markdown = rendered(deep);
  expect(markdown).toContain('\\[{"d":\\[{"d":');
  expect(markdown).toContain('"\\<b>"');
  expect(markdown.split('\n').length).toBeLessThan(12);
});
