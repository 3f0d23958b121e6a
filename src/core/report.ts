/** A report as it stands on its run: what was rendered, and what became of it (contract 8). */
import type { JsonObject } from './json.ts';

export interface ReportRecord {
  /** As in `reports[].sink`. */
  sink: string;
  /** The report as declared, its templates and expressions replaced by what they gave. */
  report: JsonObject;
  status: 'pending' | 'filed' | 'failed';
  attempts: number;
  /** Of the last attempt that failed. */
  error: string | null;
  /** Where it was filed: `progress_id`, or `file` and `sha256`. */
  filed: JsonObject | null;
  filed_at: string | null;
}
