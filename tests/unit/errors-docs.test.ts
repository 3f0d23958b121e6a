/** docs/errors.md is held to the code, both ways: no code without a line, no line without a code. */
import { globSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PROBLEMS } from '../../src/api/problem.ts';
import { SKIP_ADVICE } from '../../src/cli/engagement-report.ts';
import { QUARANTINE_REASONS } from '../../src/core/envelope.ts';
import { WARNING_CODES } from '../../src/core/expression-warning.ts';
import { matches as all, codes, read, rows, section } from './markdown.ts';

const sources = globSync('src/**/*.ts').map(read);

const rowsBelow = (heading: string) => rows(section('docs/errors.md', `## ${heading}`));
const codesBelow = (heading: string) =>
  rowsBelow(heading)
    .flatMap(([cell]) => codes(cell))
    .toSorted();
const unique = (found: readonly string[]) => [...new Set(found)].toSorted();

test('it names each problem of the API with its status', () => {
  const documented = rowsBelow('API').map(([code, status]) => [codes(code)[0], Number(status)]);
  expect(Object.fromEntries(documented)).toEqual(
    Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status])),
  );
});

test('it names each error code of a run', () => {
  const [, union = ''] = /type RunErrorCode =([^;]*);/.exec(read('src/core/decision.ts')) ?? [];
  expect(codesBelow('Run errors')).toEqual(unique(all(union, /'([a-z_]+)'/g)));
});

test('it names each reason of quarantine', () => {
  expect(codesBelow('Quarantine reasons')).toEqual(unique(QUARANTINE_REASONS));
});

test('it names each code of a skipped repository', () => {
  expect(codesBelow('Skipped repositories')).toEqual(unique(Object.keys(SKIP_ADVICE)));
});

test('it names each reason why specs are only audited, word for word', () => {
  const said = ['src/sinks/sink-mode.ts', 'src/activities/why-not-live.ts'].flatMap((file) =>
    all(read(file), /(?:reason: |return |SAYS_AUDIT = )'([^']+)'/g),
  );
  expect(rowsBelow('Why it is audit').map(([reason]) => reason)).toEqual(expect.arrayContaining(said));
  expect(rowsBelow('Why it is audit')).toHaveLength(said.length);
});

/** Errors that never leave their transaction: whoever threw them catches them. */
const INTERNAL = new Set(['registry_changed', 'pause_ended', 'event_missing', 'resolver_failed']);

test('it names the code of each error of its own', () => {
  const declared = sources.flatMap((source) =>
    all(source, /^ {2}readonly code(?:: | = )([^;]+);$/gm).flatMap((codes) => all(codes, /'([a-z_]+)'/g)),
  );
  expect(codesBelow('Starting and applying')).toEqual(unique(declared).filter((code) => !INTERNAL.has(code)));
});

test('it names each warning of definitions', () => {
  expect(codesBelow('Warnings of definitions')).toEqual(unique(WARNING_CODES));
});

test('it names each type with which a workflow or an activity fails', () => {
  const thrown = sources.flatMap((source) => [
    ...all(source, /\b(?:nonRetryable|retryable)\([^()]*?'([a-z]+_[a-z_]+)',?\s*\)/g),
    ...all(source, /\bApplicationFailure\.create\(\{[^;]*?type: '([a-z_]+)'/g),
    ...all(source, /\blater\([a-z_]+, '([a-z_]+)'\)/g),
  ]);
  expect(codesBelow('Failures in Temporal')).toEqual(unique(thrown));
});

test('every code has a meaning and something to do next', () => {
  const rows = [
    'Run errors',
    'Quarantine reasons',
    'Skipped repositories',
    'Warnings of definitions',
    'Failures in Temporal',
  ].flatMap(rowsBelow);
  expect(rows.filter((cells) => cells.length !== 3 || cells.some((cell) => cell.trim() === ''))).toEqual([]);
});
