/** Small files of foreign repositories: nothing outside one folder, never a pipe that blocks, never more than allowed. */
import { constants } from 'node:fs';
import { open, readlink, realpath } from 'node:fs/promises';
import { dirname, relative, sep } from 'node:path';

/** `detail` goes on after the name of the file, as in `is not a regular file`. */
export interface FileProblem {
  ok: false;
  code: 'missing' | 'outside_root' | 'too_large' | 'unreadable';
  detail: string;
}

export type RealPath = { ok: true; path: string } | FileProblem;
export type FileBytes = { ok: true; bytes: Uint8Array } | FileProblem;

/** `root` is itself a real path; null allows any place. Whether something exists outside it is not told. */
export async function realPathWithin(root: string | null, path: string): Promise<RealPath> {
  try {
    const real = await realpath(path);
    return isWithin(root, real) ? { ok: true, path: real } : OUTSIDE;
  } catch (error) {
    const problem = problemOf(error);
    return (await leadsOut(root, path)) ? OUTSIDE : problem;
  }
}

/**
 * A file of `root`, or of any place where that is null. One that is replaced while it is opened, as by `git pull`, is
 * looked for and opened once more.
 */
export async function readFileWithin(
  root: string | null,
  path: string,
  maxBytes: number,
): Promise<FileBytes> {
  const read = await readOnce(root, path, maxBytes);
  return read === MOVED ? readOnce(root, path, maxBytes) : read;
}

async function readOnce(root: string | null, path: string, maxBytes: number): Promise<FileBytes> {
  const real = await realPathWithin(root, path);
  return real.ok ? readRegularFile(real.path, maxBytes) : real;
}

/** A real path; a link that has taken the file's place, or a folder's on the way to it, meanwhile is refused. */
export async function readRegularFile(path: string, maxBytes: number): Promise<FileBytes> {
  try {
    // Without O_NONBLOCK, opening a pipe waits for a writer for ever.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
    await using file = await open(path, flags);
    const stats = await file.stat();
    if (!stats.isFile()) return NOT_A_FILE;
    const moved = await movedFrom(path, file.fd);
    if (moved) return moved;
    if (stats.size > maxBytes) return tooLarge(maxBytes);
    const buffer = Buffer.allocUnsafe(stats.size);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return { ok: true, bytes: buffer.subarray(0, length) };
  } catch (error) {
    // A real path has no link: one has taken the file's place.
    return fileErrorCode(error) === 'ELOOP' ? MOVED : problemOf(error);
  }
}

export function fileErrorCode(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  throw error;
}

const OUTSIDE: FileProblem = { ok: false, code: 'outside_root', detail: 'leads out of KAIZEN_REPOS_ROOT' };
const NOT_A_FILE = unreadable('is not a regular file');

const MOVED = unreadable('was moved while it was opened');

/** O_NOFOLLOW is about the last name alone. Linux tells where the opened file is; elsewhere that is not known. */
async function movedFrom(path: string, fd: number): Promise<FileProblem | null> {
  if (process.platform !== 'linux') return null;
  try {
    return (await readlink(`/proc/self/fd/${fd}`)) === path ? null : MOVED;
  } catch (error) {
    return unreadable(`cannot be read: /proc does not tell where it is (${fileErrorCode(error)})`);
  }
}

function unreadable(detail: string): FileProblem {
  return { ok: false, code: 'unreadable', detail };
}

function tooLarge(maxBytes: number): FileProblem {
  return { ok: false, code: 'too_large', detail: `is larger than the ${maxBytes} bytes allowed` };
}

function problemOf(error: unknown): FileProblem {
  const code = fileErrorCode(error);
  if (code === 'ENOENT') return { ok: false, code: 'missing', detail: 'is not there' };
  if (code === 'ENXIO' || code === 'EISDIR') return NOT_A_FILE;
  if (code === 'ENOTDIR') return unreadable('is below something that is not a folder');
  if (code === 'ELOOP') return unreadable('is a link that leads back to itself');
  return unreadable(`cannot be read (${code})`);
}

/** Whether the nearest parent that exists lies outside. */
async function leadsOut(root: string | null, path: string): Promise<boolean> {
  if (root === null) return false;
  for (let parent = dirname(path); parent !== dirname(parent); parent = dirname(parent)) {
    try {
      return !isWithin(root, await realpath(parent));
    } catch (error) {
      fileErrorCode(error);
    }
  }
  return root !== dirname(root);
}

function isWithin(root: string | null, path: string): boolean {
  if (root === null) return true;
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`);
}
