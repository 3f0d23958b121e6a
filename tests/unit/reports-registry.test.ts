import { expect, test } from 'vitest';
import { type Definition, definitionSchema } from '../../src/core/definition.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createReportSinks, reportTextsOf } from '../../src/reports/registry.ts';

function definitionWith(...reports: JsonObject[]): Definition {
  return definitionSchema.parse({ id: 'd', title: 'D', owner: 'o', trigger: { manual: {} }, reports });
}

function faultsOf(...reports: JsonObject[]): string[] {
  const result = reportTextsOf(definitionWith(...reports));
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const progress = { sink: 'state-hub-progress', event_type: 'daily_triage', summary: 'Done' };
const note = { sink: 'working-memory', name: 'daily-triage-{{ run.date }}' };

test('each report says which of its texts are templates and which are expressions', () => {
  const detail = { top: 'instructions.triage.top', count: '1 + 1' };
  const definition = definitionWith({ ...progress, detail }, note, { ...note, body: '# {{ run.date }}' });
  expect(reportTextsOf(definition)).toEqual({
    ok: true,
    texts: [
      [
        { path: ['summary'], kind: 'template' },
        { path: ['detail', 'top'], kind: 'expression' },
        { path: ['detail', 'count'], kind: 'expression' },
      ],
      [{ path: ['name'], kind: 'template' }],
      [
        { path: ['name'], kind: 'template' },
        { path: ['body'], kind: 'template' },
      ],
    ],
  });
  expect(reportTextsOf(definitionWith())).toEqual({ ok: true, texts: [] });
});

test('every sink that a definition may name exists', () => {
  const sinks = createReportSinks({});
  expect([...sinks].map(([name, { sink }]) => [name, sink])).toEqual([
    ['state-hub-progress', 'state-hub-progress'],
    ['working-memory', 'working-memory'],
  ]);
});

test('an unknown sink is told with what was probably meant, and with all that are known', () => {
  const known = 'known sinks: `state-hub-progress`, `working-memory`';
  expect(faultsOf(note, { sink: 'working-memry' }, { sink: 'email' })).toEqual([
    `reports.1.sink: unknown report sink \`working-memry\`; did you mean \`working-memory\`?; ${known}`,
    `reports.2.sink: unknown report sink \`email\`; ${known}`,
  ]);
});

test.each<[JsonObject, string]>([
  [{ sink: 'working-memory' }, 'reports.0.name: missing required field `name`'],
  [{ ...note, bdy: 'x' }, 'reports.0.bdy: unknown field `bdy`; did you mean `body`?'],
  [{ ...note, body: '' }, 'reports.0.body: expected at least 1 character, found an empty text'],
  [
    { ...note, name: '../..' },
    'reports.0.name: expected a name with a letter, a digit or _ in it, found the text `../..`',
  ],
  [{ sink: 'state-hub-progress', summary: 's' }, 'reports.0.event_type: missing required field `event_type`'],
  [
    { ...progress, event_type: 'Daily {{ run.date }}' },
    'reports.0.event_type: expected a name of lower-case letters, digits and _, found the text `Daily {{ run.date }}`',
  ],
  [
    { ...progress, event_type: 'a'.repeat(201) },
    `reports.0.event_type: expected at most 200 characters, found the text \`${'a'.repeat(60)}…\``,
  ],
  [{ ...progress, detail: { top: 5 } }, 'reports.0.detail.top: expected a text, found `5`'],
  [
    { ...progress, detail: { ['x'.repeat(101)]: '1' } },
    `reports.0.detail.${'x'.repeat(101)}: expected a name of 1 to 100 characters`,
  ],
  [
    { ...progress, detail: Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`n${n}`, '1'])) },
    'reports.0.detail: expected at most 50 members, found 51',
  ],
])('%j is refused', (report, fault) => {
  expect(faultsOf(report)).toEqual([fault]);
});

test.each(['run_id', 'definition_id', 'definition_hash', 'scheduled_for', 'workflow_id', 'review_required'])(
  'a detail cannot be called %s, which is told of every run',
  (name) => {
    const [fault, ...others] = faultsOf({ ...progress, detail: { [name]: '"x"', mine: '1' } });
    expect(fault).toContain(`reports.0.detail.${name}: \`${name}\` is told of every run`);
    expect(others).toEqual([]);
  },
);
