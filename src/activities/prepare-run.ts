/** One member of a dispatch → its run and its task specs, ready to be committed. A failure here is this run's alone. */
import type { Decision, RunFacts } from '../core/decision.ts';
import type { Envelope } from '../core/envelope.ts';
import { idempotencyKey } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Registry, Revision } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { type DecideSinkMode, type SinkMode, statusOfNewTask } from '../sinks/sink-mode.ts';
import type { DispatchMember } from '../store/dispatches.ts';
import { type DecidedRun, type NewRun, newEventRun, type StandingRun } from '../store/runs.ts';
import type { NewTask } from '../store/task-spawn-log.ts';
import type { Logger } from '../telemetry/logger.ts';
import { decideRun } from './decide-run.ts';

export interface Prepared {
  run: DecidedRun;
  tasks: NewTask[];
  /** Its row is there already, as `running`: it is finished, not inserted. */
  stands: boolean;
  /** Of the revision that it is pinned to; null where that has none. */
  max_tasks_per_hour: number | null;
}

export interface PrepareRunDeps {
  resolvers: Resolvers;
  sinkMode: DecideSinkMode;
  logger: Logger;
}

export interface MemberInput extends Circumstances {
  registry: Registry;
  dispatch_id: string;
  member: DispatchMember;
  row: StandingRun | null;
  envelopes: ReadonlyMap<string, Envelope>;
  workflow: { workflow_id: string; run_id: string | null };
}

export interface Circumstances {
  /** The dispatch holds this one member and has killed its worker too often. */
  hasCrashed?: boolean;
  /** A context source that does not answer now is asked again later; without this, its run fails. */
  mayRetry?: boolean;
}

/** Nothing was decided: the same again later. */
export class ResolverUnavailable extends Error {
  override name = 'ResolverUnavailable';
}

const NEVER_APPLIED: SinkMode = { mode: 'audit', reason: 'the revision was never applied' };

export async function prepareRun(deps: PrepareRunDeps, input: MemberInput): Promise<Prepared> {
  const { member, row } = input;
  const eventUid = member.event_uid ?? row?.event_uid ?? null;
  const event = row?.event ?? (eventUid ? (input.envelopes.get(eventUid) ?? null) : null);
  const revision = await input.registry.revision(member.definition_id, member.definition_hash);
  const { mode, reason } = revision ? deps.sinkMode(revision) : NEVER_APPLIED;
  const run: NewRun = {
    ...(row ?? newEventRun(member, event?.id ?? null, input.dispatch_id)),
    sink_mode: mode,
    sink_reason: reason,
  };
  const decision = await decide(deps, input, run, revision, event);
  const tasks = decision.error
    ? []
    : decision.tasks.map((draft) => newTask(run, draft, statusOfNewTask({ mode, reason })));
  return {
    run: {
      ...run,
      status: decision.error ? 'failed' : tasks.length > 0 && mode === 'live' ? 'running' : 'completed',
      task_count: tasks.length,
      error: decision.error,
      context: decision.context,
      rules: decision.rules,
      workflow_id: input.workflow.workflow_id,
      workflow_run_id: input.workflow.run_id,
    },
    tasks,
    stands: row !== null,
    max_tasks_per_hour: revision?.definition.limits.max_tasks_per_hour ?? null,
  };
}

type Decided = Decision & { context: JsonObject | null };

async function decide(
  deps: PrepareRunDeps,
  input: MemberInput,
  run: NewRun,
  revision: Revision | null,
  event: Envelope | null,
): Promise<Decided> {
  const failed = (
    code: 'worker_crashed' | 'definition_invalid' | 'event_missing' | 'internal_error',
    message: string,
  ): Decided => {
    return {
      context: null,
      rules: [],
      tasks: [],
      error: { code, message, details: { definition_id: run.definition_id } },
    };
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
    const decided = await decideRun({ revision, event, run: facts, applyFilter }, deps.resolvers);
    if (decided.retryable && input.mayRetry) throw new ResolverUnavailable(decided.error?.message);
    return decided;
  } catch (error) {
    if (error instanceof ResolverUnavailable) throw error;
    deps.logger.error(
      { err: error, run_id: run.run_id, definition_id: run.definition_id },
      'deciding a run failed unexpectedly',
    );
    return failed('internal_error', `deciding failed unexpectedly: ${(error as Error).message}`);
  }
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
  };
}
