/** The claims of docs/security.md are held to tests that exist, and `.ci/run` to what it promises. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const text = readFileSync('docs/security.md', 'utf8');
/** Tables whose last column is `test`: [threat, what defends, test]. */
const claims = [
  ...text.matchAll(/^\| threat \| what defends \| test \|\n\|-+\|-+\|-+\|\n((?:\|.*\|\n)+)/gm),
].flatMap(([, rows = '']) =>
  rows
    .trimEnd()
    .split('\n')
    .map((row) => row.slice(2, -2).split(' | ')),
);

test('every table of threats is read, and every row has a threat, a defence and a test', () => {
  expect(claims.length).toBeGreaterThan(40);
  expect(claims.filter((cells) => cells.length !== 3 || cells.some((cell) => cell.trim() === ''))).toEqual(
    [],
  );
  expect(text.match(/`tests\/[^`]+`: /g)).toHaveLength(claims.length);
});

test.each(claims)('%s: its test exists', (_threat, _defence, named) => {
  const [, file = '', name = ''] = /^`(tests\/[^`]+)`: (.+)$/.exec(named ?? '') ?? [];
  const names = [...readFileSync(file, 'utf8').matchAll(TEST)].map(([, , title]) => title);
  expect(names).toContain(name);
});

/** `test(` and its kind, or the end of a `.each(…)` or `.runIf(…)`, with its title. */
const TEST = /(?:\btest|\)|\])\(\s*(['"`])((?:(?!\1).)+)\1,\s*(?:async )?\(/g;

test('the audit is printed before the tests, and fails nothing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'activity-core-ci-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, '.ci'));
  writeFileSync(join(folder, '.ci', 'run'), readFileSync('.ci/run'));
  const npm = join(folder, 'npm');
  writeFileSync(npm, '#!/bin/sh\necho "ran $*"\nif [ "$1" = audit ]; then exit 1; fi\n');
  for (const file of [npm, join(folder, '.ci', 'run')]) chmodSync(file, 0o755);
  const said = execFileSync(join(folder, '.ci', 'run'), {
    encoding: 'utf8',
    env: { PATH: `${folder}:${process.env.PATH}` },
  });
  expect(said.trimEnd().split('\n')).toEqual([
    'ran ci',
    // A registry that takes the question and never answers holds nothing up for npm's own five minutes.
    'ran audit --fetch-retries=0 --fetch-timeout=20000',
    expect.stringMatching(/^npm audit: .*It fails nothing\.$/),
    'ran test',
  ]);
});
