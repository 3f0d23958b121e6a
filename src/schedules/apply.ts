/**
 * Declared definitions become the applied ones: revisions, then schedules, then what is pruned (architecture, "Who applies").
 * Whatever ends it midway leaves differences that the next plan shows and the next apply mends.
 */
import { canonicalJson } from '../core/json.ts';
import { type Applied, applyDefinitions } from '../definitions/apply.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import { findCurrentDefinition, lockRegistry } from '../store/definitions.ts';
import { type Pool, type Queryable, readClock, transaction } from '../store/pool.ts';
import { deleteOpenTicks } from '../store/schedule-ticks.ts';
import { deleteSchedule, lockSchedule, type ScheduleRow, upsertSchedule } from '../store/schedules.ts';
import { type AppliedState, readAppliedState } from './applied-state.ts';
import { type Change, comparePlan, type Declared, driftFor, type Plan } from './plan.ts';
import { recordTicks } from './record-ticks.ts';
import { isInStep, pauseWish, type WantedState, wantedSchedule } from './schedule-state.ts';
import {
  ScheduleRefusedError,
  type TemporalSchedules,
  TemporalUnavailableError,
} from './temporal-schedules.ts';

export interface ApplyDeps {
  pool: Pool;
  temporalSchedules: TemporalSchedules;
  /** What runs of a declared definition will be. */
  sinkMode: DecideSinkMode;
}

/** @throws TemporalUnavailableError */
export async function planDeclared(deps: ApplyDeps, declared: Declared, now: number): Promise<Plan> {
  return comparePlan(declared, await readBefore(deps, declared), deps.sinkMode, now);
}

/**
 * Gives what this apply did. Two at once are safe: each schedule is made what PostgreSQL says at that moment.
 * @throws TemporalUnavailableError, ScheduleRefusedError; the message says what is applied nevertheless
 */
export async function applyDeclared(deps: ApplyDeps, declared: Declared, now: number): Promise<Plan> {
  const before = await readBefore(deps, declared);
  const plan = comparePlan(declared, before, deps.sinkMode, now);
  const applied = await applyDefinitions(deps.pool, declared);
  const settled = await applySchedules(deps).catch((error: unknown) => {
    if (!(error instanceof TemporalUnavailableError)) throw error;
    const message = `${error.message}; the definitions are applied, not all of their schedules are: apply again`;
    throw new TemporalUnavailableError(message, error);
  });
  return whatWasDone(plan, { declared, before, applied, settled });
}

function readBefore({ pool, temporalSchedules }: ApplyDeps, declared: Declared): Promise<AppliedState> {
  const scheduled = declared.definitions.filter(({ definition }) => definition.trigger.schedule);
  return readAppliedState(
    pool,
    temporalSchedules,
    scheduled.map(({ definition }) => definition.id),
  );
}

/** The ids whose schedule was changed. Those that no definition asks for go last. */
async function applySchedules(deps: ApplyDeps): Promise<Set<string>> {
  const state = await readAppliedState(deps.pool, deps.temporalSchedules, []);
  const scheduled = [...state.definitions.values()].filter(({ document }) => document.trigger.schedule);
  const late = scheduled
    .map(({ definition_id }) => definition_id)
    .filter((id) => {
      const wanted = stateOf(state, id);
      return wanted !== null && !isInStep(wanted);
    });
  const wanted = new Set(scheduled.map(({ definition_id }) => definition_id));
  const unwanted = [...state.schedules.keys(), ...state.orphans].filter((id) => !wanted.has(id));
  const settled = new Set<string>();
  const refusals: string[] = [];
  for (const id of [...late, ...unwanted]) {
    try {
      if (await settle(deps, id)) settled.add(id);
    } catch (error) {
      if (!(error instanceof ScheduleRefusedError)) throw error;
      refusals.push(`${id}: ${error.message}`);
    }
  }
  if (refusals.length === 0) return settled;
  throw new ScheduleRefusedError(
    `the definitions are applied, but for these schedules: ${refusals.join('; ')}`,
  );
}

/** Null where the definition is gone, or has another trigger. */
function stateOf({ definitions, schedules, found }: AppliedState, id: string): WantedState | null {
  const current = definitions.get(id);
  const wanted = wantedSchedule(current);
  if (!wanted) return null;
  const pauseReason = current?.pause_reason ?? null;
  return { wanted, row: schedules.get(id) ?? null, found: found.get(id) ?? null, pauseReason };
}

/**
 * The row of a new schedule is committed before Temporal has it: from its first tick on, and also where the apply is killed
 * meanwhile, whoever looks knows its grid. Until it is settled, `described` is what no schedule is.
 */
function announce({ pool, temporalSchedules }: ApplyDeps, id: string): Promise<void> {
  return transaction(pool, async (client) => {
    await lockRegistry(client);
    const wanted = wantedSchedule(await findCurrentDefinition(client, id));
    if (!wanted || (await lockSchedule(client, id))) return;
    const found = await temporalSchedules.describe(id);
    if (found && !found.is_ours) throw new ScheduleRefusedError(FOREIGN);
    const recorded_until = await readClock(client);
    await upsertSchedule(client, { definition_id: id, ...wanted, described: {}, recorded_until });
  });
}

/** Makes one schedule what PostgreSQL says now. True where that took a change. */
async function settle(deps: ApplyDeps, id: string): Promise<boolean> {
  await announce(deps, id);
  const { pool, temporalSchedules } = deps;
  return transaction(pool, async (client) => {
    await lockRegistry(client);
    const current = await findCurrentDefinition(client, id);
    const wanted = wantedSchedule(current);
    const row = await lockSchedule(client, id);
    const found = await temporalSchedules.describe(id);
    const state = { row, found, pauseReason: current?.pause_reason ?? null };
    if (!wanted) return remove(client, temporalSchedules, id, state);
    if (isInStep({ ...state, wanted })) return false;
    await put(client, temporalSchedules, id, { ...state, wanted });
    return true;
  });
}

async function put(
  client: Queryable,
  temporal: TemporalSchedules,
  id: string,
  state: WantedState,
): Promise<void> {
  const { found, row, wanted } = state;
  const { definition_hash, enabled, schedule } = wanted;
  const desired = { definition_id: id, definition_hash, schedule };
  const { applied, updated_at } = await temporal.apply(desired, pauseWish(state));
  // Temporal drops what was due before: up to then it is on the old grid, after it on the new one.
  // One that was announced and never made was never due.
  if (row && (found || !isAnnounced(row))) {
    await recordTicks(client, row, updated_at);
    await deleteOpenTicks(client, id, updated_at);
  }
  await upsertSchedule(client, { ...desired, enabled, described: applied, recorded_until: updated_at });
}

const isAnnounced = ({ described }: ScheduleRow): boolean => canonicalJson(described) === '{}';

const FOREIGN =
  'its id is taken in Temporal by a schedule of another workflow type or task queue; rename the definition, or remove that schedule';

async function remove(
  client: Queryable,
  temporal: TemporalSchedules,
  id: string,
  { found, row }: Pick<WantedState, 'found' | 'row'>,
): Promise<boolean> {
  // A row says that it is ours, whatever somebody made of it.
  const isGone = (row !== null || found?.is_ours === true) && (await temporal.delete(id));
  if (!row) return isGone;
  await recordTicks(client, row, await readClock(client));
  await deleteSchedule(client, id);
  return true;
}

function whatWasDone(
  plan: Plan,
  {
    declared,
    before,
    applied,
    settled,
  }: { declared: Declared; before: AppliedState; applied: Applied; settled: Set<string> },
): Plan {
  const definitions = new Map(declared.definitions.map((each) => [each.definition.id, each]));
  const revised = new Set(applied.changes.map(({ definition_id }) => definition_id));
  const restoredOf = (change: Change): Change[] => {
    const definition = definitions.get(change.definition_id);
    const fields =
      definition && settled.has(change.definition_id) ? driftFor(definition, before).restored : [];
    return fields.length > 0 ? [{ ...change, fields }] : [];
  };
  return {
    changes: plan.changes.flatMap((change) => {
      if (change.action === 'drift') return restoredOf(change);
      return revised.has(change.definition_id) || settled.has(change.definition_id) ? [change] : [];
    }),
    event_types: plan.event_types.filter(({ type }) => applied.event_types.includes(type)),
  };
}
