/**
 * Gives every due tick its outcome, also after days of being down: records the grid up to now, and asks Temporal about
 * those that did not start. Runs in every subscriber on a plain timer; the schedule's row is the lock.
 */

import type { WorkflowClient } from '@temporalio/client';
import { durationMs } from '../core/duration.ts';
import { canonicalJson } from '../core/json.ts';
import { readPause } from '../store/definition-pauses.ts';
import { type Pool, type Queryable, readClock, transaction } from '../store/pool.ts';
import {
  closeAbandonedTicks,
  closeTicks,
  hasOpenTicks,
  listOpenTicks,
  type OpenTick,
  readNewestAdmitted,
  type TickOutcomeOf,
} from '../store/schedule-ticks.ts';
import { listSchedules, notePauseByHand, type ScheduleRow, tryLockSchedule } from '../store/schedules.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { pauseByHandOf } from './pause-note.ts';
import { recordTicks } from './record-ticks.ts';
import type { DescribedSchedule, TemporalSchedules } from './temporal-schedules.ts';
import { type Circumstances, type EndedPause, outcomeOf } from './tick-outcome.ts';
import { workflowEnds } from './workflow-ends.ts';

export interface AccountDeps {
  pool: Pool;
  temporalSchedules: TemporalSchedules;
  workflows: WorkflowClient;
  metrics: Metrics;
  logger: Logger;
}

/** A healthy tick has started long before; nobody is asked about it. */
const SETTLED_MS = 3_000;
/** Temporal hears a moment later that a run has ended. */
const END_TOLERANCE_MS = 1_000;
const TICKS_AT_ONCE = 5_000;
/** So that a pause by hand is seen without a tick that is due. */
const ASKED_EVERY_MS = 15_000;

/** What earlier passes saw, by definition. */
interface Seen {
  /** When Temporal was asked last, ms since 1970. */
  asked: Map<string, number>;
  /** Pauses by hand that were there, and were not there at the next look. */
  endedPauses: Map<string, EndedPause>;
}

/** One pass over all schedules. One that fails does not keep the others. */
export function createAccountForTicks(deps: AccountDeps): () => Promise<void> {
  const seen: Seen = { asked: new Map(), endedPauses: new Map() };
  return async function accountForTicks() {
    for (const { definition_id } of await listSchedules(deps.pool)) {
      try {
        await accountForOne(deps, definition_id, seen);
      } catch (error) {
        deps.logger.warn(
          { err: error, definition_id },
          'ticks could not be accounted for; the next pass tries again',
        );
      }
    }
    for (const definition_id of await closeAbandonedTicks(deps.pool))
      count(deps.metrics, definition_id, 'missed', 1);
  };
}

async function accountForOne(deps: AccountDeps, definitionId: string, seen: Seen): Promise<void> {
  const recorded = await transaction(deps.pool, async (client) => {
    const row = await tryLockSchedule(client, definitionId);
    if (!row) return null;
    const now = await readClock(client);
    const paused = await recordTicks(client, row, now);
    const before = settledBefore(row, now);
    const isOpen = await hasOpenTicks(client, definitionId, before);
    return { now, before, paused, isOpen, paused_by_hand: row.paused_by_hand };
  });
  if (!recorded) return;
  count(deps.metrics, definitionId, 'paused', recorded.paused);
  const isDue = Date.now() - (seen.asked.get(definitionId) ?? 0) > ASKED_EVERY_MS;
  if (!recorded.isOpen && !isDue) return;
  // Outside any transaction: Temporal may take its time.
  const described = await deps.temporalSchedules.describe(definitionId);
  seen.asked.set(definitionId, Date.now());
  const pauseByHand = described && pauseByHandOf(described);
  await notePauseByHand(deps.pool, definitionId, pauseByHand);
  const { now, before, paused_by_hand } = recorded;
  if (paused_by_hand !== null && pauseByHand === null)
    seen.endedPauses.set(definitionId, { reason: paused_by_hand, ended_by: now });
  if (!recorded.isOpen) return;
  const endedPause = seen.endedPauses.get(definitionId) ?? null;
  let mayHaveMore = true;
  while (mayHaveMore)
    mayHaveMore = await decideSome(deps, { definitionId, now, before, described, endedPause });
}

interface Asked {
  definitionId: string;
  now: string;
  before: string;
  described: DescribedSchedule | null;
  endedPause: EndedPause | null;
}

/** True where there may be more that can be decided. */
async function decideSome(deps: AccountDeps, asked: Asked): Promise<boolean> {
  const open = await withEvidence(deps, asked);
  const { definitionId } = asked;
  const decided = await transaction(deps.pool, async (client) => {
    const row = await tryLockSchedule(client, definitionId);
    if (!row) return [];
    const circumstances = await circumstancesOf(client, row, asked);
    const outcomes = open.flatMap((tick): TickOutcomeOf[] => {
      const verdict = outcomeOf(tick, circumstances);
      const { definition_id, scheduled_for } = tick;
      return verdict ? [{ definition_id, scheduled_for, ...verdict }] : [];
    });
    return outcomes.length > 0 ? closeTicks(client, outcomes) : [];
  });
  for (const outcome of decided) count(deps.metrics, definitionId, outcome, 1);
  return decided.length === TICKS_AT_ONCE;
}

/** The oldest open ticks, with what Temporal knows of the workflows before them where the runs alone do not tell. */
async function withEvidence(
  { pool, workflows }: AccountDeps,
  { definitionId, before }: Asked,
): Promise<OpenTick[]> {
  const open = await listOpenTicks(pool, {
    definitionId,
    before,
    toleranceMs: END_TOLERANCE_MS,
    limit: TICKS_AT_ONCE,
  });
  const unclear = open.filter(({ is_overlapped }) => !is_overlapped);
  const times = new Set(unclear.flatMap(({ admitted_before }) => admitted_before ?? []));
  const ends = await workflowEnds(workflows, definitionId, times);
  return open.map((tick) => {
    const end = ends.get(tick.admitted_before ?? '') ?? Number.NEGATIVE_INFINITY;
    const isOverlapped = end >= Date.parse(tick.scheduled_for) - END_TOLERANCE_MS;
    return { ...tick, is_overlapped: tick.is_overlapped || isOverlapped };
  });
}

async function circumstancesOf(
  client: Queryable,
  row: ScheduleRow,
  { now, described, endedPause }: Asked,
): Promise<Circumstances> {
  return {
    now: Date.parse(now),
    schedule: row.schedule,
    jitterMs: durationMs(row.schedule.jitter),
    described,
    endedPause,
    newestAdmitted: await readNewestAdmitted(client, row.definition_id),
    pause: await readPause(client, row.definition_id),
    isDrifted: described !== null && canonicalJson(described.applied) !== canonicalJson(row.described),
  };
}

function settledBefore({ schedule }: ScheduleRow, now: string): string {
  return new Date(Date.parse(now) - durationMs(schedule.jitter) - SETTLED_MS).toISOString();
}

function count(metrics: Metrics, definition_id: string, outcome: string, times: number): void {
  if (times > 0) metrics.ticks.inc({ definition_id, outcome }, times);
}
