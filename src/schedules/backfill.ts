/**
 * A backfill: runs, started by hand, for the times of a schedule that have none. Repeated, it finds its own runs by their
 * trigger keys. Ticks stay as they are: what a tick became is not changed by what was done about it later.
 */
import { randomUUID } from 'node:crypto';
import type { ScheduleTrigger } from '../core/definition.ts';
import { fireTimesBetween } from '../core/fire-times.ts';
import { runId } from '../core/ids.ts';
import { backfillTriggerKey } from '../core/trigger.ts';
import { insertDispatches } from '../store/dispatches.ts';
import { type Queryable, readClock } from '../store/pool.ts';
import { readRunsByTime } from '../store/run-views.ts';
import { insertRunningRuns, type NewRun, UNSAID } from '../store/runs.ts';
import { listOpenTickTimes } from '../store/schedule-ticks.ts';
import { lockSchedule } from '../store/schedules.ts';
import { recordTicks } from './record-ticks.ts';

/** Each time is an item of the answer, and its run a row of one transaction. */
export const MOST_TIMES = 10_000;
const LONGEST_DAYS = 3_660;
const DAY_MS = 86_400_000;
const MEMBERS_OF_A_DISPATCH = 500;
/** Started right after the commit; the reconciler starts the others, at its own pace. */
const STARTED_AT_ONCE = 50;

/** `pending`: a tick that may still start by itself. `later`: beyond `max`. */
export type BackfillAction = 'start' | 'has_run' | 'pending' | 'later';

export interface BackfillItem {
  scheduled_for: string;
  /** The run that there is; null where there is none yet. */
  run_id: string | null;
  action: BackfillAction;
}

export interface BackfillRange {
  definition_id: string;
  schedule: ScheduleTrigger;
  /** RFC 3339 in UTC, both included. Without `to`: until now. */
  from: string;
  to?: string | undefined;
  max: number;
}

export interface BackfillPlan {
  ok: true;
  from: string;
  to: string;
  items: BackfillItem[];
  /** Ticks that turned out to be `paused` on the way: not yet in the metrics. */
  pausedTicks: number;
}

export type BackfillRefusal = { ok: false; field: 'from' | 'to'; message: string };

/** What is the same for all runs of one backfill. */
export interface BackfillRuns {
  definition_id: string;
  definition_hash: string;
  sink_mode: 'audit' | 'live';
  sink_reason: string | null;
  requested_by: string;
  trigger_reason: string;
  /** Whether they may share a dispatch. */
  shared: boolean;
}

/** Holds the schedule's row until the transaction ends, so that no tick starts meanwhile. */
export async function planBackfill(
  client: Queryable,
  range: BackfillRange,
): Promise<BackfillPlan | BackfillRefusal> {
  const row = await lockSchedule(client, range.definition_id);
  const now = await readClock(client);
  const { from, to = now } = range;
  const refusal = refusalOf(from, to, now);
  if (refusal) return refusal;
  const pausedTicks = row ? await recordTicks(client, row, now) : 0;
  const times: number[] = [];
  for (const at of fireTimesBetween(range.schedule, Date.parse(from) - 1, Date.parse(to))) {
    if (times.length === MOST_TIMES) {
      const message = `expected at most ${MOST_TIMES} times of the schedule in one range; name a shorter one`;
      return { ok: false, field: 'from', message };
    }
    times.push(at);
  }
  const runs = await readRunsByTime(client, range.definition_id, from, to);
  const open = await listOpenTickTimes(client, range.definition_id, from, to);
  const runIds = new Map(runs.map(({ scheduled_for, run_id }) => [Date.parse(scheduled_for), run_id]));
  const pending = new Set(open.map(Date.parse));
  let left = range.max;
  const items = times.map((at): BackfillItem => {
    const scheduled_for = new Date(at).toISOString().replace('.000Z', 'Z');
    const run_id = runIds.get(at) ?? null;
    if (run_id !== null) return { scheduled_for, run_id, action: 'has_run' };
    if (pending.has(at)) return { scheduled_for, run_id, action: 'pending' };
    left -= 1;
    return { scheduled_for, run_id, action: left >= 0 ? 'start' : 'later' };
  });
  return { ok: true, from, to, items, pausedTicks };
}

/** Writes the runs of the items to start, oldest first, with their dispatches. Fills in their ids; returns what to start now. */
export async function insertBackfill(
  client: Queryable,
  { items }: BackfillPlan,
  common: BackfillRuns,
): Promise<string[]> {
  const chosen = items.filter(({ action }) => action === 'start');
  const size = common.shared ? MEMBERS_OF_A_DISPATCH : 1;
  const runs: (NewRun & { dispatch_id: string })[] = [];
  let dispatchId = '';
  for (const [position, item] of chosen.entries()) {
    if (position % size === 0) dispatchId = randomUUID();
    const run = newBackfillRun(common, item.scheduled_for, dispatchId);
    item.run_id = run.run_id;
    runs.push(run);
  }
  if (runs.length === 0) return [];
  const inserted = await insertRunningRuns(client, runs);
  // Without a schedule's row to lock, another backfill may have been faster.
  for (const item of chosen) if (!inserted.has(item.run_id ?? '')) item.action = 'has_run';
  const dispatches = Map.groupBy(
    runs.filter(({ run_id }) => inserted.has(run_id)),
    ({ dispatch_id }) => dispatch_id,
  );
  const { definition_id, definition_hash } = common;
  await insertDispatches(
    client,
    [...dispatches].map(([dispatch_id, members], position) => ({
      dispatch_id,
      members: members.map(({ run_id }) => ({ run_id, definition_id, definition_hash, event_uid: null })),
      due: position >= STARTED_AT_ONCE,
    })),
  );
  return [...dispatches.keys()].slice(0, STARTED_AT_ONCE);
}

function refusalOf(from: string, to: string, now: string): BackfillRefusal | null {
  const [start, end] = [Date.parse(from), Date.parse(to)];
  if (end > Date.parse(now)) {
    const message = `expected a time up to now (${now}); later ticks come by themselves`;
    return { ok: false, field: 'to', message };
  }
  if (start > end) return { ok: false, field: 'from', message: `expected a time up to ${to}` };
  if (end - start <= LONGEST_DAYS * DAY_MS) return null;
  return { ok: false, field: 'from', message: `expected a range of at most ${LONGEST_DAYS} days` };
}

function newBackfillRun(
  { definition_id, definition_hash, sink_mode, sink_reason, requested_by, trigger_reason }: BackfillRuns,
  scheduled_for: string,
  dispatch_id: string,
): NewRun & { dispatch_id: string; scheduled_for: string } {
  const trigger_key = backfillTriggerKey(scheduled_for);
  return {
    ...UNSAID,
    run_id: runId(definition_id, trigger_key),
    definition_id,
    definition_hash,
    trigger_key,
    origin_trigger_key: trigger_key,
    trigger_kind: 'manual',
    scheduled_for,
    requested_by,
    trigger_reason,
    dispatch_id,
    sink_mode,
    sink_reason,
  };
}
