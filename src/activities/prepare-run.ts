/** One member of a dispatch → its run and its task specs, ready to be committed. A failure here is this run's alone. */
import type { Decision, RunFacts } from '../core/decision.ts';
import type { Envelope } from '../core/envelope.ts';
import { idempotencyKey } from '../core/ids.ts';
import type { Registry, Revision } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { type DecideSinkMode, type SinkMode, statusOfNewTask } from '../sinks/sink-mode.ts';
import type { DispatchMember } from '../store/dispatches.ts';
import type { RecordedEvent } from '../store/events.ts';
import { isTransient } from '../store/failure.ts';
import { findAnsweredContext, pinContext, readPinnedContext } from '../store/pinned-contexts.ts';
import type { Pool } from '../store/pool.ts';
import {
  type DecidedRun,
  type NewRun,
  NOTHING_DECIDED,
  newEventRun,
  type StandingRun,
} from '../store/runs.ts';
import type { NewTask } from '../store/task-spawn-log.ts';
import type { UnansweredRun } from '../store/unanswered-dispatches.ts';
import type { FailedRun } from '../telemetry/failed-runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AskModel } from './ask-model.ts';
import { type DecidedDecision, decideRun, type RunModel } from './decide-run.ts';

export interface Prepared {
  run: DecidedRun;
  tasks: NewTask[];
  /** Its row is there already, as `running`: it is finished, not inserted. */
  stands: boolean;
  /** Its context was kept while the model was asked. */
  asks_model: boolean;
  /** Of the revision that it is pinned to; null where that has none. */
  max_tasks_per_hour: number | null;
}

export interface PrepareRunDeps {
  pool: Pool;
  askModel: AskModel;
  resolvers: Resolvers;
  sinkMode: DecideSinkMode;
  logger: Logger;
}

export interface MemberInput extends Circumstances {
  registry: Registry;
  dispatch_id: string;
  member: DispatchMember;
  row: StandingRun | null;
  events: ReadonlyMap<string, RecordedEvent>;
  workflow: { workflow_id: string; run_id: string | null };
}

export interface Circumstances {
  /** The dispatch holds this one member and has killed its worker too often. */
  hasCrashed?: boolean;
  /**
   * Whether a context source or a model that does not answer this run now is asked again later; without this, the run
   * fails.
   */
  mayRetry?(run: UnansweredRun): Promise<boolean>;
  /** Ends what is waited for. */
  signal?: AbortSignal;
}

/** Nothing was decided: the same again later. */
export class NotAnswered extends Error {
  override name = 'NotAnswered';
  readonly retry_after_ms: number | null;

  readonly run: FailedRun;

  constructor(message: string | undefined, retry_after_ms: number | null, run: FailedRun) {
    super(message);
    this.retry_after_ms = retry_after_ms;
    this.run = run;
  }
}

const NEVER_APPLIED: SinkMode = { mode: 'audit', reason: 'the revision was never applied' };

export async function prepareRun(deps: PrepareRunDeps, input: MemberInput): Promise<Prepared> {
  const { member, row } = input;
  const eventUid = member.event_uid ?? row?.event_uid ?? null;
  const recorded = eventUid ? (input.events.get(eventUid) ?? null) : null;
  const event = row?.event ?? recorded?.envelope ?? null;
  const revision = await input.registry.revision(member.definition_id, member.definition_hash);
  const { mode, reason } = revision ? deps.sinkMode(revision) : NEVER_APPLIED;
  const run: NewRun = {
    ...(row ?? newEventRun(member, recorded, input.dispatch_id)),
    sink_mode: mode,
    sink_reason: reason,
  };
  const decision = await decide(deps, input, run, revision, event);
  const tasks = decision.error
    ? []
    : decision.tasks.map((draft) => newTask(run, draft, statusOfNewTask({ mode, reason })));
  const emits = tasks.length > 0 && mode === 'live';
  const { error, context, rules, instructions, reports } = decision;
  return {
    run: {
      ...run,
      status: error ? 'failed' : emits || reports.length > 0 ? 'running' : 'completed',
      task_count: tasks.length,
      error,
      context,
      rules,
      review_required: revision?.definition.instructions.some((one) => one.review_required) ?? false,
      instructions,
      reports,
      reporting: !error && !emits && reports.length > 0,
      workflow_id: input.workflow.workflow_id,
      workflow_run_id: input.workflow.run_id,
    },
    tasks,
    stands: row !== null,
    asks_model: (revision?.definition.instructions.length ?? 0) > 0,
    max_tasks_per_hour: revision?.definition.limits.max_tasks_per_hour ?? null,
  };
}

async function decide(
  deps: PrepareRunDeps,
  input: MemberInput,
  run: NewRun,
  revision: Revision | null,
  event: Envelope | null,
): Promise<DecidedDecision> {
  const failed = (
    code: 'worker_crashed' | 'definition_invalid' | 'event_missing' | 'internal_error',
    message: string,
  ): DecidedDecision => {
    const error = { code, message, details: { definition_id: run.definition_id } };
    return { ...NOTHING_DECIDED, instructions: [], tasks: [], error };
  };
  if (input.hasCrashed)
    return failed(
      'worker_crashed',
      'deciding this run ended its worker several times; it is not tried again',
    );
  if (!revision)
    return failed(
      'definition_invalid',
      `revision ${run.definition_hash} of ${run.definition_id} was never applied`,
    );
  if (run.event_uid && !event) return failed('event_missing', `event ${run.event_uid} is no longer stored`);
  try {
    const applyFilter = run.trigger_kind === 'retry' && run.event_uid !== null;
    const facts = factsOf(run, input.row);
    const model = await modelOf(deps, run, revision, input.signal);
    const decided = await decideRun({ revision, event, run: facts, applyFilter }, { ...deps, model });
    if (decided.retryable && (await input.mayRetry?.(run))) {
      throw new NotAnswered(decided.error?.message, decided.retry_after_ms ?? null, run);
    }
    return decided;
  } catch (error) {
    // A PostgreSQL that is away while the model's answer is to be kept delays the run and does not fail it.
    if (error instanceof NotAnswered || isTransient(error)) throw error;
    deps.logger.error(
      {
        err: error,
        run_id: run.run_id,
        definition_id: run.definition_id,
        event_uid: run.event_uid,
        dispatch_id: input.dispatch_id,
      },
      'deciding a run failed unexpectedly',
    );
    return failed('internal_error', `deciding failed unexpectedly: ${(error as Error).message}`);
  }
}

/** Only for definitions that ask one: the others cost no statement more. */
async function modelOf(
  { pool, askModel }: PrepareRunDeps,
  { run_id, definition_id, definition_hash, origin_trigger_key }: NewRun,
  revision: Revision,
  signal: AbortSignal | undefined,
): Promise<RunModel | undefined> {
  if (revision.definition.instructions.length === 0) return undefined;
  const pinnedRun = { run_id, definition_hash };
  // A retry binds what the answers that it uses again were given for.
  const chain = { definition_id, definition_hash, origin_trigger_key };
  const pinned = (await readPinnedContext(pool, pinnedRun)) ?? (await findAnsweredContext(pool, chain));
  return {
    ask: askModel,
    run: { run_id, definition_id, origin_trigger_key, definition_hash },
    signal,
    pinned,
    pin: (context) => pinContext(pool, pinnedRun, context),
  };
}

function factsOf(run: NewRun, row: StandingRun | null): RunFacts {
  const scheduledFor = row?.scheduled_for ?? null;
  const day = (scheduledFor ?? row?.started_at ?? new Date().toISOString()).slice(0, 10);
  return { run_id: run.run_id, definition_id: run.definition_id, scheduled_for: scheduledFor, date: day };
}

function newTask(run: NewRun, draft: Decision['tasks'][number], status: NewTask['status']): NewTask {
  return {
    idempotency_key: idempotencyKey(run.definition_id, run.origin_trigger_key, draft.rule_id, draft.position),
    run_id: run.run_id,
    definition_id: run.definition_id,
    rule_id: draft.rule_id,
    spec: draft.spec,
    dedupe_key: draft.dedupe_key,
    status,
    review_required: draft.review_required ?? false,
  };
}
