/**
 * The step that decides: resolves contexts, evaluates rules, and commits runs and task specs in one transaction.
 * For definitions that only audit, it is the whole run. Run again after a crash or a reset, it finds its own rows.
 */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import type { AppliedRegistry } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import { beginAttempt, closeDispatch, type Dispatch, insertDispatch } from '../store/dispatches.ts';
import { moveDecisions } from '../store/event-decisions.ts';
import { readEnvelopes } from '../store/events.ts';
import { isTransient } from '../store/failure.ts';
import { type Pool, transaction } from '../store/pool.ts';
import { readRunsForPrepare } from '../store/runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Activities } from '../workflows/contract.ts';
import { commitRuns } from './commit-runs.ts';
import { type Prepared, prepareRun } from './prepare-run.ts';

export interface PrepareDeps {
  pool: Pool;
  registry: AppliedRegistry;
  resolvers: Resolvers;
  sinkMode: DecideSinkMode;
  metrics: Metrics;
  logger: Logger;
}

/** Attempts without an answer, after which a dispatch is held to kill its worker: it is halved, or its one run failed. */
const MAX_ATTEMPTS_SHARED = 2;
const MAX_ATTEMPTS_ALONE = 5;

export function createPrepare(deps: PrepareDeps): Activities['prepare'] {
  // An attempt that failed in this process did not kill it: the next one is not held against the dispatch.
  const survived = new Set<string>();
  return async function prepare({ dispatch_id }) {
    try {
      await attempt(deps, dispatch_id, survived.has(dispatch_id));
      survived.delete(dispatch_id);
    } catch (error) {
      survived.add(dispatch_id);
      throw asFailure(deps.logger, dispatch_id, error);
    }
  };
}

async function attempt(deps: PrepareDeps, dispatchId: string, survived: boolean): Promise<void> {
  const dispatch = await beginAttempt(deps.pool, dispatchId, survived ? 0 : 1);
  if (!dispatch) throw ApplicationFailure.nonRetryable('the dispatch is not recorded', 'dispatch_missing');
  if (dispatch.closed_at !== null) return;
  const isShared = dispatch.members.length > 1;
  if (isShared && dispatch.attempts > MAX_ATTEMPTS_SHARED) return split(deps, dispatch);
  const prepared = await prepareMembers(deps, dispatch, dispatch.attempts > MAX_ATTEMPTS_ALONE);
  await commitRuns(deps, dispatchId, prepared);
}

async function prepareMembers(
  deps: PrepareDeps,
  dispatch: Dispatch,
  hasCrashed: boolean,
): Promise<Prepared[]> {
  const standing = await readRunsForPrepare(
    deps.pool,
    dispatch.members.map(({ run_id }) => run_id),
  );
  const eventUids = dispatch.members.flatMap(
    (member) => member.event_uid ?? standing.get(member.run_id)?.event_uid ?? [],
  );
  const envelopes = await readEnvelopes(deps.pool, eventUids);
  const registry = await deps.registry.current();
  const { workflowExecution } = activityInfo();
  const workflow = {
    workflow_id: workflowExecution?.workflowId ?? dispatch.dispatch_id,
    run_id: workflowExecution?.runId ?? null,
  };
  const prepared: Prepared[] = [];
  for (const member of dispatch.members) {
    const row = standing.get(member.run_id) ?? null;
    if (row && row.status !== 'running') continue;
    prepared.push(
      await prepareRun(deps, {
        registry,
        dispatch_id: dispatch.dispatch_id,
        member,
        row,
        envelopes,
        workflow,
        hasCrashed,
      }),
    );
  }
  return prepared;
}

/** The halves become dispatches of their own, each with its own count; the reconciler starts them. */
async function split(deps: PrepareDeps, dispatch: Dispatch): Promise<void> {
  const { dispatch_id, members, attempts } = dispatch;
  deps.logger.error(
    { dispatch_id, attempts, members: members.length },
    'a dispatch keeps killing its worker and is halved',
  );
  const middle = members.length >> 1;
  await transaction(deps.pool, async (client) => {
    for (const half of [members.slice(0, middle), members.slice(middle)]) {
      const id = randomUUID();
      await insertDispatch(client, { dispatch_id: id, members: half, due: true });
      await moveDecisions(client, dispatch_id, half, id);
    }
    await closeDispatch(client, dispatch_id);
  });
}

/** Only a code and an id leave for Temporal's history: messages of PostgreSQL may hold data. */
function asFailure(logger: Logger, dispatchId: string, error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  if (isTransient(error)) {
    logger.warn({ err: error, dispatch_id: dispatchId }, 'prepare is tried again');
    return ApplicationFailure.retryable(`dispatch ${dispatchId}`, 'postgres_unavailable');
  }
  logger.error({ err: error, dispatch_id: dispatchId }, 'prepare failed');
  return ApplicationFailure.nonRetryable(`dispatch ${dispatchId}`, 'workflow_failed');
}
