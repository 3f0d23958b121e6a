/** Finding and reading the files of authors. Links may not lead out of the folder: what is applied is what is reviewed. */
import { lstat, open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { MAX_DOCUMENT_BYTES } from '../core/document.ts';
import { nearestName } from '../core/wording.ts';
import { type DefinitionError, fileError } from './errors.ts';

export const EVENT_TYPES_FOLDER = 'event-types';
const YAML_FILE = /\.ya?ml$/;

export interface SourceFile {
  /** As errors name it: the path that was given, with the name below it. */
  file: string;
  realPath: string;
  /** The base name without its ending: the id, or the event type. */
  name: string;
  inEventTypesFolder: boolean;
}

export interface FoundFiles {
  files: SourceFile[];
  errors: DefinitionError[];
}

/** Each path is a file or a folder; a folder holds YAML files and `event-types/`. In order, each file once. */
export async function findSourceFiles(paths: readonly string[]): Promise<FoundFiles> {
  const found: FoundFiles = { files: [], errors: [] };
  for (const path of paths) {
    const { files, errors } = await findAt(path);
    found.files.push(...files);
    found.errors.push(...errors);
  }
  const byRealPath = new Map(found.files.toReversed().map((source) => [source.realPath, source]));
  found.files = [...byRealPath.values()].sort((a, b) => (a.file < b.file ? -1 : 1));
  return found;
}

/** At most one byte more than a document may have, so that a huge file costs nothing. Throws what `fs` throws. */
export async function readSourceFile(source: SourceFile): Promise<Uint8Array> {
  await using file = await open(source.realPath);
  const buffer = Buffer.alloc(MAX_DOCUMENT_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

/** The `event-types` folder in this one; null where there is none. */
export async function eventTypesFolderIn(folder: string): Promise<string | null> {
  const path = join(folder, EVENT_TYPES_FOLDER);
  return (await isFolder(path)) ? path : null;
}

async function findAt(path: string): Promise<FoundFiles> {
  try {
    if (await isFolder(path)) return await findInFolder(path, await realpath(path));
    if (!YAML_FILE.test(path)) {
      await lstat(path);
      return { files: [], errors: [fileError(path, 'expected a file that ends in .yaml or .yml')] };
    }
    return { files: [await sourceFile(path)], errors: [] };
  } catch (error) {
    return { files: [], errors: [fileError(path, reasonOf(error) + (await nearestBeside(path)))] };
  }
}

/** What was probably meant; nothing where the folder cannot be read either. */
async function nearestBeside(path: string): Promise<string> {
  const folder = dirname(path);
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if (codeOf(error) === null) throw error;
    return [];
  });
  const nearest = names.includes(basename(path)) ? null : nearestName(basename(path), names);
  return nearest === null ? '' : `; did you mean \`${join(folder, nearest)}\`?`;
}

async function findInFolder(folder: string, root: string): Promise<FoundFiles> {
  const found: FoundFiles = { files: [], errors: [] };
  for (const name of (await readdir(folder)).sort()) {
    if (name.startsWith('.')) continue;
    const path = join(folder, name);
    const isEventTypes = name === EVENT_TYPES_FOLDER && basename(folder) !== EVENT_TYPES_FOLDER;
    if (!isEventTypes && !YAML_FILE.test(name)) continue;
    try {
      if (!isInside(root, await realpath(path))) {
        found.errors.push(fileError(path, 'this link leads out of the folder'));
      } else if (isEventTypes) {
        const { files, errors } = await findInFolder(path, root);
        found.files.push(...files);
        found.errors.push(...errors);
      } else {
        found.files.push(await sourceFile(path));
      }
    } catch (error) {
      found.errors.push(fileError(path, reasonOf(error)));
    }
  }
  return found;
}

async function sourceFile(path: string): Promise<SourceFile> {
  // Before it is opened: opening a pipe would wait for ever.
  if (!(await stat(path)).isFile()) throw new NotAFile();
  return {
    file: path,
    realPath: await realpath(path),
    name: basename(path).replace(YAML_FILE, ''),
    inEventTypesFolder: basename(dirname(path)) === EVENT_TYPES_FOLDER,
  };
}

class NotAFile extends Error {
  override message = 'expected a regular file';
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (codeOf(error) === null) throw error;
    return false;
  }
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`);
}

export function reasonOf(error: unknown): string {
  if (error instanceof NotAFile) return error.message;
  const code = codeOf(error);
  if (code === null) throw error;
  return code === 'ENOENT' ? 'there is no such file or folder' : `cannot be read (${code})`;
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
