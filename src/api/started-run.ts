/** The rows of a run that starts, in one transaction with its dispatch, and the workflow's start. */
import type { StartDispatch } from '../bridge/dispatch.ts';
import { insertDispatch } from '../store/dispatches.ts';
import type { Queryable } from '../store/pool.ts';
import { insertRunningRun, type NewRun } from '../store/runs.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface StartedRun {
  run_id: string;
  workflow_id: string;
}

export type StartingRun = NewRun & { scheduled_for?: string | null; dispatch_id: string };

/** False where (definition, trigger key) has a run already: then nothing was written. */
export async function insertStartingRun(client: Queryable, run: StartingRun): Promise<boolean> {
  if (!(await insertRunningRun(client, run))) return false;
  const { run_id, definition_id, definition_hash, dispatch_id } = run;
  const member = { run_id, definition_id, definition_hash, event_uid: null };
  await insertDispatch(client, { dispatch_id, members: [member] });
  return true;
}

/** The run is recorded: where Temporal is away, the reconciler starts it. */
export async function startWorkflow(
  deps: { startDispatch: StartDispatch; logger: Logger },
  run: StartedRun,
): Promise<StartedRun> {
  await deps.startDispatch(run.workflow_id).catch((error: unknown) => {
    const { run_id, workflow_id: dispatch_id } = run;
    deps.logger.warn({ err: error, run_id, dispatch_id }, 'a run is recorded and its workflow starts later');
  });
  return run;
}
