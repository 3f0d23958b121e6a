/** Nothing outside one folder is read, whatever a repository says and whoever moves things meanwhile. */
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readRegularFile, realPathWithin } from '../../src/resolvers/confined-file.ts';

let base: string;
let root: string;
beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'activity-core-confined-')));
  root = join(base, 'root');
  await mkdir(join(root, 'repo'), { recursive: true });
  await mkdir(join(base, 'outside'));
  await mkdir(join(base, 'root-beside'));
  await writeFile(join(root, 'repo', 'file'), 'inside');
  await writeFile(join(base, 'outside', 'file'), 'a secret');
  await writeFile(join(base, 'root-beside', 'file'), 'a secret');
});
afterAll(() => rm(base, { recursive: true }));

test('a file of the folder is found and read', async () => {
  const found = await realPathWithin(root, join(root, 'repo', '..', 'repo', 'file'));
  expect(found).toEqual({ ok: true, path: join(root, 'repo', 'file') });
  const read = await readRegularFile(join(root, 'repo', 'file'), 100);
  expect(read.ok && Buffer.from(read.bytes).toString()).toBe('inside');
});

test.each([
  ['steps out of it', () => join(root, '..', 'outside', 'file')],
  ['is absolute', () => '/etc/passwd'],
  ['starts like it', () => join(base, 'root-beside', 'file')],
  ['is not there, outside', () => join(base, 'nothing', 'file')],
])('a path that %s is outside, and nobody learns whether it exists', async (_what, path) => {
  expect(await realPathWithin(root, path())).toMatchObject({ ok: false, code: 'outside_root' });
});

test('a path with U+0000 is unreadable', async () => {
  const path = `${join(root, 'repo', 'file')}\u0000.yml`;
  expect(await realPathWithin(root, path)).toMatchObject({ ok: false, code: 'unreadable' });
  expect(await readRegularFile(path, 100)).toMatchObject({ ok: false, code: 'unreadable' });
});

test('a link that takes the place of a file after it was checked is not followed', async () => {
  await symlink(join(base, 'outside', 'file'), join(root, 'repo', 'swapped'));
  expect(await readRegularFile(join(root, 'repo', 'swapped'), 100)).toMatchObject({
    ok: false,
    code: 'unreadable',
  });
});

test.runIf(process.platform === 'linux')(
  'a link that takes the place of a folder on the way after it was checked gives nothing',
  async () => {
    await symlink(join(base, 'outside'), join(root, 'swapped'));
    expect(await readRegularFile(join(root, 'swapped', 'file'), 100)).toEqual({
      ok: false,
      code: 'unreadable',
      detail: 'was moved while it was opened',
    });
  },
);
