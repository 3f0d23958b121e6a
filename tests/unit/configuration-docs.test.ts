/** docs/configuration.md is held to src/config.ts: each variable, its default, and which ones are secret. */
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { codes, matches, read, rows } from './markdown.ts';

const page = read('docs/configuration.md');
const source = read('src/config.ts');

const tables = page.split(/^## /m).filter((text) => text.includes('| variable | default |'));
/** One for each variable; a row may hold several. */
const documented = tables.flatMap(rows).flatMap(([names, defaults, what = '']) =>
  codes(names).map((name, at) => ({
    name,
    default: codes(defaults)[at] ?? null,
    isSecret: what.includes('**Secret**'),
  })),
);

test('it names each variable that is read, and no other', () => {
  const [, schema = ''] = /environmentSchema = z\.object\(\{(.*?)^\}\);/ms.exec(source) ?? [];
  expect(documented.map(({ name }) => name).toSorted()).toEqual(
    matches(schema, /^ {2}([A-Z_]+):/gm).toSorted(),
  );
});

test('it names each default', () => {
  const config: Record<string, unknown> = { ...parseConfig({}) };
  const { connectionOptions } = parseConfig({}).temporal;
  const said = (name: string): string | null => {
    if (name === 'TEMPORAL_ADDRESS') return connectionOptions.address ?? 'localhost:7233';
    if (name === 'TEMPORAL_NAMESPACE') return parseConfig({}).temporal.namespace ?? 'default';
    if (name === 'DEFINITIONS_DIR') return 'definitions';
    return config[name] === undefined ? null : String(config[name]);
  };
  expect(documented.map(({ name, default: shown }) => [name, shown])).toEqual(
    documented.map(({ name }) => [name, said(name)]),
  );
});

test('it marks each secret', () => {
  const [, list = ''] = /const SECRETS = \[(.*?)\]/s.exec(source) ?? [];
  const secrets = matches(list, /'([A-Z_]+)'/g);
  const marked = documented.filter(({ isSecret }) => isSecret).map(({ name }) => name);
  expect([...marked, 'TEMPORAL_API_KEY'].toSorted()).toEqual(secrets.toSorted());
  expect(page).toMatch(/`TEMPORAL_API_KEY` \(\*\*secret\*\*\)/);
});
