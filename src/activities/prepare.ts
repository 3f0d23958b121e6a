/**
 * The step that decides: resolves contexts, evaluates rules, and commits runs and task specs in one transaction.
 * For definitions that only audit, it is the whole run. Run again after a crash or a reset, it finds its own rows.
 */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import type { AppliedRegistry } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import {
  beginDispatch,
  closeDispatch,
  countAttempt,
  type Dispatch,
  insertDispatch,
} from '../store/dispatches.ts';
import { moveDecisions } from '../store/event-decisions.ts';
import { readEnvelopes } from '../store/events.ts';
import { type Pool, transaction } from '../store/pool.ts';
import { readRunsForPrepare, type StandingRun } from '../store/runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Activities } from '../workflows/contract.ts';
import { commitRuns } from './commit-runs.ts';
import { toActivityFailure } from './failure.ts';
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
/** Those whose retry runs elsewhere are never taken out again: forgetting all of them costs one count each. */
const MAX_BEGUN = 10_000;

export function createPrepare(deps: PrepareDeps): Activities['prepare'] {
  // A dispatch that this process has begun before did not kill it, whether it failed or took too long: it is not counted again.
  const begun = new Set<string>();
  // Dispatches under suspicion run one at a time: one that kills the worker takes no innocent ones along.
  let suspects: Promise<unknown> = Promise.resolve();

  async function attempt(dispatchId: string, survived: boolean): Promise<void> {
    const dispatch = await beginDispatch(deps.pool, dispatchId);
    if (!dispatch) throw ApplicationFailure.nonRetryable('the dispatch is not recorded', 'dispatch_missing');
    if (dispatch.closed_at !== null) return;
    if (dispatch.attempts === 0 || survived) return runDispatch(deps, dispatch, false);
    const turn = suspects.then(() => runSuspect(deps, dispatch));
    suspects = turn.catch(() => undefined);
    await turn;
  }

  return async function prepare({ dispatch_id }) {
    const survived = begun.has(dispatch_id);
    if (begun.size >= MAX_BEGUN) begun.clear();
    begun.add(dispatch_id);
    try {
      await attempt(dispatch_id, survived);
      begun.delete(dispatch_id);
    } catch (error) {
      const failure = toActivityFailure(deps.logger, dispatch_id, error);
      if (failure.nonRetryable) begun.delete(dispatch_id);
      throw failure;
    }
  };
}

async function runSuspect(deps: PrepareDeps, dispatch: Dispatch): Promise<void> {
  const attempts = await countAttempt(deps.pool, dispatch.dispatch_id);
  const isShared = dispatch.members.length > 1;
  if (isShared && attempts > MAX_ATTEMPTS_SHARED) return split(deps, dispatch, attempts);
  await runDispatch(deps, dispatch, attempts > MAX_ATTEMPTS_ALONE);
}

async function runDispatch(deps: PrepareDeps, dispatch: Dispatch, hasCrashed: boolean): Promise<void> {
  await commitRuns(deps, dispatch.dispatch_id, await prepareMembers(deps, dispatch, hasCrashed));
}

async function prepareMembers(
  deps: PrepareDeps,
  dispatch: Dispatch,
  hasCrashed: boolean,
): Promise<Prepared[]> {
  const [registry, standing, envelopes] = await Promise.all([
    deps.registry.current(),
    readStandingRuns(deps.pool, dispatch),
    readEnvelopes(
      deps.pool,
      dispatch.members.flatMap(({ event_uid }) => event_uid ?? []),
    ),
  ]);
  const retried = [...standing.values()]
    .flatMap(({ event_uid }) => event_uid ?? [])
    .filter((uid) => !envelopes.has(uid));
  for (const [uid, envelope] of await readEnvelopes(deps.pool, retried)) envelopes.set(uid, envelope);
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

/** The first attempt of a dispatch of events has none to find; where it has all the same, its insert gives way. */
function readStandingRuns(pool: Pool, { members, attempts }: Dispatch): Promise<Map<string, StandingRun>> {
  const expected = attempts > 0 ? members : members.filter(({ event_uid }) => event_uid === null);
  return readRunsForPrepare(
    pool,
    expected.map(({ run_id }) => run_id),
  );
}

/** The halves become dispatches of their own, each with its own count; the reconciler starts them. */
async function split(deps: PrepareDeps, dispatch: Dispatch, attempts: number): Promise<void> {
  const { dispatch_id, members } = dispatch;
  const context = { dispatch_id, attempts, members: members.length };
  deps.logger.error(context, 'a dispatch keeps killing its worker and is halved');
  const middle = members.length >> 1;
  await transaction(deps.pool, async (client) => {
    if (!(await closeDispatch(client, dispatch_id))) return;
    for (const half of [members.slice(0, middle), members.slice(middle)]) {
      const id = randomUUID();
      await insertDispatch(client, { dispatch_id: id, members: half, due: true });
      await moveDecisions(client, dispatch_id, half, id);
    }
  });
}
