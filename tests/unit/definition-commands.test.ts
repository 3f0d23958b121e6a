import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { schemaCommand } from '../../src/cli/definitions-schema.ts';
import { validateCommand } from '../../src/cli/definitions-validate.ts';
import { EDITOR_SCHEMAS, editorSchema } from '../../src/definitions/editor-schema.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { definitionFolder, HOURLY, METRICS_TYPE, REVIEW } from './definition-folder.ts';

const resolvers = createResolvers();

async function validate(definitionsDir: string, paths: string[], json = false) {
  const lines: string[] = [];
  const print = (line: string) => lines.push(line);
  const exitCode = await validateCommand({ paths, definitionsDir, json, resolvers, print });
  return { exitCode, output: lines.join('\n') };
}

test('validate lists each file and ends with 0 where all is well', async () => {
  await using folder = await definitionFolder({ 'review.yaml': REVIEW });
  expect(await validate(folder.path, [])).toEqual({
    exitCode: 0,
    output: [
      `✓ ${folder.in('event-types/kaizen.metrics.recorded.yaml')}`,
      `✓ ${folder.in('review.yaml')}`,
      '1 definition and 1 event type valid',
    ].join('\n'),
  });
});

test('validate prints each error on a line of its own and ends with 1', async () => {
  await using folder = await definitionFolder({ 'hourly.yaml': HOURLY.replace('15 * * * *', '15 * * *') });
  const { exitCode, output } = await validate('absent', [folder.in('hourly.yaml')]);
  expect(exitCode).toBe(1);
  expect(output.split('\n')).toEqual([
    `✗ ${folder.in('hourly.yaml')}`,
    expect.stringContaining(
      `${folder.in('hourly.yaml')}:6:11 trigger.schedule.cron: expected five cron fields`,
    ),
    '0 definitions and 0 event types valid, 1 error',
  ]);
});

test('a warning is told, and the exit code stays 0', async () => {
  const condition = 'condition: context.metrics.summary.runs > 3';
  await using folder = await definitionFolder({ 'review.yaml': REVIEW.replace(/condition: .*/, condition) });
  const { exitCode, output } = await validate(folder.path, [folder.in('review.yaml')]);
  expect(exitCode).toBe(0);
  expect(output.split('\n')).toEqual([
    `✓ ${folder.in('review.yaml')}`,
    expect.stringMatching(/review\.yaml:13:16 rules\[0\]\.condition: warning: .* \(optional_field\)$/),
    '1 definition and 0 event types valid, 1 warning',
  ]);
  const { output: json } = await validate(folder.path, [folder.in('review.yaml')], true);
  expect(JSON.parse(json)).toMatchObject({
    ok: true,
    errors: [],
    warnings: [{ line: 13, column: 16, path: 'rules[0].condition', code: 'optional_field' }],
  });
});

test('what a terminal would obey is not in the output', async () => {
  const bad = '"\\e[2J\\e[31m"';
  await using folder = await definitionFolder({ 'hourly.yaml': HOURLY.replace(/cron: .*/, `cron: ${bad}`) });
  const { exitCode, output } = await validate('absent', [folder.in('hourly.yaml')]);
  expect(exitCode).toBe(1);
  expect(output).toContain('trigger.schedule.cron: ');
  expect(output).not.toContain('\u001b');
});

test('where no file could be opened the last line says so, and what was probably meant', async () => {
  await using folder = await definitionFolder({ 'review.yaml': REVIEW });
  const missing = folder.in('reveiw.yaml');
  const message = `there is no such file or folder; did you mean \`${folder.in('review.yaml')}\`?`;
  expect(await validate('absent', [missing])).toEqual({
    exitCode: 1,
    output: [
      `✗ ${missing}`,
      `${missing}:1:1 (file): ${message}`,
      `nothing was checked: ${missing}: ${message}`,
    ].join('\n'),
  });
});

test('a folder without a file says so', async () => {
  await using folder = await definitionFolder({}, {});
  expect(await validate(folder.path, [])).toEqual({
    exitCode: 0,
    output: 'nothing was checked: no file there ends in .yaml or .yml',
  });
});

test('validate --json tells hashes and errors in the form of the API', async () => {
  await using folder = await definitionFolder({ 'review.yaml': REVIEW, 'bad.yaml': HOURLY });
  const { exitCode, output } = await validate(folder.path, [], true);
  expect(exitCode).toBe(1);
  expect(JSON.parse(output)).toEqual({
    ok: false,
    definitions: [
      {
        definition_id: 'review',
        definition_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        file: folder.in('review.yaml'),
      },
    ],
    event_types: [
      { type: 'kaizen.metrics.recorded', file: folder.in('event-types/kaizen.metrics.recorded.yaml') },
    ],
    errors: [
      {
        file: folder.in('bad.yaml'),
        line: 1,
        column: 5,
        path: 'id',
        message: 'expected the name of the file, `bad`; found `hourly`',
      },
    ],
    warnings: [],
  });
});

test.each(EDITOR_SCHEMAS)('the committed schema of %s is what the code gives', async (kind) => {
  const lines: string[] = [];
  schemaCommand({ kind, resolvers, print: (line) => lines.push(line) });
  expect(await readFile(`docs/schema/${kind}.schema.json`, 'utf8')).toBe(`${lines.join('\n')}\n`);
});

test('the editor schemas accept what is valid and refuse slips', () => {
  const ajv = new Ajv({ strict: false });
  const definition = ajv.compile(editorSchema('activity-definition', resolvers));
  const accepts = (text: string) => definition(parse(text));
  expect([accepts(REVIEW), accepts(HOURLY)]).toEqual([true, true]);
  expect(accepts(REVIEW.replace('title: Review an', 'titel: Review an'))).toBe(false);
  expect(accepts(REVIEW.replace('event-payload', 'event-paylod'))).toBe(false);
  expect(accepts(REVIEW.replace('event-payload', 'static'))).toBe(false);
  expect(accepts(HOURLY.replace('trigger:', 'trigger:\n  manual: {}'))).toBe(false);
  expect(accepts(HOURLY.replace('timezone: Europe/Berlin', 'every: 2s'))).toBe(false);

  const eventType = ajv.compile(editorSchema('event-type', resolvers));
  expect([eventType(parse(METRICS_TYPE)), eventType(parse(HOURLY))]).toEqual([true, false]);
});
