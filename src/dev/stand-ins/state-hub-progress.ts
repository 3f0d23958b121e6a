/** The progress that was filed; with a file, it survives a restart: one JSON line for each change, on the disk before it is answered. */
import { appendFileSync, readFileSync, truncateSync } from 'node:fs';
import { z } from 'zod';

export const progressBodySchema = z.strictObject({
  event_type: z.string().min(1),
  summary: z.string(),
  detail: z.record(z.string(), z.json()),
  author: z.string().min(1),
  idempotency_key: z.string().min(1),
});
export type ProgressBody = z.output<typeof progressBodySchema>;

const entrySchema = progressBodySchema.extend({ id: z.string(), created_at: z.string() });
export type StandInProgress = z.output<typeof entrySchema>;

const changeSchema = z.discriminatedUnion('change', [
  z.object({ change: z.literal('filed'), entry: entrySchema }),
  z.object({ change: z.literal('removed'), id: z.string() }),
]);
type Change = z.output<typeof changeSchema>;

export interface ProgressBook {
  /** What was dropped while the file was read. */
  warnings: readonly string[];
  /** Oldest first. */
  all(): readonly StandInProgress[];
  /** What has the key already is told again. */
  file(body: ProgressBody): { entry: StandInProgress; isNew: boolean };
  /** As if it had never been filed, its key too. False where there is none. */
  remove(id: string): boolean;
}

/** @throws Error where another line than the last cannot be read, or the file cannot be used at all. */
export function openProgressBook(file: string | undefined): ProgressBook {
  const entries = new Map<string, StandInProgress>();
  const warnings: string[] = [];
  let filed = 0;

  function apply(change: Change): void {
    if (change.change === 'removed') entries.delete(change.id);
    else {
      filed += 1;
      entries.set(change.entry.id, change.entry);
    }
  }

  function record(change: Change): void {
    if (file !== undefined) appendFileSync(file, `${JSON.stringify(change)}\n`, { mode: 0o600, flush: true });
    apply(change);
  }

  if (file !== undefined) {
    const { changes, torn } = readChanges(file);
    for (const change of changes) apply(change);
    if (torn) warnings.push(`the last line of ${file} was torn and is dropped`);
  }
  return {
    warnings,
    all: () => [...entries.values()],
    file(body) {
      const known = [...entries.values()].find((entry) => entry.idempotency_key === body.idempotency_key);
      if (known) return { entry: known, isNew: false };
      const entry = { id: `PROGRESS-${filed + 1}`, ...body, created_at: new Date().toISOString() };
      record({ change: 'filed', entry });
      return { entry, isNew: true };
    },
    remove(id) {
      if (!entries.has(id)) return false;
      record({ change: 'removed', id });
      return true;
    },
  };
}

function readChanges(file: string): { changes: Change[]; torn: boolean } {
  const text = readIfThere(file);
  const lines = text.split('\n');
  // What stands behind the last line break was never answered: its writer died first.
  const torn = lines.pop() ?? '';
  const changes: Change[] = [];
  let kept = 0;
  for (const [index, line] of lines.entries()) {
    const change = parseChange(line);
    if (change) {
      changes.push(change);
      kept += Buffer.byteLength(line) + 1;
    } else if (index < lines.length - 1) {
      throw new Error(`${file}:${index + 1} is damaged; remove the file to start without progress`);
    }
  }
  const isTorn = torn !== '' || changes.length < lines.length;
  // The next line would be glued to it.
  if (isTorn) truncateSync(file, kept);
  return { changes, torn: isTorn };
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
