import { symlink, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { loadDefinitions, loadPaths } from '../../src/definitions/load.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { definitionFolder, HOURLY, METRICS_TYPE, REVIEW } from './definition-folder.ts';

const resolvers = createResolvers();

test('a folder gives its definitions in the order of their ids, compiled, with defaults filled in', async () => {
  await using folder = await definitionFolder({
    'review.yaml': REVIEW,
    'hourly.yml': HOURLY,
    'README.md': '#',
  });
  const result = await loadDefinitions(folder.path, resolvers);
  expect(result).toMatchObject({ ok: true, eventTypes: [{ type: 'kaizen.metrics.recorded' }] });
  expect(result.definitions.map(({ definition }) => definition.id)).toEqual(['hourly', 'review']);
  expect(result.definitions[0]).toMatchObject({
    file: folder.in('hourly.yml'),
    definition_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    document: {
      enabled: true,
      trigger: { schedule: { cron: '15 * * * *', overlap: 'skip', catchup_window: '1h', jitter: '0s' } },
      limits: { max_tasks_per_run: 50 },
      emit: 'audit',
    },
    compiled: expect.anything(),
  });
});

test('order of fields, comments and written-out defaults do not change the hash; a value does', async () => {
  const hash = async (text: string) => {
    await using folder = await definitionFolder({ 'hourly.yaml': text });
    return (await loadDefinitions(folder.path, resolvers)).definitions[0]?.definition_hash;
  };
  const [first, ...rest] = HOURLY.trimEnd().split('\n');
  const same = `# a comment\nemit: audit\nlimits: {}\nrules: []\n${rest.join('\n')}\n${first}\n`;
  const original = await hash(HOURLY);
  expect(original).toBeTypeOf('string');
  expect(await hash(same)).toBe(original);
  expect(await hash(HOURLY.replace('15 *', '16 *'))).not.toBe(original);
});

test('`for_each` without `as` is the same content as with `as: item`', async () => {
  const text = `id: x\ntitle: x\nowner: x\ntrigger: { manual: {} }\nrules:\n  - id: r\n    for_each: "[1, 2]"\n    condition: item > 1\n    task: { title: t }\n`;
  const hash = async (definition: string) => {
    await using folder = await definitionFolder({ 'x.yaml': definition });
    return (await loadDefinitions(folder.path, resolvers)).definitions[0]?.definition_hash;
  };
  expect(await hash(text)).toBeTypeOf('string');
  expect(await hash(text.replace('    condition', '    as: item\n    condition'))).toBe(await hash(text));
});

test('an invalid file hides none of the valid ones', async () => {
  await using folder = await definitionFolder({ 'hourly.yaml': HOURLY, 'bad.yaml': 'id: 5\n' });
  const result = await loadDefinitions(folder.path, resolvers);
  expect(result.ok).toBe(false);
  expect(result.definitions.map(({ definition }) => definition.id)).toEqual(['hourly']);
});

test('a single file finds the event types in the folder beside it', async () => {
  await using folder = await definitionFolder({ 'review.yaml': REVIEW, 'bad.yaml': 'id: 5\n' });
  const result = await loadPaths([folder.in('review.yaml')], { resolvers, definitionsDir: null });
  expect(result).toMatchObject({ ok: true, definitions: [{ definition: { id: 'review' } }], eventTypes: [] });
});

test('a single file with nothing beside it finds the event types of the definitions folder', async () => {
  await using folder = await definitionFolder({});
  await using elsewhere = await definitionFolder({ 'review.yaml': REVIEW }, {});
  const load = (definitionsDir: string | null) =>
    loadPaths([elsewhere.in('review.yaml')], { resolvers, definitionsDir });
  expect(await load(folder.path)).toMatchObject({ ok: true });
  expect(await load(null)).toMatchObject({
    ok: false,
    errors: [{ path: 'trigger.event.type', message: expect.stringContaining('no event type is registered') }],
  });
});

test('an event type is known by its fields wherever it stands, and counts for the definitions given with it', async () => {
  await using folder = await definitionFolder(
    { 'review.yaml': REVIEW, 'kaizen.metrics.recorded.yaml': METRICS_TYPE },
    {},
  );
  const paths = [folder.in('review.yaml'), folder.in('kaizen.metrics.recorded.yaml')];
  expect(await loadPaths(paths, { resolvers, definitionsDir: null })).toMatchObject({
    ok: true,
    definitions: [{ definition: { id: 'review' } }],
    eventTypes: [{ type: 'kaizen.metrics.recorded' }],
  });
});

test('a file that is given twice, also through its folder, counts once', async () => {
  await using folder = await definitionFolder({ 'review.yaml': REVIEW });
  const paths = [folder.path, folder.in('review.yaml'), folder.in('event-types'), folder.path];
  const result = await loadPaths(paths, { resolvers, definitionsDir: null });
  expect(result).toMatchObject({ ok: true });
  expect(result.files).toHaveLength(2);
});

test('one event type in two files is refused, and both are named', async () => {
  await using folder = await definitionFolder(
    {},
    {
      'kaizen.metrics.recorded.yaml': METRICS_TYPE,
      'kaizen.metrics.recorded.yml': METRICS_TYPE,
    },
  );
  expect(await loadDefinitions(folder.path, resolvers)).toMatchObject({
    ok: false,
    errors: [
      {
        file: folder.in('event-types/kaizen.metrics.recorded.yml'),
        path: 'type',
        message: expect.stringContaining('recorded.yaml'),
      },
    ],
  });
});

test('a path that does not exist is an error, and so is one that is no YAML file', async () => {
  await using folder = await definitionFolder({ 'notes.txt': 'x' });
  const paths = [folder.in('absent.yaml'), folder.in('absent'), folder.in('notes.txt')];
  expect(await loadPaths(paths, { resolvers, definitionsDir: null })).toMatchObject({
    ok: false,
    errors: [
      { file: folder.in('absent'), line: 1, column: 1, message: 'there is no such file or folder' },
      { file: folder.in('absent.yaml'), message: 'there is no such file or folder' },
      { file: folder.in('notes.txt'), message: 'expected a file that ends in .yaml or .yml' },
    ],
  });
});

test('a link inside the folder is followed, one that leads out of it is refused', async () => {
  await using outside = await definitionFolder({ 'secret.yaml': HOURLY });
  await using folder = await definitionFolder({ '..data/hourly.yaml': HOURLY });
  await symlink('..data/hourly.yaml', folder.in('hourly.yaml'));
  expect(await loadDefinitions(folder.path, resolvers)).toMatchObject({ ok: true, definitions: [{}] });

  await symlink(outside.in('secret.yaml'), folder.in('secret.yaml'));
  expect(await loadDefinitions(folder.path, resolvers)).toMatchObject({
    ok: false,
    errors: [{ file: folder.in('secret.yaml'), message: 'this link leads out of the folder' }],
  });
});

test('a folder named like a file and a link to nowhere are errors, not crashes', async () => {
  await using folder = await definitionFolder({ 'folder.yaml/x': '' });
  await symlink('nowhere.yaml', folder.in('dangling.yaml'));
  await writeFile(folder.in('.hidden.yaml'), 'not: [looked at');
  expect(await loadDefinitions(folder.path, resolvers)).toMatchObject({
    ok: false,
    errors: [
      { file: folder.in('dangling.yaml'), message: 'there is no such file or folder' },
      { file: folder.in('folder.yaml'), message: 'expected a regular file' },
    ],
  });
});

test('the definitions that ship are valid', async () => {
  const result = await loadDefinitions('definitions', resolvers);
  expect(result.ok ? [] : result.errors).toEqual([]);
  expect(result.definitions.map(({ definition }) => definition.id)).toContain('low-success-rate-review');
});
