/** What the documents say of files, commands, codes and tables is held to the code. */
import { existsSync, globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { parseConfig } from '../../src/config.ts';
import { codes, matches, prose, read, rows, section } from './markdown.ts';

const documents = globSync(['*.md', 'docs/**/*.md', 'k8s/**/*.md', 'workplans/*.md', 'history/*.md']).sort();
const adrs = globSync('docs/adr/adr-*.md').sort();
const sources = globSync('src/**/*.ts').map(read).join('\n');

describe.each(documents)('%s', (file) => {
  test('has only links that lead somewhere', () => {
    const dead = matches(prose(file), /\]\(([^)]+)\)/g)
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => !leadsSomewhere(file, link));
    expect(dead).toEqual([]);
  });

  test('names only files that exist', () => {
    const named = matches(read(file), /`((?:src|tests|migrations|k8s)\/[^`\s*]*)`/g);
    expect(named.filter((name) => !existsSync(name))).toEqual([]);
  });

  test('names only functions and types that the code has', () => {
    const named = matches(prose(file), /`([a-zA-Z]+[a-z][A-Z][a-zA-Z]*)`/g);
    expect(named.filter((name) => !new RegExp(`\\b${name}\\b`).test(sources))).toEqual([]);
  });

  test('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json'));
    const named = matches(read(file), /\bnpm run ([a-z]+)/g);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test('names only commands that the program has', () => {
    const program = createProgram(silentCli);
    const named = matches(read(file), /\bnpx activity-core ((?:[a-z][a-z-]* ?)+)/g);
    expect(named.filter((words) => !hasCommand(program, words.trim().split(' ')))).toEqual([]);
  });
});

const silentCli: Parameters<typeof createProgram>[0] = {
  terminal: { print: () => undefined, warn: () => undefined, columns: null, style: (_style, text) => text },
  now: () => new Date(0),
  readConfig: () => parseConfig({}),
  apiAddress: undefined,
  readDevFile: async () => null,
  readInput: async () => new Uint8Array(),
  end: () => undefined,
};

/** The words that follow a command without sub-commands are its arguments. */
function hasCommand(program: Command, words: string[]): boolean {
  const [word, ...rest] = words;
  const command = program.commands.find((candidate) => candidate.name() === word);
  if (!command) return false;
  return command.commands.length === 0 || (rest.length > 0 && hasCommand(command, rest));
}

function leadsSomewhere(file: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? file : join(dirname(file), path);
  if (!existsSync(target)) return false;
  if (anchor === undefined) return true;
  return matches(prose(target), /^#+ (.*)$/gm).some((heading) => anchorOf(heading) === anchor);
}

const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

describe.each(adrs)('%s', (file) => {
  const text = read(file);

  test('has what a decision needs, in order', () => {
    const number = /adr-(\d{3})-/.exec(file)?.[1];
    expect(text).toMatch(
      new RegExp(
        `^# ADR-${number}: .+\n\nStatus: (Proposed|Accepted|Superseded by ADR-\\d{3})\n\nDate: \\d{4}-\\d\\d-\\d\\d\n\n## Context\n`,
      ),
    );
    expect(matches(text, /^## (.*)$/gm)).toEqual(['Context', 'Decision', 'Consequences']);
    expect(text.split('\n').length).toBeLessThanOrEqual(61);
  });

  test('stands in the index', () => {
    expect(read('docs/adr/README.md')).toContain(`](${file.replace('docs/adr/', '')})`);
  });
});

test('the architecture names each table that the migrations make, and no other', () => {
  const migrations = globSync('migrations/*.sql').map(read).join('\n');
  const made = matches(migrations, /^CREATE TABLE (\w+)/gm);
  const named = rows(section('docs/architecture.md', '## Tables')).flatMap(([cell]) => codes(cell));
  expect(named.toSorted()).toEqual([...made, 'schema_migrations'].toSorted());
});

test('the architecture names each room, and no other', () => {
  const rooms = new Set(globSync('src/**/*.ts').map((file) => file.split('/').slice(0, 2).join('/')));
  const named = rows(section('docs/architecture.md', '## Rooms')).flatMap(([cell]) => codes(cell));
  expect(named.toSorted()).toEqual([...rooms].toSorted());
});

test.each(['docs/adr/adr-003-rule-instruction-model.md', 'SCOPE.md'])(
  '%s says in the same words that review_required is metadata and is never sent',
  (file) => {
    const words = prose(file).replaceAll('*', '').replaceAll(/\s+/g, ' ');
    expect(words).toContain(
      '`review_required` is audit and report metadata only: it stands on runs, specs and reports, and the REST sink never sends it.',
    );
  },
);

test('the commands that the documents show have the options that they are given', () => {
  const program = createProgram(silentCli);
  const shown = documents.flatMap((file) => matches(read(file), /^npx activity-core (.*)$/gm));
  const unknown = shown.flatMap((line) => {
    const command = commandOf(program, line.split(' '));
    const known = command.options.map(({ long }) => long);
    return matches(line, / (--[a-z-]+)/g).flatMap((option) => (known.includes(option) ? [] : [line]));
  });
  expect(unknown).toEqual([]);
  expect(shown.length).toBeGreaterThan(20);
});

function commandOf(program: Command, [word, ...rest]: string[]): Command {
  const command = program.commands.find((candidate) => candidate.name() === word);
  return command ? commandOf(command, rest) : program;
}

const inOneLine = (file: string) => prose(file).replaceAll(/\s+/g, ' ');

describe.each([
  [
    'access',
    'The admin API is ClusterIP-only until a separate decision on authenticated ingress.',
    '## Access posture',
  ],
  [
    'evidence',
    'Ops evidence is fallback-first: the accepted path is State Hub progress of the type `ops_inventory_probe`.',
    '## Evidence posture',
  ],
])('the posture on %s', (name, statement, heading) => {
  test('is one statement, wherever it is made', () => {
    expect(section('docs/runbook.md', heading).replaceAll(/\s+/g, ' ')).toContain(statement);
    const manifests = globSync('k8s/railiance/README.md').filter(() => name === 'access');
    for (const file of ['SCOPE.md', ...manifests]) expect(inOneLine(file), file).toContain(statement);
  });
});

test('nothing in the sources reads or writes task_instances', () => {
  const naming = globSync('src/**/*.ts').filter((file) => read(file).includes('task_instances'));
  expect(naming.sort()).toEqual(['src/store/service-role.ts', 'src/workflows/task-executor.ts']);
  expect(read('src/store/service-role.ts')).toContain('  task_instances: [],\n');
});

test('the runbook has a recipe for each symptom, from what is seen to when it is over', () => {
  const [, chapter = ''] = read('docs/runbook.md').split('\n## What is wrong, by symptom\n');
  const [, ...recipes] = chapter.split(/\n## /)[0]?.split(/\n### /) ?? [];
  expect(recipes.map((recipe) => recipe.split('\n')[0])).toEqual([
    'Consumer lag grows',
    'Events are quarantined',
    'Runs fail',
    'Tasks stay pending',
    'An expectation is breached',
    'Trust is lost',
    'Ticks are missed',
    'Not ready',
    'Nothing is measured',
  ]);
  for (const recipe of recipes) {
    for (const part of ['**You see**', '**Why.**', '```sh', '**Do.**', '**It is over**']) {
      expect(recipe).toContain(`\n${part}`);
    }
  }
});
