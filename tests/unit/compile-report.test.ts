import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RenderedReport, type ReportText, renderReport } from '../../src/core/compile-report.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { findUnstorable } from '../../src/core/storable.ts';
import { bindings, compiled, instruction, problemsOf } from './compiled-instruction.ts';

const TEXTS: ReportText[] = [
  { path: ['summary'], kind: 'template' },
  { path: ['detail', 'top'], kind: 'expression' },
  { path: ['body'], kind: 'template' },
];
const OUTPUTS = { triage: { summary: 'All is well', top: [{ id: 'T-1', rank: 1 }] } };

function rendered(report: JsonObject, v: Json = null): RenderedReport {
  const { reports } = compiled({
    instructions: [instruction()],
    reports: [{ sink: 's', ...report }],
    reportTexts: [TEXTS],
  });
  return renderReport(reports[0]!, bindings(v, OUTPUTS));
}

test('templates become text, expressions their value, and everything else stays', () => {
  const report = {
    event_type: '{{ daily }}',
    summary: 'On {{ run.date }}: {{ instructions.triage.summary }} {{ instructions.triage.top }}',
    detail: { top: 'instructions.triage.top', other: 'run.date' },
    list: [1, null],
  };
  expect(rendered(report)).toEqual({
    ok: true,
    report: {
      event_type: '{{ daily }}',
      summary: 'On 2026-11-20: All is well [{"id":"T-1","rank":1}]',
      detail: { top: [{ id: 'T-1', rank: 1 }], other: 'run.date' },
      list: [1, null],
    },
  });
});

test('rendered twice, it is the same: nothing of the first stays behind', () => {
  const { reports } = compiled({
    reports: [{ sink: 's', summary: '{{ context.v }}', detail: { top: 'context.v' } }],
    reportTexts: [TEXTS],
  });
  const first = renderReport(reports[0]!, bindings('a'));
  expect(renderReport(reports[0]!, bindings('b'))).toEqual({
    ok: true,
    report: { summary: 'b', detail: { top: 'b' } },
  });
  expect(renderReport(reports[0]!, bindings('a'))).toEqual(first);
});

test('what fails names the sink and the member', () => {
  expect(rendered({ detail: { top: 'context.v.a' } }, {})).toEqual({
    ok: false,
    message: 'report s, detail.top: context.v.a: No such key: a',
  });
  expect(rendered({ summary: 'x {{ context.v.a }}' }, {})).toEqual({
    ok: false,
    message: 'report s, summary: context.v.a: No such key: a',
  });
});

test('long texts and values are cut with a mark', () => {
  const v = { text: 'é'.repeat(500_000), list: Array(10_000).fill('x'.repeat(100)) };
  const result = rendered(
    { summary: '{{ context.v.text }}'.repeat(5), detail: { top: 'context.v.list' } },
    v,
  );
  if (!result.ok) throw new Error(result.message);
  const { summary, detail } = result.report as { summary: string; detail: { top: string[] } };
  expect(summary).toMatch(/^é+… \[truncated\]$/);
  expect(Buffer.byteLength(summary)).toBeGreaterThan(65_000);
  expect(Buffer.byteLength(summary)).toBeLessThanOrEqual(65_536);
  expect(Buffer.byteLength(JSON.stringify(detail))).toBeLessThanOrEqual(131_200);
  expect(detail.top.at(-1)).toMatch(/^… \[\d+ left out\]$/);
});

test('reports see every output, and a misspelt field is a problem at its place', () => {
  const reports: JsonObject[] = [
    { sink: 's', summary: 'a {{ instructions.triage.sumary }}', detail: { top: 'instructions.triage.topp' } },
    { sink: 's', summary: '{{ instructions.later.summary }}' },
  ];
  const instructions = [instruction(), instruction({ id: 'later' })];
  expect(problemsOf({ instructions, reports, reportTexts: [TEXTS, TEXTS] })).toEqual([
    {
      path: ['reports', 0, 'summary'],
      offset: 'a {{ instructions.triage.'.length,
      message: expect.stringContaining('did you mean summary?'),
    },
    {
      path: ['reports', 0, 'detail', 'top'],
      offset: 'instructions.triage.'.length,
      message: expect.stringContaining('did you mean top?'),
    },
  ]);
});

test('a report of which nobody says what is computed does not compile', () => {
  expect(problemsOf({ reports: [{ sink: 's', summary: '{{ run.date }}' }] })).toEqual([
    { path: ['reports', 0, 'sink'], offset: null, message: 'unknown report sink s' },
  ]);
});

test('whatever data holds stays text, and can be stored', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => text.toWellFormed().replaceAll('\u0000', '')),
    fc
      .array(fc.constantFrom('{{ run.run_id }}', '{{', '}}', '../', '😀', '\u001b'))
      .map((all) => all.join('')),
    fc.nat(200_000).map((length) => '😀'.repeat(length)),
  );
  const { reports } = compiled({
    reports: [{ sink: 's', summary: '<{{ context.v }}>', detail: { top: '[context.v]' } }],
    reportTexts: [TEXTS],
  });
  fc.assert(
    fc.property(hostile, (v) => {
      const result = renderReport(reports[0]!, bindings(v));
      if (!result.ok) throw new Error(result.message);
      const { summary, detail } = result.report as { summary: string; detail: { top: string[] } };
      expect(findUnstorable(result.report)).toBeNull();
      if (Buffer.byteLength(`<${v}>`) > 64 * 1024)
        expect(`<${v}`.startsWith(summary.replace('… [truncated]', ''))).toBe(true);
      else expect(summary).toBe(`<${v}>`);
      if (Buffer.byteLength(v) < 16_000) expect(detail.top).toEqual([v]);
    }),
  );
});
