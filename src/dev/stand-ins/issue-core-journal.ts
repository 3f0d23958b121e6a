/** What is to survive a restart: one JSON line for each change, on the disk before it is answered. */
import { appendFileSync, readFileSync, truncateSync } from 'node:fs';
import { z } from 'zod';
import { taskBodySchema } from './issue-core-body.ts';

const changeSchema = z.discriminatedUnion('change', [
  z.object({
    change: z.literal('task'),
    ref: z.string(),
    idempotency_key: z.string(),
    body: taskBodySchema,
    at: z.string(),
  }),
  z.object({
    change: z.literal('comment'),
    ref: z.string(),
    idempotency_key: z.string(),
    body: z.string(),
    at: z.string(),
  }),
  z.object({
    change: z.literal('state'),
    ref: z.string(),
    state: z.enum(['open', 'closed']),
    at: z.string(),
  }),
]);
export type Change = z.output<typeof changeSchema>;

export interface Journal {
  /** What the file held, oldest first. */
  changes: Change[];
  /** What was dropped while reading it. */
  warnings: string[];
  append(change: Change): void;
}

export const noJournal = (): Journal => ({ changes: [], warnings: [], append: () => undefined });

/** @throws Error where another line than the last cannot be read, or the file cannot be used at all. */
export function openJournal(file: string): Journal {
  const text = readIfThere(file);
  const lines = text.split('\n');
  // What stands behind the last line break was never answered: its writer died first.
  const torn = lines.pop() ?? '';
  const changes: Change[] = [];
  const warnings: string[] = [];
  let kept = 0;
  for (const [index, line] of lines.entries()) {
    const change = parseChange(line);
    if (change) {
      changes.push(change);
      kept += Buffer.byteLength(line) + 1;
    } else if (index < lines.length - 1) {
      throw new Error(`${file}:${index + 1} is damaged; remove the file to start without tasks`);
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

function parseChange(line: string): Change | null {
  try {
    return changeSchema.safeParse(JSON.parse(line)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
