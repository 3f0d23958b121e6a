import { createHash } from 'node:crypto';
import {
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { reportErrorOf } from '../../src/reports/note-file-error.ts';
import type { ReportedRun } from '../../src/reports/report-sink.ts';
import { createWorkingMemory, readNote } from '../../src/reports/working-memory.ts';
import { reportedRun } from './reported-run.ts';

const NAME = 'daily-triage-2026-11-20';

interface Memory extends AsyncDisposable {
  /** Not there before something is filed. */
  dir: string;
  /** Where the folder is. */
  base: string;
  in(name: string): string;
  names(): Promise<string[]>;
  file(run?: ReportedRun, name?: string, position?: number): Promise<{ file: string; sha256: string }>;
}

async function memory(): Promise<Memory> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'memory-')));
  const dir = join(base, 'notes', 'triage');
  const sink = createWorkingMemory({ workingMemoryDir: dir });
  return {
    dir,
    base,
    in: (name) => join(dir, name),
    names: async () => (await readdir(dir)).sort(),
    async file(run = reportedRun(), name = NAME, position = 0) {
      const filed = await sink.file({ run, position, report: { sink: 'working-memory', name } });
      return { file: String(filed.file), sha256: String(filed.sha256) };
    },
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  };
}

const runNamed = (run_id: string) => reportedRun({ run_id });
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('a note', () => {
  test('is a readable file of the folder, which is made, with the hash that is told', async () => {
    await using notes = await memory();
    const filed = await notes.file();
    expect(filed).toEqual({ file: `${NAME}.md`, sha256: sha256(await readFile(notes.in(`${NAME}.md`))) });
    expect(await notes.names()).toEqual([`${NAME}.md`]);
    expect((await lstat(notes.in(filed.file))).mode & 0o777).toBe(0o644 & ~process.umask());
    const text = await readFile(notes.in(filed.file), 'utf8');
    expect(text).toMatch(/^---\ncreated_by: activity-core\n/);
    expect(text).toContain(`\nrun_id: ${reportedRun().run_id}\n`);
    expect(text).toContain('# Triage of the open work\n\n**Needs review before anybody acts on it.**');
  });

  test('has the body that its author wants, where there is one', async () => {
    await using notes = await memory();
    const sink = createWorkingMemory({ workingMemoryDir: notes.dir });
    await sink.file({ run: reportedRun(), position: 0, report: { name: 'x', body: '# Mine' } });
    expect(await readFile(notes.in('x.md'), 'utf8')).toMatch(/\n---\n\n# Mine\n$/);
  });

  test('is the same note where the same run files it again', async () => {
    await using notes = await memory();
    const filed = await notes.file();
    expect(await notes.file()).toEqual(filed);
    expect(await notes.names()).toEqual([filed.file]);
  });

  test('of another run of that day gets -2, the next one -3, and each is found again', async () => {
    await using notes = await memory();
    const files = async () => [
      (await notes.file(runNamed('a'))).file,
      (await notes.file(runNamed('b'))).file,
      (await notes.file(runNamed('c'))).file,
    ];
    const expected = [`${NAME}.md`, `${NAME}-2.md`, `${NAME}-3.md`];
    expect(await files()).toEqual(expected);
    expect(await files()).toEqual(expected);
    expect(await notes.names()).toHaveLength(3);
  });

  test('of a run with two reports of one name is two notes, each its own', async () => {
    await using notes = await memory();
    const files = async () => [
      (await notes.file(reportedRun(), 'x', 0)).file,
      (await notes.file(reportedRun(), 'x', 1)).file,
    ];
    expect(await files()).toEqual(['x.md', 'x-2.md']);
    expect(await files()).toEqual(['x.md', 'x-2.md']);
  });

  test('that a person edited is left alone, and the hash tells', async () => {
    await using notes = await memory();
    const filed = await notes.file();
    const edited = `${await readFile(notes.in(filed.file), 'utf8')}\nSeen. – Ines\n`;
    await writeFile(notes.in(filed.file), edited);
    expect(await notes.file()).toEqual(filed);
    expect(await readFile(notes.in(filed.file), 'utf8')).toBe(edited);
    expect((await readNote(notes.dir, filed.file))?.sha256).not.toBe(filed.sha256);
  });

  test('is found also where an earlier name has become free since', async () => {
    await using notes = await memory();
    await notes.file(runNamed('a'));
    const filed = await notes.file(runNamed('b'));
    await rm(notes.in(`${NAME}.md`));
    expect(await notes.file(runNamed('b'))).toEqual(filed);
    expect(await notes.names()).toEqual([`${NAME}-2.md`]);
  });

  test('that was removed is written anew', async () => {
    await using notes = await memory();
    const filed = await notes.file();
    await rm(notes.in(filed.file));
    expect(await notes.file()).toEqual(filed);
    expect((await readNote(notes.dir, filed.file))?.sha256).toBe(filed.sha256);
  });

  test('finds no name where a thousand are taken', async () => {
    await using notes = await memory();
    await mkdir(notes.dir, { recursive: true });
    const taken = ['x.md', ...Array.from({ length: 999 }, (_, n) => `x-${n + 2}.md`)];
    for (const name of taken) await writeFile(notes.in(name), '');
    await expect(notes.file(reportedRun(), 'x')).rejects.toMatchObject({
      retryable: false,
      message: expect.stringContaining('WORKING_MEMORY_DIR has 1000 notes named `x` already'),
    });
    expect(await notes.names()).toEqual(taken.sort());
    await rm(notes.in('x-1000.md'));
    expect((await notes.file(reportedRun(), 'x')).file).toBe('x-1000.md');
  });
});

describe('nothing of others is touched', () => {
  test.each(['../escape', '/../escape', '..\\escape', 'escape\u0000', '.escape', '../../../../escape'])(
    'a name like %j stays in the folder',
    async (name) => {
      await using notes = await memory();
      expect((await notes.file(reportedRun(), name)).file).toBe('escape.md');
      expect(await notes.names()).toEqual(['escape.md']);
      expect(await readdir(notes.base)).toEqual(['notes']);
    },
  );

  test('a name of which nothing stays is refused for good', async () => {
    await using notes = await memory();
    await expect(notes.file(reportedRun(), '../')).rejects.toMatchObject({
      name: 'ReportError',
      retryable: false,
      message:
        'working-memory: expected a name with a letter, a digit or _ in it, found the text `../`; mend the report’s name',
    });
    expect(await readdir(notes.base)).toEqual([]);
  });

  test('files, links and folders with the name stay as they are and count as taken', async () => {
    await using notes = await memory();
    await mkdir(notes.in('x-4.md'), { recursive: true });
    const outside = join(notes.base, 'outside.md');
    const mine = `---\nrun_id: ${reportedRun().run_id}\nreport: 0\n---\n`;
    await writeFile(outside, mine);
    await writeFile(notes.in('x.md'), 'a person’s');
    await symlink(outside, notes.in('x-2.md'));
    await symlink(join(notes.base, 'nowhere.md'), notes.in('x-3.md'));
    expect((await notes.file(reportedRun(), 'x')).file).toBe('x-5.md');
    expect(await readFile(notes.in('x.md'), 'utf8')).toBe('a person’s');
    expect(await readFile(outside, 'utf8')).toBe(mine);
    expect(await readdir(notes.base)).toEqual(['notes', 'outside.md']);
  });

  test('a folder that is itself reached by a link is fine', async () => {
    await using notes = await memory();
    await mkdir(notes.dir, { recursive: true });
    const alias = join(notes.base, 'alias');
    await symlink(notes.dir, alias);
    const sink = createWorkingMemory({ workingMemoryDir: alias });
    await sink.file({ run: reportedRun(), position: 0, report: { name: 'x' } });
    expect(await notes.names()).toEqual(['x.md']);
  });
});

describe('after a crash', () => {
  const draftOf = (run_id: string, position = 0) => `.${run_id}.${position}.left-behind.tmp`;

  test('while it was written, the note is whole and what was left is gone', async () => {
    await using notes = await memory();
    await mkdir(notes.dir, { recursive: true });
    const others = [draftOf('other'), draftOf(reportedRun().run_id, 10)];
    for (const name of [draftOf(reportedRun().run_id), ...others])
      await writeFile(notes.in(name), '---\nrun');
    const filed = await notes.file(reportedRun(), 'x', 1);
    expect(await notes.file(reportedRun(), 'x', 0)).toMatchObject({ file: 'x-2.md' });
    expect(sha256(await readFile(notes.in(filed.file)))).toBe(filed.sha256);
    expect(await notes.names()).toEqual([...others, 'x-2.md', 'x.md'].sort());
  });

  test('after it was linked, it is this note, and what was left is gone', async () => {
    await using notes = await memory();
    const filed = await notes.file();
    await link(notes.in(filed.file), notes.in(draftOf(reportedRun().run_id)));
    expect(await notes.file()).toEqual(filed);
    expect(await notes.names()).toEqual([filed.file]);
  });

  test('a link in the place of what was left leads nowhere', async () => {
    await using notes = await memory();
    await mkdir(notes.dir, { recursive: true });
    const outside = join(notes.base, 'outside.md');
    await writeFile(outside, 'a person’s');
    await symlink(outside, notes.in(draftOf(reportedRun().run_id)));
    await notes.file();
    expect(await notes.names()).toEqual([`${NAME}.md`]);
    expect(await readFile(outside, 'utf8')).toBe('a person’s');
  });
});

describe('at the same moment', () => {
  test('a report that is filed many times is one note, and nobody fails', async () => {
    for (let round = 0; round < 10; round++) {
      await using notes = await memory();
      await notes.file(runNamed('earlier'));
      const filed = await Promise.all(Array.from({ length: 12 }, () => notes.file()));
      expect(new Set(filed.map(({ file }) => file))).toEqual(new Set([`${NAME}-2.md`]));
      expect(await notes.names()).toEqual([`${NAME}-2.md`, `${NAME}.md`]);
    }
  });

  test('runs of one name get a whole note each', async () => {
    await using notes = await memory();
    const runs = Array.from({ length: 12 }, (_, n) => runNamed(`run-${n}`));
    const filed = await Promise.all([...runs, ...runs].map((run) => notes.file(run)));
    expect(filed.slice(12)).toEqual(filed.slice(0, 12));
    expect(new Set(filed.map(({ file }) => file)).size).toBe(12);
    expect(await notes.names()).toHaveLength(12);
    for (const [index, { file, sha256 }] of filed.slice(0, 12).entries()) {
      expect(await readNote(notes.dir, file)).toEqual({ run_id: `run-${index}`, sha256 });
    }
  });
});

describe('a folder that cannot be used', () => {
  test('is not set', async () => {
    const filing = createWorkingMemory({}).file({ run: reportedRun(), position: 0, report: { name: 'x' } });
    await expect(filing).rejects.toMatchObject({
      name: 'ReportError',
      retryable: false,
      message: 'working-memory needs a folder; set WORKING_MEMORY_DIR, then retry the run',
    });
  });

  test.each(['a file', 'below a file', 'a link to itself'])('is %s', async (what) => {
    await using notes = await memory();
    const place = join(notes.base, 'place');
    if (what === 'a link to itself') await symlink('place', place);
    else await writeFile(place, '');
    const workingMemoryDir = what === 'below a file' ? join(place, 'deeper') : place;
    const sink = createWorkingMemory({ workingMemoryDir });
    await expect(sink.file({ run: reportedRun(), position: 0, report: { name: 'x' } })).rejects.toMatchObject(
      {
        name: 'ReportError',
        retryable: false,
        message: expect.stringMatching(
          /^working-memory: WORKING_MEMORY_DIR \(.+\) cannot be used \(E\w+\); /,
        ),
      },
    );
  });

  test.each(['EACCES', 'EPERM', 'ENOTDIR', 'EROFS', 'EISDIR', 'ELOOP'])('%s is for good', (code) => {
    expect(reportErrorOf(Object.assign(new Error('x'), { code }), '/notes').retryable).toBe(false);
  });

  test.each(['ENOSPC', 'EIO', 'EDQUOT', 'ESTALE', 'EMFILE'])('%s may pass', (code) => {
    const fault = reportErrorOf(Object.assign(new Error('x'), { code }), '/notes');
    expect([fault.retryable, fault.message]).toEqual([true, expect.stringContaining(code)]);
  });

  test('a fault of another kind is no report’s fault', () => {
    expect(() => reportErrorOf(new TypeError('ours'), '/notes')).toThrow(TypeError);
  });
});

describe('reading a note', () => {
  test('tells its run and the hash of its bytes', async () => {
    await using notes = await memory();
    const { file, sha256 } = await notes.file();
    expect(await readNote(notes.dir, file)).toEqual({ run_id: reportedRun().run_id, sha256 });
  });

  test('tells a file of somebody else as it is', async () => {
    await using notes = await memory();
    await mkdir(notes.dir, { recursive: true });
    const bytes = Buffer.from([0xff, 0x00, 0x2d]);
    await writeFile(notes.in('x.md'), bytes);
    await writeFile(notes.in('y.md'), '');
    expect(await readNote(notes.dir, 'x.md')).toEqual({ run_id: null, sha256: sha256(bytes) });
    expect(await readNote(notes.dir, 'y.md')).toEqual({ run_id: null, sha256: sha256(Buffer.alloc(0)) });
  });

  test('reads at most one MiB of it', async () => {
    await using notes = await memory();
    const filed = await notes.file();
    await truncate(notes.in(filed.file), 64 * 1024 * 1024);
    const start = Buffer.alloc(1024 * 1024);
    (await readFile(notes.in(filed.file))).copy(start);
    expect(await readNote(notes.dir, filed.file)).toEqual({
      run_id: reportedRun().run_id,
      sha256: sha256(start),
    });
  });

  test('finds nothing where it is gone, or where a link or a folder is in its place', async () => {
    await using notes = await memory();
    expect(await readNote(notes.dir, 'x.md')).toBeNull();
    const { file } = await notes.file();
    await symlink(notes.in(file), notes.in('link.md'));
    await mkdir(notes.in('folder.md'));
    for (const name of ['x.md', 'link.md', 'folder.md']) {
      expect(await readNote(notes.dir, name)).toBeNull();
    }
  });

  test.each([
    '../secret.md',
    'sub/secret.md',
    '.secret.md',
    '..',
    '',
    'secret.txt',
    'x\u0000.md',
    '/secret.md',
  ])('is confined: %j is no name of a note', async (name) => {
    await using notes = await memory();
    await mkdir(notes.in('sub'), { recursive: true });
    for (const place of ['../secret.md', 'sub/secret.md', '.secret.md', 'secret.txt']) {
      await writeFile(notes.in(place), 'secret');
    }
    expect(await readNote(notes.dir, name)).toBeNull();
  });

  test('says where the folder cannot be read', async () => {
    await using notes = await memory();
    const file = join(notes.base, 'file');
    await writeFile(file, '');
    await expect(readNote(file, 'x.md')).rejects.toMatchObject({ name: 'ReportError', retryable: false });
  });
});
