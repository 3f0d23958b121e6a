/**
 * The first step of a workflow that a schedule started: one transaction that says what the start is and makes the run's
 * row and its dispatch. From there on it is a dispatch like any other. Run again after a crash or a reset, it finds its own.
 */
import type { RunError } from '../core/decision.ts';
import { firesAt } from '../core/fire-times.ts';
import { runId, scheduledDispatchId } from '../core/ids.ts';
import { manualTriggerKey, scheduleTriggerKey } from '../core/trigger.ts';
import { type Admission, admissionOf } from '../schedules/admission.ts';
import { recordTicks } from '../schedules/record-ticks.ts';
import { closeDispatch, hasDispatch, insertDispatch } from '../store/dispatches.ts';
import { type Pool, type Queryable, readClock, transaction } from '../store/pool.ts';
import { mayBeForgotten } from '../store/retention.ts';
import { finishRun, insertRunningRun, type NewRun, NOTHING_DECIDED, UNSAID } from '../store/runs.ts';
import { closeTick, lockTick, type Tick } from '../store/schedule-ticks.ts';
import { lockSchedule, type ScheduleRow } from '../store/schedules.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Activities, AdmitInput } from '../workflows/contract.ts';
import { toActivityFailure } from './failure.ts';

export interface AdmitDeps {
  pool: Pool;
  metrics: Metrics;
  logger: Logger;
}

/** Temporal's clock may be a little ahead of PostgreSQL's: its tick is recorded all the same. */
const CLOCK_SKEW_MS = 60_000;

export function createAdmit(deps: AdmitDeps): Activities['admit'] {
  return async function admit(input) {
    const dispatch_id = scheduledDispatchId(input.workflow_id, input.first_workflow_run_id);
    try {
      const admitted = await transaction(deps.pool, (client) => admitOnce(client, input, dispatch_id));
      if (admitted) count(deps, input, admitted);
      // Where an earlier attempt has admitted it: what looks after ticks finds out by itself whether it is one.
      return { dispatch_id, is_tick: admitted === null || admitted.admission === 'fired' };
    } catch (fault) {
      throw toActivityFailure(deps.logger, dispatch_id, fault, { definition_id: input.definition_id });
    }
  };
}

interface Admitted {
  /** `forgotten`: of so long ago that it may have run, and been deleted. */
  admission: Admission | 'forgotten';
  /** Where the run ended before it did anything. */
  refused: 'missed' | 'failed' | null;
  /** Ticks that turned out to be `paused` on the way. */
  paused: number;
}

function count({ logger, metrics }: AdmitDeps, input: AdmitInput, admitted: Admitted): void {
  const { admission, refused, paused } = admitted;
  const { definition_id } = input;
  if (admission === 'forgotten')
    logger.warn(input, 'a workflow began before what is still on record, and runs nothing');
  else logger.debug({ ...input, admission }, 'a schedule started a workflow');
  metrics.ticks.inc({ definition_id, outcome: 'paused' }, paused);
  if (admission === 'fired' || admission === 'missed')
    metrics.ticks.inc({ definition_id, outcome: admission });
  if (refused) metrics.runs.inc({ definition_id, status: refused });
}

/** Null where an earlier attempt has committed. */
async function admitOnce(
  client: Queryable,
  input: AdmitInput,
  dispatch_id: string,
): Promise<Admitted | null> {
  const schedule = await lockSchedule(client, input.definition_id);
  if (await hasDispatch(client, dispatch_id)) return null;
  const now = await readClock(client);
  const until = recordedUntil(now, input.scheduled_for);
  const paused = schedule ? await recordTicks(client, schedule, until) : 0;
  const tick = await lockTick(client, input.definition_id, input.scheduled_for);
  const admission = admissionOf({
    tick,
    schedule: schedule?.schedule ?? null,
    workflowStartedAt: Date.parse(input.workflow_started_at),
    now: Date.parse(now),
  });
  const { workflow_id, first_workflow_run_id } = input;
  const dispatch = { dispatch_id, workflow_id, first_workflow_run_id };
  const isForgotten = admission === 'by_hand' && (await mayBeForgotten(client, input.workflow_started_at));
  if (admission === 'paused' || isForgotten) {
    await insertDispatch(client, { ...dispatch, members: [] });
    await closeDispatch(client, dispatch_id, 'deciding');
    return { admission: isForgotten ? 'forgotten' : admission, refused: null, paused };
  }
  const run = newScheduledRun(input, dispatch_id, admission, schedule);
  const { run_id, definition_id, definition_hash } = run;
  await insertRunningRun(client, run);
  await insertDispatch(client, {
    ...dispatch,
    members: [{ run_id, definition_id, definition_hash, event_uid: null }],
  });
  if (tick && admission !== 'by_hand') {
    const reason = admission === 'missed' ? latenessOf(input, tick, now) : null;
    const { workflow_started_at } = input;
    await closeTick(client, tick, { outcome: admission, reason, run_id, workflow_started_at });
    if (admission === 'fired') return { admission, refused: null, paused };
    await refuse(client, run, dispatch_id, 'missed', tooLate(reason, tick));
    return { admission, refused: 'missed', paused };
  }
  if (schedule && !schedule.enabled) {
    await refuse(client, run, dispatch_id, 'failed', {
      code: 'definition_disabled',
      message: `${definition_id} is disabled; its schedule was triggered by hand in Temporal`,
      details: { definition_id },
    });
    return { admission, refused: 'failed', paused };
  }
  return { admission, refused: null, paused };
}

function recordedUntil(now: string, scheduledFor: string): string {
  const ahead = Date.parse(scheduledFor) - Date.parse(now);
  return ahead > 0 && ahead <= CLOCK_SKEW_MS ? scheduledFor : now;
}

type ScheduledRun = NewRun & {
  scheduled_for: string | null;
  workflow_id: string;
  workflow_run_id: string;
};

function newScheduledRun(
  input: AdmitInput,
  dispatchId: string,
  admission: Admission,
  row: ScheduleRow | null,
): ScheduledRun {
  const { definition_id, definition_hash } = input;
  const time = input.scheduled_for.replace('.000Z', 'Z');
  const isTick = admission !== 'by_hand';
  const trigger_key = isTick
    ? scheduleTriggerKey(time)
    : manualTriggerKey(`temporal:${input.first_workflow_run_id}`);
  const isOnGrid = isTick || (row !== null && firesAt(row.schedule, Date.parse(time)));
  return {
    ...UNSAID,
    run_id: runId(definition_id, trigger_key),
    definition_id,
    definition_hash,
    trigger_key,
    origin_trigger_key: trigger_key,
    trigger_kind: isTick ? 'schedule' : 'manual',
    // A trigger by hand is for no particular time; a backfill is.
    scheduled_for: isOnGrid ? time : null,
    requested_by: isTick ? null : 'temporal',
    trigger_reason: isTick ? null : 'triggered or backfilled by hand in Temporal',
    dispatch_id: dispatchId,
    workflow_id: input.workflow_id,
    workflow_run_id: input.first_workflow_run_id,
  };
}

function latenessOf({ workflow_started_at }: AdmitInput, { deadline }: Tick, now: string): string {
  const startedInTime = Date.parse(workflow_started_at) <= Date.parse(deadline);
  return startedInTime
    ? `no worker took it up before ${deadline}, when its catch-up window ended; one did at ${now}`
    : `it waited for the run before it until ${workflow_started_at}; its catch-up window ended at ${deadline}`;
}

function tooLate(reason: string | null, { deadline, scheduled_for }: Tick): RunError {
  return { code: 'started_too_late', message: reason ?? '', details: { scheduled_for, deadline } };
}

/** The run ends before it did anything. */
async function refuse(
  client: Queryable,
  run: ScheduledRun,
  dispatchId: string,
  status: 'missed' | 'failed',
  error: RunError,
): Promise<void> {
  const ended = { ...NOTHING_DECIDED, status, error };
  await finishRun(client, { ...run, ...ended });
  await closeDispatch(client, dispatchId, 'deciding');
}
