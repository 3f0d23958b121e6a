/** What the service's role may do is held to the statements of the code, both ways. */
import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SERVICE_PRIVILEGES } from '../../src/store/service-role.ts';

/** Whoever migrates does these, not the service. */
const OWNERS = new Set(['migrate.ts', 'service-role.ts']);
const sources = globSync('src/**/*.ts')
  .filter((file) => !OWNERS.has(file.split('/').at(-1) ?? ''))
  .map((file) => readFileSync(file, 'utf8'));

/** `DELETE events`, with `UPDATE t` also for `INSERT INTO t … ON CONFLICT … DO UPDATE`. */
const used = new Set(sources.flatMap(statementsOf).filter((used) => isTable(used.split(' ')[1] ?? '')));
/** Of the whole row; a lock's column is no permission to change rows. */
const granted = Object.entries(SERVICE_PRIVILEGES).flatMap(([table, privileges]) =>
  privileges.filter((privilege) => /^[A-Z]+$/.test(privilege)).map((privilege) => `${privilege} ${table}`),
);

test('every statement of the service has its privilege, and every privilege has a statement', () => {
  expect(used.size).toBeGreaterThan(80);
  expect([...used].filter((each) => !each.startsWith('SELECT')).toSorted()).toEqual(
    granted.filter((each) => !each.startsWith('SELECT')).toSorted(),
  );
  const read = granted.filter((each) => each.startsWith('SELECT') && each !== 'SELECT schema_migrations');
  expect(read.filter((each) => !used.has(each))).toEqual([]);
  expect([...used].filter((each) => each.startsWith('SELECT') && !granted.includes(each))).toEqual([]);
});

test('nothing empties or changes a table', () => {
  const found = sources.flatMap(
    (text) => text.match(/\b(TRUNCATE|ALTER|CREATE|DROP) (TABLE|INDEX)\b/g) ?? [],
  );
  expect(found).toEqual([]);
});

function isTable(name: string): boolean {
  return Object.hasOwn(SERVICE_PRIVILEGES, name);
}

function statementsOf(text: string): string[] {
  const all = (privilege: string, pattern: RegExp) =>
    [...text.matchAll(pattern)].map(([, table]) => `${privilege} ${table}`);
  return [
    ...all('INSERT', /INSERT INTO\s+(\w+)/g),
    ...all('UPDATE', /(?<!DO |FOR |KEY )UPDATE\s+(\w+)/g),
    ...all('UPDATE', /INSERT INTO\s+(\w+)(?:(?!INSERT INTO|`)[\s\S])*?ON CONFLICT[^`]{0,120}?DO UPDATE/g),
    ...all('DELETE', /DELETE FROM\s+(\w+)/g),
    // What `deleteWhere` is asked to delete.
    ...all('DELETE', /deleteWhere\(db, \{ table: '(\w+)'/g),
    ...all('SELECT', /(?<!DELETE )(?:FROM|JOIN)\s+(\w+)/g),
  ];
}
