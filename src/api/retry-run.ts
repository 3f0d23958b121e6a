/** A failed run once more, on the current revision: `POST /api/v1/runs/{run_id}/retry`, real or dry. */
import type { AskModel } from '../activities/ask-model.ts';
import type { StartDispatch } from '../bridge/dispatch.ts';
import { runId } from '../core/ids.ts';
import { retryTriggerKey } from '../core/trigger.ts';
import type { ActiveDefinition, AppliedRegistry } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import { readEvents } from '../store/events.ts';
import { findAnsweredContext } from '../store/pinned-contexts.ts';
import { type Pool, type Queryable, transaction } from '../store/pool.ts';
import {
  findRunningOfChain,
  findUnfailedOfChain,
  holdRun,
  lastRetryNumber,
  lockChain,
  readRunsForPrepare,
  type StandingRun,
} from '../store/runs.ts';
import { hasUnsentTasks } from '../store/task-spawn-log.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type DryRun, factsOf, type RehearseDeps, rehearseRun } from './dry-run.ts';
import { Problem } from './problem.ts';
import { runNotFound } from './run-id.ts';
import { refuseDisabled } from './start-run.ts';
import { insertStartingRun, type StartedRun, type StartingRun, startWorkflow } from './started-run.ts';

export interface RetryDeps {
  pool: Pool;
  registry: AppliedRegistry;
  resolvers: Resolvers;
  recallModel: AskModel;
  sinkMode: DecideSinkMode;
  startDispatch: StartDispatch;
  logger: Logger;
}

export interface Retries {
  start(runId: string, requestedBy: string): Promise<StartedRun>;
  rehearse(runId: string): Promise<DryRun>;
}

/** Both throw `Problem`. */
export function createRetries(deps: RetryDeps): Retries {
  return {
    async start(id, requestedBy) {
      const { failed, definition } = await findFailed(deps, id);
      refuseDisabled(definition);
      if (definition.paused) {
        throw new Problem(
          'definition_paused',
          `${failed.definition_id} is paused: ${definition.pause_reason}`,
        );
      }
      const run = await transaction(deps.pool, (client) =>
        insertRetry(deps, client, failed, definition, requestedBy),
      );
      return startWorkflow(deps, { run_id: run.run_id, workflow_id: run.dispatch_id });
    },
    async rehearse(id) {
      const { failed, definition } = await findFailed(deps, id);
      const event = await readEvent(deps.pool, failed);
      if (!event && failed.event_uid) {
        const message = `event ${failed.event_uid} is no longer stored`;
        return {
          context: null,
          rules: [],
          tasks: [],
          instructions: [],
          reports: [],
          errors: [{ code: 'event_missing', message, details: {} }],
          filter: null,
        };
      }
      const triggerKey = retryTriggerKey(
        failed.run_id,
        (await lastRetryNumber(deps.pool, failed.run_id)) + 1,
      );
      const run = factsOf({ ...failed, run_id: runId(failed.definition_id, triggerKey) });
      return rehearseRun(
        { revision: definition, event, run, applyFilter: failed.event_uid !== null },
        { resolvers: deps.resolvers, ...(await recalled(deps, failed, definition)) },
      );
    },
  };
}

/** What its chain has answers for is not asked again, neither really nor dry. */
async function recalled(
  { pool, recallModel }: RetryDeps,
  { definition_id, origin_trigger_key }: StandingRun,
  { definition, definition_hash }: ActiveDefinition,
): Promise<Pick<RehearseDeps, 'askModel' | 'answered'>> {
  const chain = { definition_id, origin_trigger_key, definition_hash };
  const context = definition.instructions.length > 0 ? await findAnsweredContext(pool, chain) : null;
  return context ? { askModel: recallModel, answered: { origin_trigger_key, context } } : { askModel: null };
}

async function findFailed(
  deps: RetryDeps,
  id: string,
): Promise<{ failed: StandingRun; definition: ActiveDefinition }> {
  const run = (await readRunsForPrepare(deps.pool, [id])).get(id);
  if (!run) throw runNotFound(id);
  refuseUnfailed(run);
  const definition = (await deps.registry.current()).find(run.definition_id);
  if (!definition) {
    throw new Problem(
      'definition_disabled',
      `${run.definition_id} is no longer declared; there is no revision to run`,
    );
  }
  return { failed: run, definition };
}

function refuseUnfailed({ status }: StandingRun): void {
  if (status === 'failed') return;
  throw new Problem('wrong_state', `the run is ${status}; only a failed run can be retried`);
}

async function insertRetry(
  deps: RetryDeps,
  client: Queryable,
  failed: StandingRun,
  definition: ActiveDefinition,
  requestedBy: string,
): Promise<StartingRun> {
  const { definition_id, origin_trigger_key } = failed;
  // All runs of a chain have the same idempotency keys: two at a time would write the same tasks.
  await lockChain(client, definition_id, origin_trigger_key);
  if (!(await holdRun(client, failed.run_id)))
    throw new Problem('not_found', `run ${failed.run_id} is no longer stored`);
  // A resume of its pending tasks may have reopened it, or the first run of its chain.
  const now = (await readRunsForPrepare(client, [failed.run_id])).get(failed.run_id);
  if (now) refuseUnfailed(now);
  const running = await findRunningOfChain(client, definition_id, origin_trigger_key);
  if (running)
    throw new Problem(
      'wrong_state',
      `run ${running}, which has the same tasks, is running; retry when it ended`,
    );
  const other = await findUnfailedOfChain(client, definition_id, origin_trigger_key);
  if (other)
    throw new Problem('wrong_state', `run ${other.run_id}, a retry of the same run, is ${other.status}`);
  const triggerKey = retryTriggerKey(failed.run_id, (await lastRetryNumber(client, failed.run_id)) + 1);
  const run = newRetry(deps, failed, definition, triggerKey, requestedBy);
  if (run.sink_mode === 'audit' && (await hasUnsentTasks(client, failed.run_id)))
    throw new Problem('wrong_state', wouldOnlyAudit(run));
  if (await insertStartingRun(client, run)) return run;
  throw new Problem('wrong_state', 'the run is being retried at this moment');
}

/** The run would end completed, with specs that nobody got; refused ones could not even be sent later. */
const wouldOnlyAudit = ({ definition_id, sink_reason }: StartingRun): string =>
  `specs of this run were not sent, and a retry would only audit them: ${sink_reason}; ` +
  `\`activity-core promote ${definition_id}\` says what is missing, then retry`;

function newRetry(
  deps: RetryDeps,
  failed: StandingRun,
  active: ActiveDefinition,
  triggerKey: string,
  requestedBy: string,
): StartingRun {
  const { definition_id, origin_trigger_key, event, event_id, event_uid, traceparent, scheduled_for } =
    failed;
  const id = runId(definition_id, triggerKey);
  const { mode, reason } = deps.sinkMode(active);
  return {
    run_id: id,
    definition_id,
    definition_hash: active.definition_hash,
    trigger_key: triggerKey,
    origin_trigger_key,
    trigger_kind: 'retry',
    event,
    event_id,
    event_uid,
    traceparent,
    scheduled_for,
    requested_by: requestedBy,
    trigger_reason: null,
    request_hash: null,
    retry_of: failed.run_id,
    dispatch_id: id,
    sink_mode: mode,
    sink_reason: reason,
  };
}

async function readEvent(pool: Pool, { event, event_uid }: StandingRun) {
  if (event || !event_uid) return event;
  return (await readEvents(pool, [event_uid])).get(event_uid)?.envelope ?? null;
}
