/** How runs that emit end: what became of their specs, or what stopped them. Each error says what to do next. */
import type { RunError } from '../core/decision.ts';
import type { Registry } from '../definitions/applied-registry.ts';
import type { SinkFault } from '../sinks/sink.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import { type EmittingRun, endEmittingRuns } from '../store/emitting-runs.ts';
import type { Pool } from '../store/pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { whyNotLive } from './why-not-live.ts';

export interface EndDeps {
  pool: Pool;
  metrics: Metrics;
  logger: Logger;
}

/** `errorOf`: null where all went well. */
export async function endRuns(
  { pool, metrics, logger }: EndDeps,
  dispatchId: string,
  runs: EmittingRun[],
  errorOf: (run: EmittingRun) => RunError | null,
): Promise<void> {
  const ends = runs.map((run) => ({ run, error: errorOf(run) }));
  const ended = await endEmittingRuns(
    pool,
    dispatchId,
    ends.map(({ run: { run_id }, error }) => ({ run_id, error })),
  );
  for (const { run, error } of ends) {
    const { run_id, definition_id } = run;
    const seconds = ended.get(run_id);
    if (seconds === undefined) continue;
    metrics.runs.inc({ definition_id, status: error ? 'failed' : 'completed' });
    metrics.runSeconds.observe({ definition_id }, seconds);
    if (error)
      logger.warn({ run_id, definition_id, dispatch_id: dispatchId, code: error.code }, error.message);
  }
}

/** Of a run with nothing pending. */
export function verdictOf(run: EmittingRun): RunError | null {
  const { rejected, rejections, discarded, run_id } = run;
  if (rejected > 0) {
    const titles = rejections.map(({ rule_id, title }) => `${rule_id} ("${title}")`).slice(0, NAMED);
    const more = rejected > NAMED ? ` and ${rejected - NAMED} more` : '';
    return {
      code: 'task_rejected',
      message: `issue-core refused ${specs(rejected)}: ${titles.join(', ')}${more}; mend the definition, have it reviewed again, then \`activity-core runs retry ${run_id}\` sends only what is missing`,
      details: { rejected, tasks: rejections },
    };
  }
  if (discarded === 0) return null;
  const message = `an operator discarded ${specs(discarded)} of this run before they were sent`;
  return { code: 'tasks_discarded', message, details: { discarded } };
}

const NAMED = 5;

export function refusedAccess(run: EmittingRun, fault: SinkFault): RunError {
  return {
    code: 'sink_unauthorized',
    message: `issue-core does not let us in (${fault.message}); ${staying(run)}`,
    details: { pending: run.pending, rejected: run.rejected, fault },
  };
}

export function gaveUp(run: EmittingRun, hours: number): RunError {
  return {
    code: 'sink_unavailable',
    message: `issue-core did not take everything within ${hours} h (EMIT_GIVE_UP_HOURS); ${staying(run)}`,
    details: { pending: run.pending, rejected: run.rejected },
  };
}

/** Those whose definition may not emit any more, with their error: ISSUE_SINK_TYPE, `emit` or a verdict has changed. */
export async function switchedOff(
  { sinkMode }: { sinkMode: DecideSinkMode },
  registry: Registry,
  runs: EmittingRun[],
): Promise<Map<string, RunError>> {
  const off = new Map<string, RunError>();
  for (const run of runs) {
    if (run.pending === 0) continue;
    const reason = await whyNotLive(sinkMode, registry, run);
    if (reason === null) continue;
    off.set(run.run_id, {
      code: 'sink_disabled',
      message: `the sink was switched off while this run was emitting: ${reason}; ${staying(run)}`,
      details: { reason, pending: run.pending, rejected: run.rejected },
    });
  }
  return off;
}

const specs = (count: number): string => (count === 1 ? '1 spec' : `${count} specs`);

function staying({ pending, run_id }: EmittingRun): string {
  const stay = pending === 1 ? '1 spec stays' : `${pending} specs stay`;
  return `${stay} pending: \`activity-core tasks resume --run ${run_id}\` or \`tasks discard\` decides`;
}
