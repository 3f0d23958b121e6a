/** What Temporal tells of a schedule → what we compare and show. */
import type { ScheduleDescription } from '@temporalio/client';
import type { JsonObject } from '../core/json.ts';

export interface DescribedSchedule {
  /** Spec, policies and action as Temporal gives them back: comparable, for the detection of drift. Without state and info. */
  applied: JsonObject;
  /** Its action starts our workflow on our task queue. */
  is_ours: boolean;
  paused: boolean;
  /** Why it is paused, or what was noted last. */
  note: string | null;
  /** RFC 3339. Ticks up to here belong to what the schedule was before. */
  updated_at: string;
  /** RFC 3339, jittered, after the last time that Temporal has dealt with. */
  next_action_times: string[];
  /** Nominal times (RFC 3339) of the actions that Temporal started last, those that still run among them. At most ten. */
  started: string[];
  /** Nominal times of those that still run. */
  running: string[];
  /** How many starts wait for the run before them. */
  buffered: number;
}

export function toDescribedSchedule(
  description: ScheduleDescription,
  ours: { workflowType: string; taskQueue: string },
): DescribedSchedule {
  const { action, info, raw, scheduleId, state } = description;
  const running = nominalTimes(scheduleId, info.runningActions);
  const recent = nominalTimes(
    scheduleId,
    info.recentActions.map(({ action }) => action),
  );
  return {
    applied: appliedOf(description),
    is_ours: action.workflowType === ours.workflowType && action.taskQueue === ours.taskQueue,
    paused: state.paused,
    note: state.note || null,
    updated_at: (info.lastUpdatedAt ?? info.createdAt).toISOString(),
    next_action_times: info.nextActionTimes.map((time) => time.toISOString()),
    started: [...new Set([...recent, ...running])].sort(),
    running,
    buffered: raw.info?.bufferSize?.toNumber() ?? 0,
  };
}

/** Field by field, so that what a later SDK decodes in addition is not taken for an edit by hand. */
function appliedOf({ action, policies, raw, spec, state }: ScheduleDescription): JsonObject {
  return JSON.parse(
    JSON.stringify({
      spec: {
        calendars: spec.calendars,
        intervals: spec.intervals,
        skip: spec.skip,
        start_at: spec.startAt,
        end_at: spec.endAt,
        jitter_ms: spec.jitter ?? 0,
        timezone: spec.timezone,
      },
      policies: {
        overlap: policies.overlap,
        catchup_window_ms: policies.catchupWindow,
        pause_on_failure: policies.pauseOnFailure,
        keep_original_workflow_id: raw.schedule?.policies?.keepOriginalWorkflowId ?? false,
      },
      // Null: without a limit, as all of ours are.
      remaining_actions: state.remainingActions ?? null,
      action: {
        workflow_type: action.workflowType,
        workflow_id: action.workflowId,
        task_queue: action.taskQueue,
        args: action.args,
        memo: action.memo,
        search_attributes: action.searchAttributes,
        retry: action.retry,
        workflow_execution_timeout_ms: action.workflowExecutionTimeout,
        workflow_run_timeout_ms: action.workflowRunTimeout,
        workflow_task_timeout_ms: action.workflowTaskTimeout,
      },
    }),
  );
}

/** Temporal names the workflow after the action's workflow id and the nominal time. */
function nominalTimes(scheduleId: string, actions: { workflow: { workflowId: string } }[]): string[] {
  const prefix = `${scheduleId}-`;
  return actions
    .map(({ workflow }) => workflow.workflowId)
    .filter((id) => id.startsWith(prefix))
    .map((id) => id.slice(prefix.length))
    .filter((time) => !Number.isNaN(Date.parse(time)))
    .sort();
}
