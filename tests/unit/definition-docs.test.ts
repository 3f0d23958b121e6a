import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { formatError, formatWarning } from '../../src/definitions/errors.ts';
import { loadDefinitions } from '../../src/definitions/load.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { definitionFolder } from './definition-folder.ts';

const guide = await readFile('docs/definitions.md', 'utf8');
const shippedType = await readFile('definitions/event-types/kaizen.metrics.recorded.yaml', 'utf8');
const shipped = await readFile('definitions/low-success-rate-review.yaml', 'utf8');

const examples = [...guide.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text ?? '');

/** A part is tried inside the definition that ships. */
function asFile(example: string, index: number): [name: string, text: string] {
  const name = /^# definitions\/(\S+\.yaml)$/m.exec(example)?.[1];
  if (name) return [name, example];
  if (!example.startsWith('# part of a definition\n'))
    throw new Error(`example ${index} says not what it is`);
  const id = `example-${index}`;
  return [`${id}.yaml`, stringify({ ...parse(shipped), ...parse(example), id })];
}

test.each(examples.map(asFile))('the example %s in the guide for authors is valid', async (name, text) => {
  await using folder = await definitionFolder(
    { [name]: text },
    { 'kaizen.metrics.recorded.yaml': shippedType },
  );
  const result = await loadDefinitions(folder.path, createResolvers());
  expect(result.ok ? [] : result.errors.map(formatError)).toEqual([]);
  expect(result.warnings.map(formatWarning)).toEqual([]);
  expect(result.files).toHaveLength(2);
});

test('the guide has examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(5);
});

test('the guide names every field of a definition', async () => {
  const schema = JSON.parse(await readFile('docs/schema/activity-definition.schema.json', 'utf8'));
  for (const field of Object.keys(schema.properties)) expect(guide).toContain(field);
  for (const type of createResolvers().keys()) expect(guide).toContain(`| \`${type}\` |`);
});
