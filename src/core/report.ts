/** A report as it stands on its run: what was rendered, and what became of it (contract 8). */
import type { JsonObject } from './json.ts';

export interface ReportRecord {
  /** As in `reports[].sink`. */
  sink: string;
  /** The report as declared, its templates and expressions replaced by what they gave. */
  report: JsonObject;
  /** `dropped`: it is not filed any more, because a retry of its run has reported. */
  status: 'pending' | 'filed' | 'failed' | 'dropped';
  attempts: number;
  /** The first attempt that failed; null before that, and when it is filed. */
  failing_since: string | null;
  /** Of the last attempt that failed, or why it was dropped. */
  error: string | null;
  /** Where it was filed: `progress_id`, or `file` and `sha256`. */
  filed: JsonObject | null;
  filed_at: string | null;
}
