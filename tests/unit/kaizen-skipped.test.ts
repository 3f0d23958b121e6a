import { execFileSync } from 'node:child_process';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { PILOT, type ReposRoot, reposRoot, rosterOf, SCHEDULE, scheduleOf } from './repos-root.ts';

/** The reason why `a` was skipped; `good` beside it must be there all the same. */
async function reasonOf(
  make: (root: ReposRoot) => unknown,
  roster?: Record<string, string>,
): Promise<string> {
  await using root = await reposRoot({ [`good/${SCHEDULE}`]: PILOT });
  await make(root);
  if (roster) await root.write('engagement/roster.yaml', rosterOf({ ...roster, good: '../good' }));
  else await rm(root.in('engagement'), { recursive: true, force: true });
  const found = await root.discover(roster ? { roster_path: 'engagement/roster.yaml' } : {});
  expect(found.entries.map(({ repo }) => repo)).toEqual(['good', 'good']);
  expect(found.skipped).toMatchObject([{ repo: 'a' }]);
  return found.skipped[0]?.reason ?? '';
}

const withSchedule = (content: string | Uint8Array) =>
  reasonOf((root) => root.write(`a/${SCHEDULE}`, content));

const entry = (fields: string) => scheduleOf(`{ ${fields} }`);
const bomb = `version: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n${'bcdefghi'
  .split('')
  .map((name) => {
    const alias = `*${String.fromCharCode(name.charCodeAt(0) - 1)}`;
    return `${name}: &${name} [${Array(10).fill(alias).join(', ')}]\n`;
  })
  .join('')}schedules: *i\n`;

test.each([
  ['an alias bomb', bomb, 'values once its aliases are expanded'],
  [
    'a key that stands twice',
    'version: 1\nversion: 1\nschedules: []\n',
    ':2:1 version: the key `version` stands here',
  ],
  [
    'an unknown field',
    'version: 1\nschedules: []\nshedules: []\n',
    ':3:1 shedules: unknown field `shedules`',
  ],
  ['an unknown field of an entry', entry('agent: a, cadence: daily, corn: x'), 'did you mean `cron`?'],
  ['another version', 'version: 2\nschedules: []\n', ':1:10 version: expected `1`'],
  [
    'a version that is a text',
    'version: "1"\nschedules: []\n',
    ':1:10 version: expected the number 1, found the text `1`',
  ],
  ['no version', 'schedules: []\n', 'missing required field `version`'],
  ['no schedules', 'version: 1\n', 'missing required field `schedules`'],
  ['no cadence', entry('agent: a'), 'missing required field `cadence`'],
  ['a bad cron', entry('agent: a, cadence: daily, cron: "61 * * * *"'), ':3:39 schedules[0].cron: '],
  ['a cron of six fields', entry('agent: a, cadence: daily, cron: "0 15 * * * *"'), 'found six'],
  [
    'an unknown time zone',
    entry('agent: a, cadence: daily, timezone: Mars/Base'),
    'unknown time zone `Mars/Base`',
  ],
  ['a bad cron in a disabled entry', entry('agent: a, cadence: daily, enabled: false, cron: x'), 'cron'],
  ['an agent that is no text', entry('agent: 5, cadence: daily'), 'schedules[0].agent: expected a text'],
  [
    'an agent that leads up',
    entry('agent: ../x, cadence: daily'),
    'expected letters, digits, `.`, `_` and `-`',
  ],
  [
    'an agent of two lines',
    entry('agent: "a\\nb", cadence: daily'),
    ':3:14 schedules[0].agent: expected letters',
  ],
  ['an agent of 101 characters', entry(`agent: ${'a'.repeat(101)}, cadence: daily`), 'at most 100'],
  [
    'an agent that stands twice',
    scheduleOf('{ agent: coach, cadence: daily }', '{ agent: coach, cadence: daily, cron: "0 6 * * *" }'),
    ':4:14 schedules[1].agent: the agent `coach` has a second daily schedule here',
  ],
  ['a wrong cadence and another fault', entry('agent: 5, cadence: hourly'), 'schedules[0].agent'],
  [
    'a hundred and one entries',
    scheduleOf(...Array(101).fill('{ agent: a, cadence: daily }')),
    'at most 100',
  ],
  ['an empty file', '', 'the file is empty'],
  ['a list', '- 1\n', 'expected a mapping'],
  ['broken YAML', 'version: [1\n', SCHEDULE],
  ['brackets without an end', '['.repeat(60_000), 'nested deeper'],
  ['bytes that are not UTF-8', new Uint8Array([0xff, 0xfe, 0x00, 0x80]), 'not UTF-8'],
  ['a NUL', 'version: 1\u0000\n', 'control character'],
])('%s makes the repository malformed', async (_what, content, message) => {
  const reason = await withSchedule(content);
  expect(reason).toMatch(/^malformed: \.kaizen\/schedule\.yml:\d+:\d+ /);
  expect(reason).toContain(message);
});

test('a cadence that is none is told apart from the rest', async () => {
  const reason = await withSchedule(entry('agent: a, cadence: dayly'));
  expect(reason).toMatch(/^invalid_cadence: .*did you mean `daily`\?$/);
});

test('a file over 64 KiB is too large, one of exactly 64 KiB is read', async () => {
  const large = Buffer.alloc(10 * 1024 * 1024, '#');
  expect(await withSchedule(large)).toBe(
    'too_large: .kaizen/schedule.yml is larger than the 65536 bytes allowed',
  );
  await using root = await reposRoot({ [`a/${SCHEDULE}`]: PILOT.padEnd(64 * 1024, '#') });
  expect((await root.discover()).entries).toHaveLength(2);
});

test('another engagement than the roster’s is a mismatch, none at all is fine', async () => {
  const other = PILOT.replace('coulomb-loop', 'ohm-loop');
  expect(await reasonOf((root) => root.write(`a/${SCHEDULE}`, other), { a: '../a' })).toBe(
    'engagement_mismatch: .kaizen/schedule.yml is of the engagement `ohm-loop`, expected `coulomb-loop`',
  );
  await using root = await reposRoot({ [`a/${SCHEDULE}`]: entry('agent: x, cadence: daily') });
  await root.write('roster.yaml', rosterOf({ a: 'a' }));
  const { entries } = await root.discover({ roster_path: 'roster.yaml' });
  expect(entries).toMatchObject([{ repo: 'a', engagement: 'coulomb-loop' }]);
  expect((await root.discover({})).entries).toMatchObject([{ engagement: null }]);
});

test('a folder without a schedule and one that is not there are told apart', async () => {
  const roster = { a: '../a' };
  expect(await reasonOf((root) => mkdir(root.in('a')), roster)).toMatch(/^no_schedule: /);
  expect(await reasonOf(() => undefined, roster)).toBe("missing: the repository's folder is not there");
  expect(await reasonOf((root) => symlink('gone', root.in('a')))).toMatch(/^missing: /);
});

test.each([
  ['an absolute path', '/etc'],
  ['a way out with ..', '../../outside/repo'],
  ['a way out to what does not exist', '../../../no/such/folder'],
])('%s lies outside the root', async (_what, path) => {
  const make = (root: ReposRoot) => mkdir(join(root.outside, 'repo/.kaizen'), { recursive: true });
  expect(await reasonOf(make, { a: path })).toMatch(/^outside_root: /);
});

test('links that lead out of the root are not followed, wherever they stand on the way', async () => {
  const targetOutside = async (root: ReposRoot) => {
    const repo = join(root.outside, 'repo');
    await mkdir(join(repo, '.kaizen'), { recursive: true });
    await writeFile(join(repo, SCHEDULE), PILOT);
    return repo;
  };
  for (const part of ['', '.kaizen', SCHEDULE]) {
    const make = async (root: ReposRoot) => {
      const repo = await targetOutside(root);
      const link = join(root.in('a'), part);
      await mkdir(dirname(link), { recursive: true });
      await symlink(join(repo, part), link);
    };
    expect(await reasonOf(make), part).toMatch(/^outside_root: .* leads out of KAIZEN_REPOS_ROOT$/);
  }
});

test('a slug that the roster names twice is skipped the second time', async () => {
  await using root = await reposRoot({ [`a/${SCHEDULE}`]: PILOT });
  const twice = `${rosterOf({ a: 'a' })}  - { slug: a, path: b }\n`;
  await root.write('roster.yaml', twice);
  const found = await root.discover({ roster_path: 'roster.yaml' });
  expect(found).toMatchObject({ repos_scanned: 2, entries: [{}, {}] });
  expect(found.skipped).toEqual([
    { repo: 'a', reason: 'malformed: the roster names the slug `a` a second time' },
  ]);
});

test.each([
  ['a path with U+0000', '{ slug: a, path: "b\\0" }', 'a', '3:22 repos[0].path: this text holds U+0000'],
  [
    'a path that is too long',
    `{ slug: a, path: ${'p'.repeat(4097)} }`,
    'a',
    '3:22 repos[0].path: expected at most 4096',
  ],
  ['no path', '{ slug: a }', 'a', '3:5 repos[0].path: missing required field `path`'],
  ['an empty slug', '{ slug: "", path: a }', 'repos[0]', '3:13 repos[0].slug: expected letters'],
  ['a slug that leads up', '{ slug: ../x, path: a }', 'repos[0]', '3:13 repos[0].slug: expected letters'],
  ['a slug of two lines', '{ slug: "a\\nb", path: a }', 'repos[0]', '3:13 repos[0].slug: expected letters'],
  ['a slug of 101 characters', `{ slug: ${'s'.repeat(101)}, path: a }`, 'repos[0]', 'at most 100'],
  ['a slug that is a number', '{ slug: 5, path: a }', 'repos[0]', '3:13 repos[0].slug: expected a text'],
  [
    'a slug that is a huge number',
    `{ slug: ${'9'.repeat(30)}, path: a }`,
    'repos[0]',
    'too large to be kept',
  ],
  [
    'a slug that stands twice',
    '{ slug: a, slug: b, path: a }',
    'a',
    'the key `slug` stands here a second time',
  ],
  ['a text', 'just-a-name', 'repos[0]', '3:5 repos[0]: expected a mapping, found the text `just-a-name`'],
  ['nothing', '', 'repos[0]', 'repos[0]: expected a mapping'],
])('an entry of the roster with %s is skipped, and the others go on', async (_what, line, repo, message) => {
  await using root = await reposRoot({ [`good/${SCHEDULE}`]: PILOT });
  await root.write('roster.yaml', `other: 1\nrepos:\n  - ${line}\n  - { slug: good, path: good }\n`);
  const found = await root.discover({ roster_path: 'roster.yaml' });
  expect(found).toMatchObject({ repos_scanned: 2, entries: [{ repo: 'good' }, { repo: 'good' }] });
  expect(found.skipped).toEqual([{ repo, reason: expect.stringContaining(message) }]);
  expect(found.skipped[0]?.reason).toMatch(/^malformed: roster\.yaml:3:\d+ /);
});

test('a hundred bad entries of the roster are a hundred skipped ones', async () => {
  await using root = await reposRoot({ [`good/${SCHEDULE}`]: PILOT });
  const bad = '  - { slug: a, path: "\\0" }\n'.repeat(100);
  await root.write('roster.yaml', `repos:\n${bad}  - { slug: good, path: good }\n`);
  const found = await root.discover({ roster_path: 'roster.yaml' });
  expect(found).toMatchObject({ repos_scanned: 101, entries: [{ repo: 'good' }, { repo: 'good' }] });
  expect(found.skipped).toHaveLength(100);
});

const NOT_A_FILE = 'unreadable: .kaizen/schedule.yml is not a regular file';

test('a pipe, a socket, a folder and links in circles are unreadable, and nothing waits for them', async () => {
  const at = async (root: ReposRoot) => {
    await mkdir(root.in('a/.kaizen'), { recursive: true });
    return root.in(`a/${SCHEDULE}`);
  };
  expect(await reasonOf(async (root) => execFileSync('mkfifo', [await at(root)]))).toBe(NOT_A_FILE);
  expect(await reasonOf(async (root) => mkdir(await at(root)))).toBe(NOT_A_FILE);
  expect(await reasonOf(async (root) => symlink('schedule.yml', await at(root)))).toMatch(
    /^unreadable: .*leads back to itself$/,
  );
  expect(await reasonOf((root) => root.write('a/.kaizen', 'a file'))).toMatch(/^unreadable: /);
  expect(await reasonOf((root) => root.write('engagement/a', 'a file'), { a: 'a' })).toMatch(/^unreadable: /);

  const server = createServer();
  const listening = async (root: ReposRoot) => {
    const path = await at(root);
    await new Promise<void>((resolve) => server.listen(path, resolve));
  };
  expect(await reasonOf(listening)).toBe(NOT_A_FILE);
  server.close();
});

const userId = process.getuid?.();
afterEach(() => {
  if (userId !== undefined) process.seteuid?.(userId);
});

test('what may not be read is unreadable', async () => {
  await using root = await reposRoot({ [`a/${SCHEDULE}`]: PILOT, [`b/${SCHEDULE}`]: PILOT });
  await chmod(dirname(root.path), 0o755);
  await chmod(root.in('a/.kaizen'), 0o000);
  await chmod(root.in(`b/${SCHEDULE}`), 0o000);
  // Root may read everything.
  if (userId === 0) process.seteuid?.(65_534);
  const found = await root.discover();
  if (userId === 0) process.seteuid?.(0);
  await chmod(root.in('a/.kaizen'), 0o755);
  const reason = 'unreadable: .kaizen/schedule.yml cannot be read (EACCES)';
  expect(found.skipped).toEqual([
    { repo: 'a', reason },
    { repo: 'b', reason },
  ]);
});
