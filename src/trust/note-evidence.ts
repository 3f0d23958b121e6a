/** What the working memory says of a tick's run: its note is there, names the run, and is as it was filed. */
import { z } from 'zod';
import type { Definition } from '../core/definition.ts';
import { hasNotesFolder, readNote } from '../reports/working-memory.ts';
import type { TickRun } from '../store/tick-evidence.ts';
import { declaredReports, NOT_DECLARED, REVISION_UNKNOWN, whyNotFiled } from './declared-reports.ts';
import { type EvidenceItem, NotSeenYet } from './evidence.ts';

const SINK = 'working-memory';

const noteSchema = z.object({ file: z.string(), sha256: z.string() });
export type FiledNote = z.output<typeof noteSchema>;
const factsSchema = z.object({ notes: z.array(noteSchema) });

/** What was filed when the evidence was collected. */
export function notesOf({ facts }: EvidenceItem): FiledNote[] {
  const parsed = factsSchema.safeParse(facts);
  return parsed.success ? parsed.data.notes : [];
}

/** @throws ReportError where the folder cannot be read; NotSeenYet where a note that was filed is not there */
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
  let isUnseen = false;
  for (const report of reports) {
    const reason = whyNotFiled(report);
    const filed = noteSchema.safeParse(report.record?.filed);
    if (reason !== null || !filed.success) {
      faults.push(reason ?? 'its record does not say which file it is');
      continue;
    }
    notes.push(filed.data);
    const fault = await faultOfNote(workingMemoryDir, filed.data, run.run_id);
    if (fault !== null) faults.push(fault.detail);
    isUnseen ||= fault?.isGone ?? false;
  }
  const detail = faults.join('; ') || notes.map(({ file }) => file).join(', ');
  const facts = { declared: true, notes };
  if (isUnseen) throw new NotSeenYet(detail, facts);
  return { ok: faults.length === 0, detail, facts };
}

/** As it is now; null where it is what was filed. Rejects where it cannot be read. */
export async function faultOfNote(dir: string, filed: FiledNote, runId: string): Promise<NoteFault | null> {
  const about = `the note ${filed.file}`;
  const note = await readNote(dir, filed.file);
  if (!note) {
    const where = (await hasNotesFolder(dir)) ? '' : `: WORKING_MEMORY_DIR (${dir}) is not there`;
    return { detail: `${about} is gone${where}`, isGone: true };
  }
  const isOther = note.run_id !== runId;
  const owner = note.run_id === null ? 'names no run' : `is of run ${note.run_id}`;
  if (isOther) return { detail: `${about} ${owner}`, isGone: false };
  if (note.sha256 === filed.sha256) return null;
  return { detail: `${about} was changed since it was filed`, isGone: false };
}

export interface NoteFault {
  detail: string;
  isGone: boolean;
}
