/** What of a stand-in is to survive a restart: one JSON line for each change, on the disk before it is answered. */
import { appendFileSync, readFileSync, truncateSync } from 'node:fs';
import type { z } from 'zod';

export interface Journal<Change> {
  /** What the file held, oldest first. */
  changes: Change[];
  /** What was dropped while reading it. */
  warnings: string[];
  append(change: Change): void;
}

/** Without a file: nothing survives. */
export function noJournal<Change>(): Journal<Change> {
  return { changes: [], warnings: [], append: () => undefined };
}

/**
 * `lost`: what a start without the file is without.
 * @throws Error where another line than the last cannot be read, or the file cannot be used at all.
 */
export function openJournal<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  lost: string,
): Journal<z.output<Schema>> {
  const lines = readIfThere(file).split('\n');
  // What stands behind the last line break was never answered: its writer died first.
  const torn = lines.pop() ?? '';
  const changes: z.output<Schema>[] = [];
  const warnings: string[] = [];
  let kept = 0;
  for (const [index, line] of lines.entries()) {
    const change = parseChange(line, schema);
    if (change) {
      changes.push(change);
      kept += Buffer.byteLength(line) + 1;
    } else if (index < lines.length - 1) {
      throw new Error(`${file}:${index + 1} is damaged; remove the file to start without ${lost}`);
    }
  }
  if (torn !== '' || changes.length < lines.length) {
    warnings.push(`the last line of ${file} was torn and is dropped`);
    // The next line would be glued to it.
    truncateSync(file, kept);
  }
  return {
    changes,
    warnings,
    append: (change) => appendFileSync(file, `${JSON.stringify(change)}\n`, { mode: 0o600, flush: true }),
  };
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function parseChange<Schema extends z.ZodType>(line: string, schema: Schema): z.output<Schema> | null {
  try {
    return schema.safeParse(JSON.parse(line)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
