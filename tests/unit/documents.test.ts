/** What the documents say of files, commands, codes and tables is held to the code. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createProgram } from '../../src/cli/program.ts';
import { parseConfig } from '../../src/config.ts';
import { createAttributesValidator } from '../../src/core/attributes.ts';
import { checkEvent, decodeEnvelope, QUARANTINE_REASONS } from '../../src/core/envelope.ts';

const read = (file: string) => readFileSync(file, 'utf8');
const documents = globSync(['*.md', 'docs/**/*.md', 'workplans/*.md', 'history/*.md']).sort();
const adrs = globSync('docs/adr/adr-*.md').sort();
const workplans = globSync('workplans/*.md');
const sources = globSync('src/**/*.ts').map(read).join('\n');

/** The text without what is quoted in blocks. */
const prose = (file: string) => read(file).replaceAll(/^```.*?^```$/gms, '');
const matches = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, first]) => first ?? '');

/** The lines below a heading, up to the next heading of any level. */
function section(file: string, heading: string): string {
  const [, below] = read(file).split(`\n${heading}\n`);
  if (below === undefined) throw new Error(`${file} has no heading ${heading}`);
  return below.split(/\n#+ /)[0] ?? '';
}

/** The cells of each row of the tables in a text, without the heads. */
function rows(text: string): string[][] {
  return [...text.matchAll(/^\|(?:.*\|)\n\|[-|]+\|\n((?:\|.*\|\n)+)/gm)].flatMap(([, body]) =>
    (body ?? '')
      .trimEnd()
      .split('\n')
      .map((row) =>
        row
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      ),
  );
}

const codes = (cell: string | undefined) => matches(cell ?? '', /`([^`]+)`/g);

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

describe.each(workplans)('%s', (file) => {
  const [, head = '', body = ''] = read(file).split(/^---$/m);
  const plan = parse(head);

  test('has its front matter', () => {
    expect(plan).toEqual({
      id: expect.stringMatching(/^ACTIVITY-WP-\d{4}$/),
      type: 'workplan',
      title: expect.any(String),
      domain: expect.any(String),
      repo: 'activity-core',
      status: expect.stringMatching(/^(active|blocked|done)$/),
      owner: expect.any(String),
      topic_slug: expect.stringMatching(/^[a-z0-9-]+$/),
      created: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      updated: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
    });
    expect(file).toBe(`workplans/${plan.id}-${plan.topic_slug}.md`);
  });

  test('has tasks with id, status, priority and acceptance criteria', () => {
    const tasks = body.split(/^## /m).filter((text) => text.includes('```yaml'));
    const ids = tasks.map((text) => {
      const task = parse(matches(text, /^```yaml\n(.*?)^```$/gms)[0] ?? '');
      expect(task).toEqual({
        id: expect.stringMatching(new RegExp(`^${plan.id}-T\\d\\d$`)),
        status: expect.stringMatching(/^(todo|in_progress|wait|done)$/),
        priority: expect.stringMatching(/^(low|medium|high)$/),
      });
      expect(text, task.id).toMatch(/^Acceptance criteria:\n\n- /m);
      return task.id;
    });
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
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

describe('docs/integrations/events.md', () => {
  const [envelope, cloudEvent, activityStream] = matches(read('docs/integrations/events.md'), /^```json\n(.*?)^```$/gms);
  const eventType = parse(read('definitions/event-types/kaizen.metrics.recorded.yaml'));
  const validate = createAttributesValidator(eventType);
  const refusals = rows(section('docs/integrations/events.md', '## Quarantine'));

  function refusalOf(text: string) {
    const decoded = decodeEnvelope(new TextEncoder().encode(text), '2026-11-20T08:15:00Z');
    if (!decoded.ok) return decoded;
    return checkEvent(decoded.envelope, {
      subject: 'activity.kaizen.metrics.recorded',
      attributesCheck: (type) => (type === eventType.type ? validate : null),
      now: Date.parse('2026-11-21T00:00:00Z'),
      dedupeDays: 400,
    });
  }

  test('both forms of its example are accepted', () => {
    expect([refusalOf(envelope ?? ''), refusalOf(cloudEvent ?? '')]).toEqual([null, null]);
  });

  test('its stream is JSON', () => {
    expect(JSON.parse(activityStream ?? '')).toMatchObject({ name: 'ACTIVITY', retention: 'workqueue' });
  });

  test('it names each reason of quarantine, and no other', () => {
    const named = new Set(refusals.flatMap(([cell]) => codes(cell)));
    expect([...named].toSorted()).toEqual([...QUARANTINE_REASONS].toSorted());
  });

  const changes = refusals
    .filter(([, example]) => example?.startsWith('`"'))
    .filter(([reason]) => reason !== '`id_conflict`');

  test.each(changes)('%s is what becomes of %s', (reason, example, violation) => {
    const [pointer, message] = codes(violation);
    // Of two members with one name, the later counts.
    const changed = `${(envelope ?? '').trimEnd().slice(0, -1)}, ${codes(example)[0]} }`;
    expect(refusalOf(changed)).toMatchObject({
      reason: codes(reason)[0],
      violations: [{ pointer, message }],
    });
  });

  test('it has an example for most reasons', () => {
    expect(changes.length).toBeGreaterThanOrEqual(8);
  });
});
