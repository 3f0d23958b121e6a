/** Every member of a dispatch, prepared one after the other and committed together. */
import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import type { StartQueued } from '../bridge/start-dispatches.ts';
import type { AppliedRegistry, Registry } from '../definitions/applied-registry.ts';
import { isRemote, type Resolvers } from '../resolvers/registry.ts';
import type { PauseExceeded } from '../schedules/pause-exceeded.ts';
import { type DecideSinkMode, SAYS_AUDIT } from '../sinks/sink-mode.ts';
import { beginDispatch, type Dispatch } from '../store/dispatches.ts';
import { type RecordedEvent, readEvents, readEventsOfDispatch } from '../store/events.ts';
import type { Pool } from '../store/pool.ts';
import { readRunsForPrepare, type StandingRun } from '../store/runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AskModel } from './ask-model.ts';
import { commitRuns } from './commit-runs.ts';
import { type Circumstances, type Prepared, prepareRun } from './prepare-run.ts';

export interface PrepareDeps {
  pool: Pool;
  registry: AppliedRegistry;
  resolvers: Resolvers;
  askModel: AskModel;
  sinkMode: DecideSinkMode;
  pauseExceeded: PauseExceeded;
  startQueued: StartQueued;
  metrics: Metrics;
  logger: Logger;
}

/** A dispatch with what its runs are made of. */
export interface BegunDispatch {
  dispatch: Dispatch;
  registry: Registry;
  /** Of its own events; those of the runs that are retried are read later. */
  events: Map<string, RecordedEvent>;
}

/** Three questions at one time: each would cost a small dispatch a round trip more. Counts the first attempt. */
export async function begin({ pool, registry }: PrepareDeps, dispatchId: string): Promise<BegunDispatch> {
  const [dispatch, current, events] = await Promise.all([
    beginDispatch(pool, dispatchId),
    registry.current(),
    readEventsOfDispatch(pool, dispatchId),
  ]);
  if (!dispatch) throw ApplicationFailure.nonRetryable('the dispatch is not recorded', 'dispatch_missing');
  return { dispatch, registry: current, events };
}

/** @throws NotAnswered where `circumstances.mayRetry` and a source or the model may answer later */
export async function runDispatch(
  deps: PrepareDeps,
  begun: BegunDispatch,
  circumstances: Circumstances,
): Promise<'emit' | undefined> {
  const begunAt = performance.now();
  const prepared = await prepareMembers(deps, begun, circumstances);
  tellOfAudits(deps.logger, prepared);
  const { dispatch_id, alone, members } = begun.dispatch;
  const next = await commitRuns(deps, dispatch_id, prepared, begunAt);
  // It has made room. Where this process dies first, the reconciler's next pass finds that.
  if (alone) await deps.startQueued(members.map(({ definition_id }) => definition_id));
  return next;
}

/** One line for each definition that says `emit: live` and is not: somebody waits for its tasks. */
function tellOfAudits(logger: Logger, prepared: Prepared[]): void {
  const audits = prepared.filter(({ run }) => run.sink_mode === 'audit' && run.sink_reason !== SAYS_AUDIT);
  for (const [definition_id, runs] of Map.groupBy(audits, ({ run }) => run.definition_id)) {
    const sink_reason = runs[0]?.run.sink_reason;
    const context = { definition_id, sink_reason, runs: runs.length };
    logger.warn(context, 'a definition says emit: live, and its runs are only audited');
  }
}

/** Whom else its definition asks, which never shares a dispatch then: a model, or remote sources alone; null: nobody. */
export async function whomItAsks(
  resolvers: Resolvers,
  { registry, dispatch: { members } }: BegunDispatch,
): Promise<'model' | 'remote' | null> {
  const [alone] = members;
  if (!alone || members.length > 1) return null;
  const revision = await registry.revision(alone.definition_id, alone.definition_hash);
  if (!revision || !isRemote(revision.definition, resolvers)) return null;
  return revision.definition.instructions.length > 0 ? 'model' : 'remote';
}

async function prepareMembers(
  deps: PrepareDeps,
  { registry, dispatch, events }: BegunDispatch,
  circumstances: Circumstances,
): Promise<Prepared[]> {
  const standing = await readStandingRuns(deps.pool, dispatch);
  const retried = [...standing.values()]
    .flatMap(({ event_uid }) => event_uid ?? [])
    .filter((uid) => !events.has(uid));
  for (const [uid, event] of await readEvents(deps.pool, retried)) events.set(uid, event);
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
        events,
        workflow,
        ...circumstances,
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
