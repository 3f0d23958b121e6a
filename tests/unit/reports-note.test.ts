import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { noteName, noteOwner, noteText } from '../../src/reports/note.ts';
import { reportedRun } from './reported-run.ts';

describe('a note’s name', () => {
  test.each([
    ['daily-triage-2026-11-20', 'daily-triage-2026-11-20'],
    ['../../etc/passwd', 'etc-passwd'],
    ['/absolute', 'absolute'],
    ['a/../b', 'a-.-b'],
    ['a\\b:c*d', 'a-b-c-d'],
    ['..hidden..', 'hidden'],
    ['-rf', 'rf'],
    ['Über  den\u0000 Tag\n', 'Über-den-Tag'],
    ['e\u0301t\u00e9', '\u00e9t\u00e9'],
    ['日本語の予定', '日本語の予定'],
    ['notes.md', 'notes'],
    ['．．／etc', 'etc'],
    [`${'語'.repeat(80)}`, '語'.repeat(66)],
    ['a--b___c..d', 'a-b___c.d'],
    [`${'x'.repeat(199)}.yz`, 'x'.repeat(199)],
  ])('%j becomes %j', (computed, name) => {
    expect(noteName(computed)).toBe(name);
  });

  test('is found in any length of text', () => {
    expect(noteName(`x${'-'.repeat(60_000)}y${'/.'.repeat(500_000)}`)).toBe('x-y');
  });

  test.each(['', ' ', '../', '...', '.md', '\u0000'])('nothing is left of %j', (computed) => {
    expect(noteName(computed)).toBeNull();
  });

  test('is never a path, whatever it was made of', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('', '/', '../', '.'), (text, before) => {
        const name = noteName(before + text);
        if (name !== null)
          expect(name).toMatch(/^(?!.*\.\.)[\p{L}\p{N}\p{M}_]([\p{L}\p{N}\p{M}._-]*[\p{L}\p{N}\p{M}_])?$/u);
        expect(Buffer.byteLength(name ?? '')).toBeLessThanOrEqual(200);
      }),
    );
  });
});

describe('front matter', () => {
  const frontMatterOf = (text: string) => parse(text.split(/^---$/m)[1] ?? '');

  test('says whose note it is, as any reader of YAML understands it', () => {
    const text = noteText(reportedRun(), 1, 'Body');
    expect(text).toBe(`---
created_by: activity-core
run_id: 3f0c9a52-6f43-5a53-9c6a-8d5b2f6a7c10
definition_id: daily-triage
definition_hash: ${'a'.repeat(64)}
scheduled_for: "2026-11-20T06:00:00Z"
workflow_id: activity-core:daily-triage-2026-11-20T06:00:00Z
review_required: true
report: 1
---

Body
`);
    expect(frontMatterOf(noteText(reportedRun({ scheduled_for: null }), 0, 'x')).scheduled_for).toBeNull();
  });

  test('holds whatever the values are, and is read back', () => {
    const text = fc.oneof(
      // PostgreSQL, where they come from, holds no U+0000.
      fc.string({ unit: 'binary' }).map((any) => any.replaceAll('\0', '')),
      fc.constantFrom('a\n---\nrun_id: other', '*x', '!!js/undefined', '{{ x }}', '1e5', 'null', 'no', '# x'),
    );
    fc.assert(
      fc.property(text, text, text, fc.nat(20), (run_id, workflow_id, body, report) => {
        const note = noteText(reportedRun({ run_id, workflow_id }), report, body);
        expect(noteOwner(Buffer.from(note))).toEqual({ run_id, report });
        expect(frontMatterOf(note)).toMatchObject({ run_id, workflow_id, review_required: true });
      }),
    );
  });

  test('is understood after a person has edited the note', () => {
    const note = noteText(reportedRun(), 2, 'Body');
    const owner = { run_id: reportedRun().run_id, report: 2 };
    expect(noteOwner(Buffer.from(note.replaceAll('\n', '\r\n')))).toEqual(owner);
    expect(noteOwner(Buffer.from(`\ufeff${note}`))).toEqual(owner);
    expect(noteOwner(Buffer.from(note.replace('report:', 'tags: [triage]\nreport:')))).toEqual(owner);
  });

  test.each([
    'no front matter\nrun_id: x',
    '',
    '---\nrun_id: x\n',
    '---\n- run_id\n---\n',
    '---\nrun_id: x\nrun_id: y\n---\n',
    '---\nrun_id: [x]\nreport: "1"\n---\n',
    `---\na: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, n) => `b${n}: &b${n} [${Array(9).fill(n ? `*b${n - 1}` : '*a')}]`).join('\n')}\nrun_id: x\n---\n`,
    'text\n---\nrun_id: x\nreport: 1\n---\n',
  ])('%j says nothing of a run', (text) => {
    expect(noteOwner(Buffer.from(text))).toEqual({ run_id: null, report: null });
  });
});

describe('the body', () => {
  const bodyOf = (text: string) => noteText(reportedRun(), 0, text).split('\n---\n\n')[1] ?? '';

  test('stays as it was computed, storable, with one line end', () => {
    expect(bodyOf('\n# Mine\n\n- {{ x }} \u0000 <b>\n\n')).toBe('# Mine\n\n- {{ x }} \ufffd <b>\n');
  });

  test('has at most 256 KiB, a cut one with its mark', () => {
    const most = 256 * 1024;
    expect(bodyOf('x'.repeat(most))).toBe(`${'x'.repeat(most)}\n`);
    const cut = bodyOf('é'.repeat(most));
    expect(cut).toMatch(/^é+\n… \[truncated\]\n$/);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(most + 1);
    expect(Buffer.byteLength(cut)).toBeGreaterThan(most - 4);
  });
});
