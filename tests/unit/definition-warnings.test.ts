import { expect, test } from 'vitest';
import { formatWarning } from '../../src/definitions/errors.ts';
import { loadDefinitions } from '../../src/definitions/load.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { definitionFolder } from './definition-folder.ts';

const BUILD_TYPE = `type: build.finished
title: A build finished
owner: platform
attributes_schema:
  type: object
  required: [repo, steps]
  properties:
    repo: { type: string }
    note: { type: string }
    failures: { type: integer }
    steps:
      type: array
      items:
        type: object
        required: [name]
        properties: { name: { type: string }, seconds: { type: number } }
`;

/** `rest`: what follows the trigger; `filter`: in quotes. */
const onBuild = (rest: string, filter = 'true') => `id: on-build
title: On a build
owner: platform
trigger:
  event: { type: build.finished, filter: '${filter}' }
context_sources:
  - { type: event-payload, bind_to: context.build }
${rest}`;

async function told(text: string): Promise<string[]> {
  await using folder = await definitionFolder(
    { 'on-build.yaml': text },
    { 'build.finished.yaml': BUILD_TYPE },
  );
  const result = await loadDefinitions(folder.path, createResolvers());
  expect(result.ok ? [] : result.errors).toEqual([]);
  return result.warnings.map((warning) => formatWarning(warning).replace(`${folder.path}/`, ''));
}

const rule = (condition: string, title: string, more = '') =>
  `rules:\n  - id: one\n${more}    condition: '${condition}'\n    task:\n      title: "${title}"\n`;

test('a warning names file, line, column, field and its code', async () => {
  expect(await told(onBuild(rule('context.build.failures > 3', 'Look')))).toEqual([
    expect.stringMatching(
      /^on-build\.yaml:10:17 rules\[0\]\.condition: warning: context\.build\.failures may be missing.* \(optional_field\)$/,
    ),
  ]);
});

test('in a template it stands at the part that reads the field', async () => {
  expect(await told(onBuild(rule('true', 'Look at {{ context.build.note }}')))).toEqual([
    expect.stringMatching(/^on-build\.yaml:12:26 rules\[0\]\.task\.title: warning: context\.build\.note may/),
  ]);
});

test('a field that the condition asks for may be read by its task', async () => {
  expect(await told(onBuild(rule('has(context.build.note)', '{{ context.build.note }}')))).toEqual([]);
  expect(await told(onBuild(rule('has(event.attributes.note)', '{{ context.build.note }}')))).toEqual([]);
});

test('a field that the filter asks for may be read everywhere', async () => {
  const rules = rule('context.build.failures > 3', '{{ context.build.failures }}');
  expect(await told(onBuild(rules, 'has(event.attributes.failures)'))).toEqual([]);
  expect(await told(onBuild(rules, 'has(event.attributes.note)'))).toHaveLength(1);
});

test('what one place reads is not told of again where that place has failed before', async () => {
  const rules = rule('true', '{{ context.build.note }} {{ context.build.note }}');
  expect(await told(onBuild(`${rules}      description: "{{ context.build.note }}"\n`))).toHaveLength(1);
});

test('the elements of a list that was filtered by what it asks for are read without a warning', async () => {
  const each = (list: string) => rule('item.seconds > 1.0', '{{ item.seconds }}', `    for_each: ${list}\n`);
  expect(await told(onBuild(each('context.build.steps')))).toHaveLength(1);
  expect(await told(onBuild(each('context.build.steps.filter(s, has(s.seconds))')))).toEqual([]);
});

test('an event is null in scheduled runs', async () => {
  const scheduled = `id: on-build\ntitle: t\nowner: o\ntrigger: { schedule: { every: 1h } }\n${rule('event.type == "x"', 'T')}`;
  expect(await told(scheduled)).toEqual([expect.stringMatching(/rules\[0\]\.condition: .* \(no_event\)$/)]);
});

test('warnings are told beside errors, and refuse nothing by themselves', async () => {
  const text = onBuild(`${rule('context.build.failures > 3', 'Look')}emit: never\n`);
  await using folder = await definitionFolder(
    { 'on-build.yaml': text },
    { 'build.finished.yaml': BUILD_TYPE },
  );
  const result = await loadDefinitions(folder.path, createResolvers());
  expect(result).toMatchObject({
    ok: false,
    errors: [{ path: 'emit' }],
    warnings: [{ path: 'rules[0].condition', code: 'optional_field' }],
  });
});

test('the shipped definitions have none', async () => {
  const result = await loadDefinitions('definitions', createResolvers());
  expect(result.warnings).toEqual([]);
});
