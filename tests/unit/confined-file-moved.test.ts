/** Files that are replaced between the steps of reading them, as by `git pull` in a repository. */
import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readFileWithin } from '../../src/resolvers/confined-file.ts';

/** What happens around each `open`, one after the other; and what `/proc` says instead of where the file is. */
const meanwhile = vi.hoisted(() => ({
  beforeOpen: [] as (() => Promise<void>)[],
  afterOpen: [] as (() => Promise<void>)[],
  readlinkError: null as Error | null,
}));

vi.mock('node:fs/promises', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs/promises')>();
  return {
    ...fs,
    open: async (...args: Parameters<typeof fs.open>) => {
      await meanwhile.beforeOpen.shift()?.();
      const file = await fs.open(...args);
      await meanwhile.afterOpen.shift()?.();
      return file;
    },
    readlink: async (path: string) => {
      if (meanwhile.readlinkError) throw meanwhile.readlinkError;
      return fs.readlink(path);
    },
  };
});

let base: string;
let root: string;
let path: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'activity-core-moved-')));
  root = join(base, 'root');
  path = join(root, 'file');
  await mkdir(root);
  await writeFile(path, 'old');
  await writeFile(join(base, 'outside'), 'a secret');
});
afterEach(async () => {
  Object.assign(meanwhile, { beforeOpen: [], afterOpen: [], readlinkError: null });
  await rm(base, { recursive: true });
});

async function replace(): Promise<void> {
  await writeFile(join(root, 'new'), 'new');
  await rename(join(root, 'new'), path);
}

async function replaceByLink(target: string): Promise<void> {
  await symlink(target, join(root, 'link'));
  await rename(join(root, 'link'), path);
}

async function read(): Promise<string> {
  const found = await readFileWithin(root, path, 100);
  return found.ok ? Buffer.from(found.bytes).toString() : `${found.code}: ${found.detail}`;
}

test.runIf(process.platform === 'linux')(
  'a file that is replaced once it was opened is read anew',
  async () => {
    meanwhile.afterOpen.push(replace);
    expect(await read()).toBe('new');
    expect(meanwhile.afterOpen).toEqual([]);
  },
);

test.runIf(process.platform === 'linux')('one that is replaced time and again is unreadable', async () => {
  meanwhile.afterOpen.push(replace, replace, replace);
  expect(await read()).toBe('unreadable: was moved while it was opened');
  expect(meanwhile.afterOpen).toHaveLength(1);
});

test('a link that takes its place is resolved, and followed inside the root alone', async () => {
  await writeFile(join(root, 'other'), 'other');
  meanwhile.beforeOpen.push(() => replaceByLink(join(root, 'other')));
  expect(await read()).toBe('other');
  await rm(path);
  await writeFile(path, 'old');
  meanwhile.beforeOpen.push(() => replaceByLink(join(base, 'outside')));
  expect(await read()).toBe('outside_root: leads out of KAIZEN_REPOS_ROOT');
});

test.runIf(process.platform === 'linux')(
  'where /proc does not tell where it is, it is unreadable, and not missing',
  async () => {
    meanwhile.readlinkError = Object.assign(new Error('no such file'), { code: 'ENOENT' });
    expect(await read()).toBe('unreadable: cannot be read: /proc does not tell where it is (ENOENT)');
  },
);
