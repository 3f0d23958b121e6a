/** What the working memory says of a tick's run: its note is there, names the run, and is as it was filed. */
import { z } from 'zod';
import type { Definition } from '../core/definition.ts';
import { readNote } from '../reports/working-memory.ts';
import type { TickRun } from '../store/tick-evidence.ts';
import { declaredReports, NOT_DECLARED, REVISION_UNKNOWN, whyNotFiled } from './declared-reports.ts';
import type { EvidenceItem } from './evidence.ts';

const SINK = 'working-memory';

const noteSchema = z.object({ file: z.string(), sha256: z.string() });
export type FiledNote = z.output<typeof noteSchema>;
const factsSchema = z.object({ notes: z.array(noteSchema) });

/** What was filed when the evidence was collected. */
export function notesOf({ facts }: EvidenceItem): FiledNote[] {
  const parsed = factsSchema.safeParse(facts);
  return parsed.success ? parsed.data.notes : [];
}

/** Rejects where the folder cannot be read. */
export async function noteEvidence(
  { run }: TickRun,
  revision: Definition | null,
  workingMemoryDir: string | undefined,
): Promise<EvidenceItem> {
  if (!revision) return REVISION_UNKNOWN;
  const reports = declaredReports(revision, run.reports, SINK);
  if (reports.length === 0) return NOT_DECLARED;
  if (workingMemoryDir === undefined)
    return { ok: false, detail: 'WORKING_MEMORY_DIR is not set', facts: { declared: true, notes: [] } };
  const notes: FiledNote[] = [];
  const faults: string[] = [];
  for (const report of reports) {
    const reason = whyNotFiled(report);
    const filed = noteSchema.safeParse(report.record?.filed);
    if (reason !== null || !filed.success) {
      faults.push(reason ?? 'its record does not say which file it is');
      continue;
    }
    notes.push(filed.data);
    const fault = await faultOfNote(workingMemoryDir, filed.data, run.run_id);
    if (fault !== null) faults.push(fault);
  }
  const detail = faults.join('; ') || notes.map(({ file }) => file).join(', ');
  return { ok: faults.length === 0, detail, facts: { declared: true, notes } };
}

/** As it is now; null where it is what was filed. Rejects where it cannot be read. */
export async function faultOfNote(dir: string, filed: FiledNote, runId: string): Promise<string | null> {
  const note = await readNote(dir, filed.file);
  if (!note) return `the note ${filed.file} is gone`;
  if (note.run_id !== runId)
    return `the note ${filed.file} ${note.run_id === null ? 'names no run' : `is of run ${note.run_id}`}`;
  return note.sha256 === filed.sha256 ? null : `the note ${filed.file} was changed since it was filed`;
}
