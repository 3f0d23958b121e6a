/** Temporal's side of our schedules: ids are `activity-core:<definition_id>` (contract 6). The only file that talks to ScheduleClient. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Client,
  isGrpcCancelledError,
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleNotFoundError,
  type ScheduleOptions,
} from '@temporalio/client';
import type { ScheduleTrigger } from '../core/definition.ts';
import { durationMs } from '../core/duration.ts';
import { ACTIVITY_RUN, type ScheduledRunInput } from '../workflows/contract.ts';
import { type DescribedSchedule, toDescribedSchedule } from './described-schedule.ts';
import { ScheduleRefusedError, TemporalUnavailableError } from './schedule-errors.ts';

export type { DescribedSchedule } from './described-schedule.ts';
export { ScheduleRefusedError, TemporalUnavailableError } from './schedule-errors.ts';

/** What a schedule is to be. Every policy is explicit: nothing is left to Temporal's defaults. */
export interface DesiredSchedule {
  definition_id: string;
  definition_hash: string;
  schedule: ScheduleTrigger;
}

/** `note`: paused, with this note; `keep`: a pause, or none, stays as it is. */
export type PauseWish = { note: string } | 'unpause' | 'keep';

/** @throws TemporalUnavailableError, ScheduleRefusedError; a schedule that is not there is null, or false. */
export interface TemporalSchedules {
  describe(definitionId: string): Promise<DescribedSchedule | null>;
  /** Creates it, or, where the id exists, makes it so. */
  apply(desired: DesiredSchedule, pause: PauseWish): Promise<DescribedSchedule>;
  pause(definitionId: string, note: string): Promise<boolean>;
  unpause(definitionId: string, note: string): Promise<boolean>;
  delete(definitionId: string): Promise<boolean>;
  /** The definition ids of the schedules whose id, workflow type and task queue are ours; `except` are not looked at. */
  list(except?: ReadonlySet<string>): Promise<string[]>;
}

const PREFIX = 'activity-core:';
const DEADLINE_MS = 10_000;
const LIST_DEADLINE_MS = 30_000;
const ASK_AGAIN_MS = 200;
const UNPAUSED_NOTE = 'activity-core: unpaused';

export const scheduleIdOf = (definitionId: string): string => `${PREFIX}${definitionId}`;

export function createTemporalSchedules({
  client: { schedule: schedules },
  taskQueue,
}: {
  client: Pick<Client, 'schedule'>;
  taskQueue: string;
}): TemporalSchedules {
  const handleOf = (definitionId: string) => schedules.getHandle(scheduleIdOf(definitionId));

  /** Without a deadline, a server that is away would be waited for without end. */
  async function ask<T>(work: () => Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
    const deadline = Date.now() + deadlineMs;
    try {
      for (;;) {
        try {
          return await schedules.withDeadline(deadline, work);
        } catch (error) {
          // A server that has just begun cancels calls while it takes up its shards, and its client does not repeat them.
          if (!isGrpcCancelledError(error) || Date.now() + ASK_AGAIN_MS >= deadline) throw error;
          await sleep(ASK_AGAIN_MS);
        }
      }
    } catch (error) {
      if (error instanceof ScheduleNotFoundError || error instanceof ScheduleAlreadyRunning) throw error;
      // What the client makes of a spec that the server cannot read.
      if (error instanceof TypeError)
        throw new ScheduleRefusedError(`Temporal refuses the schedule: ${error.message}`, { cause: error });
      throw new TemporalUnavailableError(`Temporal does not answer as expected: ${reasonOf(error)}`, error);
    }
  }

  async function askExisting<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await ask(work);
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) return null;
      throw error;
    }
  }

  async function describe(definitionId: string): Promise<DescribedSchedule | null> {
    const description = await askExisting(() => handleOf(definitionId).describe());
    return description && toDescribedSchedule(description, { workflowType: ACTIVITY_RUN, taskQueue });
  }

  async function change(
    definitionId: string,
    work: (handle: ScheduleHandle) => Promise<void>,
  ): Promise<boolean> {
    const done = await askExisting(async () => {
      await work(handleOf(definitionId));
      return true;
    });
    return done ?? false;
  }

  const update = (options: ScheduleOptions, desired: DesiredSchedule, pause: PauseWish) =>
    change(desired.definition_id, (handle) =>
      // A limit on the number of actions is nothing that a definition can declare: it is left out, and so ended.
      handle.update(({ state: { paused, note } }) => ({
        spec: options.spec,
        action: options.action,
        policies: options.policies,
        state: { paused, ...(note === undefined ? {} : { note }), ...stateOf(pause) },
      })),
    );

  async function create(options: ScheduleOptions, pause: PauseWish): Promise<boolean> {
    try {
      await ask(() => schedules.create({ ...options, state: { paused: false, ...stateOf(pause) } }));
      return true;
    } catch (error) {
      if (error instanceof ScheduleAlreadyRunning) return false;
      throw error;
    }
  }

  return {
    describe,
    async apply(desired, pause) {
      const options = scheduleOptions(desired, taskQueue);
      const isDone =
        (await update(options, desired, pause)) ||
        (await create(options, pause)) ||
        (await update(options, desired, pause));
      const described = isDone ? await describe(desired.definition_id) : null;
      if (described) return described;
      throw new TemporalUnavailableError(
        `somebody removed the schedule ${options.scheduleId} while it was applied`,
        null,
      );
    },
    pause: (definitionId, note) => change(definitionId, (handle) => handle.pause(note)),
    unpause: (definitionId, note) => change(definitionId, (handle) => handle.unpause(note)),
    delete: (definitionId) => change(definitionId, (handle) => handle.delete()),
    async list(except = new Set()) {
      const candidates = await ask(async () => {
        const ids: string[] = [];
        for await (const { action, scheduleId } of schedules.list()) {
          const definitionId = scheduleId.slice(PREFIX.length);
          if (!scheduleId.startsWith(PREFIX) || except.has(definitionId)) continue;
          if (action?.workflowType === ACTIVITY_RUN) ids.push(definitionId);
        }
        return ids;
      }, LIST_DEADLINE_MS);
      const ours: string[] = [];
      // The list knows no task queue, and may still hold what is deleted.
      for (const definitionId of candidates)
        if ((await describe(definitionId))?.is_ours) ours.push(definitionId);
      return ours.sort();
    },
  };
}

const OVERLAP = {
  skip: 'SKIP',
  buffer_one: 'BUFFER_ONE',
  buffer_all: 'BUFFER_ALL',
  allow_all: 'ALLOW_ALL',
} as const;

function scheduleOptions(
  { definition_id, definition_hash, schedule }: DesiredSchedule,
  taskQueue: string,
): ScheduleOptions {
  const scheduleId = scheduleIdOf(definition_id);
  const { catchup_window, cron, every, jitter, overlap, timezone } = schedule;
  return {
    scheduleId,
    spec: {
      ...(every === undefined
        ? { cronExpressions: [cron ?? ''] }
        : { intervals: [{ every: durationMs(every) }] }),
      timezone,
      jitter: durationMs(jitter),
    },
    action: {
      type: 'startWorkflow',
      workflowType: ACTIVITY_RUN,
      workflowId: scheduleId,
      taskQueue,
      args: [{ definition_id, definition_hash } satisfies ScheduledRunInput],
      // The schedule's own memo can never be changed.
      memo: { definition_hash },
    },
    policies: {
      overlap: OVERLAP[overlap],
      catchupWindow: durationMs(catchup_window),
      pauseOnFailure: false,
    },
  };
}

/** An update without a state would unpause. */
function stateOf(pause: PauseWish): Partial<ScheduleDescription['state']> {
  if (pause === 'keep') return {};
  return pause === 'unpause' ? { paused: false, note: UNPAUSED_NOTE } : { paused: true, note: pause.note };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
