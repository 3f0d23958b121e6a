import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import type { Cli } from '../../src/cli/cli.ts';
import { createProgram } from '../../src/cli/program.ts';
import { parseConfig } from '../../src/config.ts';
import { capturedTerminal } from '../setup/captured-cli.ts';

const cli: Cli = {
  terminal: capturedTerminal().terminal,
  now: () => new Date(0),
  readConfig: () => parseConfig({}),
  apiAddress: undefined,
  readDevFile: async () => null,
  readInput: async () => new Uint8Array(),
  end: () => undefined,
};

/** Said once, for all commands. */
const SHARED = new Set(['--json', '--api', '--limit', '--cursor']);

const program = createProgram(cli);
const commands = new Map(leavesOf(program, []).map(({ name, command }) => [name, command]));
const text = await readFile('docs/cli.md', 'utf8');
const sections = new Map(
  text.split(/^#{2,3} /m).flatMap((section): [string, string][] => {
    const [, name] = /^`([^`]+)`\n/.exec(section) ?? [];
    return name ? [[name, section]] : [];
  }),
);

test('every command is documented, and every documented command exists', () => {
  expect([...sections.keys()].sort()).toEqual([...commands.keys()].sort());
});

test.each([...commands])('docs/cli.md shows `%s` in use and names its options', (name, command) => {
  const section = sections.get(name) ?? '';
  expect(section).toMatch(new RegExp(`(activity-core|npm run) ${name}\\b`));
  const options = command.options.flatMap(({ long }) => (long && !SHARED.has(long) ? [long] : []));
  expect(options.filter((option) => !section.includes(option))).toEqual([]);
});

test('--help has the commands under the headings of docs/cli.md, in its order', () => {
  const documented = text.split(/^## /m).flatMap((part) => {
    const heading = `${part.split('\n', 1)[0]}:`;
    const names = [...part.matchAll(/^### `([^` ]+)/gm)].map(([, name]) => `${heading} ${name}`);
    return [...new Set(names)];
  });
  expect(program.commands.map((command) => `${command.helpGroup()} ${command.name()}`)).toEqual(documented);
  const help = program.helpInformation();
  const headings = [...new Set(program.commands.map((command) => command.helpGroup()))];
  expect(headings.toSorted((a, b) => help.indexOf(a) - help.indexOf(b))).toEqual(headings);
  expect(help).not.toContain('Commands:');
});

test('the options that all share are documented', () => {
  const shared = text.slice(0, text.indexOf('## Starting it'));
  expect([...SHARED].filter((option) => !shared.includes(option))).toEqual([]);
});

function leavesOf(command: Command, path: string[]): { name: string; command: Command }[] {
  if (command.commands.length === 0) return [{ name: path.join(' '), command }];
  return command.commands.flatMap((child) => leavesOf(child, [...path, child.name()]));
}
