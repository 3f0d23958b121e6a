/** The end of a dispatch whose `prepare` gave up: every run that it did not make is recorded as failed. */
import type { StartQueued } from '../bridge/start-dispatches.ts';
import type { RunError } from '../core/decision.ts';
import { closeDispatch, listMembersWithoutRun } from '../store/dispatches.ts';
import { readEvents } from '../store/events.ts';
import { unpinContexts } from '../store/pinned-contexts.ts';
import { type Pool, type Queryable, transaction } from '../store/pool.ts';
import { findQueueOf } from '../store/queued-dispatches.ts';
import {
  failRunningRuns,
  insertDecidedRuns,
  NOTHING_DECIDED,
  newEventRun,
  type RunOfDefinition,
} from '../store/runs.ts';
import { tellOfFailedRuns } from '../telemetry/failed-runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Activities } from '../workflows/contract.ts';
import { toActivityFailure } from './failure.ts';

export interface CloseDeps {
  pool: Pool;
  startQueued: StartQueued;
  metrics: Metrics;
  logger: Logger;
}

export function createClose(deps: CloseDeps): Activities['close'] {
  return async function close({ dispatch_id, code }) {
    const error: RunError = {
      code: 'workflow_failed',
      message: `the run could not be prepared (${code}); the service's log has the reason under its dispatch_id`,
      details: { dispatch_id, code },
    };
    try {
      const failed = await transaction(deps.pool, async (client) => {
        if (!(await closeDispatch(client, dispatch_id, 'deciding'))) return [];
        const standing = await failRunningRuns(client, dispatch_id, error);
        return [...standing, ...(await failMissingRuns(client, dispatch_id, error))];
      });
      for (const { definition_id } of failed) deps.metrics.runs.inc({ definition_id, status: 'failed' });
      tellOfFailedRuns(
        deps.logger,
        failed.map((run) => ({ ...run, code: error.code })),
        { dispatch_id },
      );
      const queue = await findQueueOf(deps.pool, dispatch_id);
      if (queue !== null) await deps.startQueued([queue]);
    } catch (fault) {
      throw toActivityFailure(deps.logger, dispatch_id, fault);
    }
  };
}

async function failMissingRuns(
  client: Queryable,
  dispatchId: string,
  error: RunError,
): Promise<RunOfDefinition[]> {
  const members = await listMembersWithoutRun(client, dispatchId);
  const eventUids = members.flatMap(({ event_uid }) => event_uid ?? []);
  const events = await readEvents(client, eventUids);
  await insertDecidedRuns(
    client,
    members.map((member) => ({
      ...newEventRun(member, events.get(member.event_uid ?? '') ?? null, dispatchId),
      ...NOTHING_DECIDED,
      status: 'failed',
      error,
      workflow_id: dispatchId,
      workflow_run_id: null,
    })),
  );
  await unpinContexts(
    client,
    members.map(({ run_id }) => run_id),
  );
  return members;
}
