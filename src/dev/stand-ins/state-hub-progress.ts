/** The progress that was filed; with a file, it survives a restart. */
import { z } from 'zod';
import { noJournal, openJournal } from './journal.ts';

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

/** @throws Error: journal.ts */
export function openProgressBook(file: string | undefined): ProgressBook {
  const journal = file === undefined ? noJournal<Change>() : openJournal(file, changeSchema, 'progress');
  const entries = new Map<string, StandInProgress>();
  let filed = 0;

  function apply(change: Change): void {
    if (change.change === 'removed') entries.delete(change.id);
    else {
      filed += 1;
      entries.set(change.entry.id, change.entry);
    }
  }

  function record(change: Change): void {
    journal.append(change);
    apply(change);
  }

  for (const change of journal.changes) apply(change);
  return {
    warnings: journal.warnings,
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
