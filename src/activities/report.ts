/**
 * The last step of a run that has reports: each is filed alone, and one that cannot be is tried again alone, for two
 * minutes. What was filed is on record before the next is begun. Then the run ends.
 */
import { ApplicationFailure } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { CompiledInstruction } from '../core/compile-instruction.ts';
import type { RunError } from '../core/decision.ts';
import type { JsonObject } from '../core/json.ts';
import type { ReportRecord } from '../core/report.ts';
import { inOrderOf } from '../core/schema-order.ts';
import type { AppliedRegistry } from '../definitions/applied-registry.ts';
import { ReportError, type ReportedRun, type ReportSink } from '../reports/report-sink.ts';
import { closeDispatch, touchEmission } from '../store/dispatches.ts';
import type { Pool } from '../store/pool.ts';
import {
  endReportingRun,
  listReportingRuns,
  type ReportingRun,
  type TriedReport,
  writeReport,
} from '../store/reporting-runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RemoteActivities } from '../workflows/contract.ts';
import { toActivityFailure } from './failure.ts';
import { withHeartbeat } from './heartbeat.ts';
import { mayAskAgain } from './patience.ts';

export interface ReportDeps {
  pool: Pool;
  registry: AppliedRegistry;
  reportSinks: ReadonlyMap<string, ReportSink>;
  metrics: Metrics;
  logger: Logger;
}

const HEARTBEAT_MS = 5_000;

export function createReport(deps: ReportDeps): RemoteActivities['report'] {
  return async function report({ dispatch_id }) {
    try {
      if (await withHeartbeat(HEARTBEAT_MS, (signal) => reportOnce(deps, dispatch_id, signal))) return;
    } catch (error) {
      throw toActivityFailure(deps.logger, dispatch_id, error);
    }
    throw ApplicationFailure.create({
      message: `dispatch ${dispatch_id}`,
      type: 'not_reported',
      // It is how waiting is done; what keeps a report waiting is on its run, and logged by us.
      category: ApplicationFailureCategory.BENIGN,
    });
  };
}

/** Whether nothing is left. */
async function reportOnce(deps: ReportDeps, dispatchId: string, signal: AbortSignal): Promise<boolean> {
  const { pool } = deps;
  if (!(await touchEmission(pool, dispatchId))) return true;
  for (const run of await listReportingRuns(pool, dispatchId)) await fileReports(deps, run, signal);
  let isOver = true;
  for (const run of await listReportingRuns(pool, dispatchId)) {
    if (run.reports.some(({ status }) => status === 'pending')) isOver = false;
    else await endRun(deps, dispatchId, run);
  }
  if (isOver) await closeDispatch(pool, dispatchId, 'emission');
  return isOver;
}

async function fileReports(deps: ReportDeps, run: ReportingRun, signal: AbortSignal): Promise<void> {
  const reported = await reportedRun(deps, run);
  for (const [position, record] of run.reports.entries()) {
    if (signal.aborted) return;
    if (record.status !== 'pending') continue;
    const failingMs = Date.parse(run.now) - Date.parse(record.failing_since ?? run.now);
    const mayRetry = mayAskAgain(record.attempts + 1, failingMs);
    await writeReport(
      deps.pool,
      run.run_id,
      position,
      await fileOne(deps, reported, { position, record, mayRetry }),
    );
  }
}

interface Turn {
  position: number;
  record: ReportRecord;
  mayRetry: boolean;
}

async function fileOne(
  { reportSinks, logger }: ReportDeps,
  run: ReportedRun,
  { position, record, mayRetry }: Turn,
): Promise<TriedReport> {
  const { filed_at: _unfiled, failing_since: _since, ...others } = record;
  const tried = { ...others, attempts: record.attempts + 1 };
  try {
    const sink = reportSinks.get(record.sink);
    if (!sink) throw new ReportError(`this version has no report sink ${record.sink}`, { retryable: false });
    const filed = await sink.file({ run, position, report: record.report });
    return { ...tried, status: 'filed', error: null, filed };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const retryable = error instanceof ReportError && error.retryable;
    const { run_id, definition_id } = run;
    const context = { err: error, run_id, definition_id, sink: record.sink, attempts: tried.attempts };
    const isLast = !retryable || !mayRetry;
    logger.warn(
      context,
      isLast ? 'a report could not be filed' : 'a report could not be filed; it is tried again',
    );
    return { ...tried, status: isLast ? 'failed' : 'pending', error: message };
  }
}

async function reportedRun({ registry }: ReportDeps, run: ReportingRun): Promise<ReportedRun> {
  const { definition_id, definition_hash, outputs } = run;
  const revision = await (await registry.current()).revision(definition_id, definition_hash);
  return {
    run_id: run.run_id,
    definition_id,
    definition_hash,
    title: revision?.definition.title ?? definition_id,
    scheduled_for: run.scheduled_for,
    workflow_id: run.workflow_id,
    review_required: run.review_required,
    started_at: run.started_at,
    task_count: run.task_count,
    instructions: inOrder(outputs, revision?.compiled?.instructions ?? []),
  };
}

/** As the author declared them: jsonb does not keep the order of members, and people read these. */
function inOrder(outputs: JsonObject, instructions: readonly CompiledInstruction[]): JsonObject {
  const ordered = instructions.flatMap(({ id, output_schema }) =>
    Object.hasOwn(outputs, id) ? [[id, inOrderOf(outputs[id] ?? null, output_schema)]] : [],
  );
  return { ...outputs, ...Object.fromEntries(ordered) };
}

async function endRun(
  { pool, metrics, logger }: ReportDeps,
  dispatchId: string,
  { run_id, definition_id, reports }: ReportingRun,
): Promise<void> {
  const error = verdictOf(run_id, reports);
  const seconds = await endReportingRun(pool, { runId: run_id, dispatchId, error });
  if (seconds === null) return;
  metrics.runs.inc({ definition_id, status: error ? 'failed' : 'completed' });
  metrics.runSeconds.observe({ definition_id }, seconds);
  if (error) logger.warn({ run_id, definition_id, dispatch_id: dispatchId, code: error.code }, error.message);
}

function verdictOf(runId: string, reports: ReportRecord[]): RunError | null {
  const failed = reports.flatMap(({ sink, status, error, attempts }, position) =>
    status === 'failed' ? [{ position, sink, attempts, error }] : [],
  );
  if (failed.length === 0) return null;
  const named = failed.map(({ sink, error }) => `${sink}: ${error}`).join('; ');
  return {
    code: 'report_failed',
    message: `everything else is done, but not every report was filed (${named}); mend that, then \`activity-core runs retry ${runId}\` reports again`,
    details: { reports: failed },
  };
}
