/** A report sink: what a definition says to it, and how a report is filed there. */
import type { z } from 'zod';
import type { ReportText } from '../core/compile-report.ts';
import type { JsonObject } from '../core/json.ts';

export type { ReportText };

/** What validation knows of a sink; it needs nothing of the environment. */
export interface ReportShape<P = unknown> {
  /** As in `reports[].sink`. */
  sink: string;
  /** The report's members but for `sink`; strict. */
  params: z.ZodType<P>;
  /** Which of them are computed. */
  texts(params: P): ReportText[];
}

/** What identifies a run in its reports (contract 8), and what it has to tell. */
export interface ReportedRun {
  run_id: string;
  definition_id: string;
  definition_hash: string;
  /** Of the definition. */
  title: string;
  scheduled_for: string | null;
  workflow_id: string | null;
  review_required: boolean;
  started_at: string;
  task_count: number;
  /** The instructions' outputs by id: validated, and text of a model all the same. */
  instructions: JsonObject;
}

export interface FileReport {
  run: ReportedRun;
  /** Among the definition's reports. */
  position: number;
  /** As `ReportShape.params` gives it, everything computed. */
  report: JsonObject;
}

export interface ReportSink {
  sink: string;
  /** Filed again, it is the same report. Returns where it stands now. @throws ReportError */
  file(input: FileReport): Promise<JsonObject>;
}

/** `retryable`: later it may work. The message says what to do next. */
export class ReportError extends Error {
  override name = 'ReportError';
  readonly retryable: boolean;

  constructor(message: string, { retryable, ...options }: ErrorOptions & { retryable: boolean }) {
    super(message, options);
    this.retryable = retryable;
  }
}
