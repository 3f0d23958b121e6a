/**
 * Notes as files of one folder. None is ever overwritten or half there: a note is written under a hidden name and then
 * linked to its own, which fails where that is taken. Whoever files the same report at the same moment tries the same
 * names in the same order, so that both end at one note.
 */
import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type NoteOwner, noteOwner } from './note.ts';
import { errorCode, reportErrorOf } from './note-file-error.ts';
import { ReportError } from './report-sink.ts';

export interface Note {
  /** Of `noteName`, so that it is no path. */
  name: string;
  owner: { run_id: string; report: number };
  content: Uint8Array;
}

/** How many notes may share a name: `x.md`, `x-2.md`, … `x-1000.md`. */
export const MAX_SAME_NAME = 1000;
const MAX_READ_BYTES = 1024 * 1024;
/** Front matter of ours has less than this. */
const MAX_HEAD_BYTES = 64 * 1024;
const NOTE_FILE = /^[\p{L}\p{N}\p{M}_][\p{L}\p{N}\p{M}._-]*\.md$/u;

/**
 * The name of the file. One that has this owner already is left as it is, also where a person edited it since.
 * Null where all names are taken. A folder that is not there is made. @throws ReportError
 */
export async function putNote(dir: string, note: Note): Promise<string | null> {
  try {
    await mkdir(dir, { recursive: true });
    const folder = await realpath(dir);
    const file = (await findOwn(folder, note)) ?? (await writeNew(folder, note));
    if (file !== null) await removeDrafts(folder, note);
    await syncFolder(folder);
    return file;
  } catch (error) {
    throw reportErrorOf(error, dir);
  }
}

/**
 * `sha256` in hex, of at most its first MiB: no note that we wrote is longer. Null where it is gone; a link or a folder in
 * its place is not the note. `run_id` is null where the front matter has none. @throws ReportError where it cannot be read
 */
export async function readNote(
  dir: string,
  file: string,
): Promise<{ run_id: string | null; sha256: string } | null> {
  if (!NOTE_FILE.test(file)) return null;
  try {
    const bytes = await readStart(join(dir, file), MAX_READ_BYTES);
    if (bytes === null) return null;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { run_id: noteOwner(bytes).run_id, sha256 };
  } catch (error) {
    throw reportErrorOf(error, dir);
  }
}

export async function hasNotesFolder(dir: string): Promise<boolean> {
  try {
    return (await stat(dir)).isDirectory();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw reportErrorOf(error, dir);
  }
}

function* filesOf({ name }: Note): Generator<string> {
  yield `${name}.md`;
  for (let n = 2; n <= MAX_SAME_NAME; n++) yield `${name}-${n}.md`;
}

/** All names before any is tried: one that was free may have become so after this note was written behind it. */
async function findOwn(folder: string, note: Note): Promise<string | null> {
  const there = new Set(await readdir(folder));
  for (const file of filesOf(note)) {
    if (there.has(file) && (await isOwn(join(folder, file), note))) return file;
  }
  return null;
}

async function isOwn(path: string, { owner }: Note): Promise<boolean> {
  const found = await ownerOf(path);
  return found?.run_id === owner.run_id && found.report === owner.report;
}

async function ownerOf(path: string): Promise<NoteOwner | null> {
  try {
    const head = await readStart(path, MAX_HEAD_BYTES);
    return head && noteOwner(head);
  } catch (error) {
    // What this process wrote it may read.
    if (['EACCES', 'EPERM'].includes(errorCode(error))) return null;
    throw error;
  }
}

async function writeNew(folder: string, note: Note): Promise<string | null> {
  // A name of its own: under one that two filings share, one would link what the other has half written.
  const draft = join(folder, `${draftPrefix(note)}${randomUUID()}.tmp`);
  try {
    await writeDraft(draft, note.content);
    return await linkToFreeName(folder, draft, note);
  } finally {
    await rm(draft, { force: true });
  }
}

const draftPrefix = ({ owner }: Note): string => `.${owner.run_id}.${owner.report}.`;

async function writeDraft(path: string, content: Uint8Array): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  await using draft = await open(path, flags, 0o644);
  await draft.writeFile(content);
  await draft.sync();
}

async function linkToFreeName(folder: string, draft: string, note: Note): Promise<string | null> {
  for (const file of filesOf(note)) {
    const path = join(folder, file);
    const outcome = await tryLink(draft, path);
    if (outcome === 'linked' || (outcome === 'taken' && (await isOwn(path, note)))) return file;
    if (outcome === 'no_draft') return await findOther(folder, note);
  }
  return null;
}

async function tryLink(draft: string, path: string): Promise<'linked' | 'taken' | 'no_draft'> {
  try {
    await link(draft, path);
    return 'linked';
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return 'taken';
    if (code === 'ENOENT') return 'no_draft';
    if (WITHOUT_LINKS.includes(code)) throw withoutLinks(error, code);
    throw error;
  }
}

const WITHOUT_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

function withoutLinks(cause: unknown, code: string): ReportError {
  const message = `working-memory: the file system of WORKING_MEMORY_DIR refuses hard links (${code}), without which a note could be half written or replace another; set it to a folder on another file system`;
  return new ReportError(message, { cause, retryable: false });
}

/** Our draft is gone: who filed the same report at the same moment was faster, and has cleared it away. */
async function findOther(folder: string, note: Note): Promise<string> {
  const file = await findOwn(folder, note);
  if (file !== null) return file;
  const message = 'working-memory: the note was removed from WORKING_MEMORY_DIR while it was written';
  throw new ReportError(message, { retryable: true });
}

/** What a crash left of this report. The note is there by now, so that nobody misses them. */
async function removeDrafts(folder: string, note: Note): Promise<void> {
  const prefix = draftPrefix(note);
  const left = (await readdir(folder)).filter((name) => name.startsWith(prefix) && name.endsWith('.tmp'));
  for (const name of left) await rm(join(folder, name), { force: true });
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } catch (error) {
    // Some network file systems know no such thing.
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errorCode(error))) throw error;
  }
}

/** Null where there is no regular file at this very name. */
async function readStart(path: string, maxBytes: number): Promise<Uint8Array | null> {
  try {
    // Without O_NONBLOCK, opening a pipe waits for a writer for ever.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
    await using file = await open(path, flags);
    const stats = await file.stat();
    if (!stats.isFile()) return null;
    const buffer = Buffer.alloc(Math.min(stats.size, maxBytes));
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO'].includes(errorCode(error))) return null;
    throw error;
  }
}
