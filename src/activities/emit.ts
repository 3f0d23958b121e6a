/**
 * The step that sends: an ordinary activity that heartbeats, one for each dispatch. It goes on while issue-core takes
 * anything, and gives the rest back to Temporal, which tries again later. Nothing is held open while it waits.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { Definition } from '../core/definition.ts';
import type { AppliedRegistry, Registry } from '../definitions/applied-registry.ts';
import type { Sink } from '../sinks/sink.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import { closeDispatch, touchEmission } from '../store/dispatches.ts';
import { type EmittingRun, listEmittingRuns } from '../store/emitting-runs.ts';
import { listOutbox } from '../store/outbox.ts';
import type { Pool } from '../store/pool.ts';
import { hasReportingRuns } from '../store/reporting-runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { EmissionActivities } from '../workflows/contract.ts';
import { endRuns, gaveUp, refusedAccess, switchedOff, verdictOf } from './end-emission.ts';
import { toActivityFailure } from './failure.ts';
import { withHeartbeat } from './heartbeat.ts';
import { type Round, sendRound } from './send-round.ts';

export interface EmitDeps {
  pool: Pool;
  registry: AppliedRegistry;
  sink: Sink;
  sinkMode: DecideSinkMode;
  metrics: Metrics;
  logger: Logger;
  leaseSeconds: number;
  /** EMIT_GIVE_UP_HOURS */
  giveUpHours: number;
}

/** Of one round: bodies are held in memory. */
const SPECS_AT_ONCE = 1_000;
const HEARTBEAT_MS = 3_000;
/** Before the next round; twice as long after each round in a row that ended nothing. */
const PAUSE_MS = 250;
/** Such rounds in a row before the activity lets its place go. */
const MAX_IDLE_ROUNDS = 6;
/** What is to be waited for longer than this, Temporal waits for; but a rollback is to be noticed meanwhile. */
const LONGEST_PAUSE_MS = 5_000;
const LONGEST_DELAY_MS = 60_000;
/** Without any spec that ended for so long, in any dispatch, issue-core is taken to be down. */
const DOWN_AFTER_MS = 10_000;

/** In one line of the log. */
const RUNS_NAMED = 20;

/** Of all emissions of this process. */
interface Health {
  lastEndedAt: number;
}

export function createEmit(deps: EmitDeps): EmissionActivities['emit'] {
  const health: Health = { lastEndedAt: Number.NEGATIVE_INFINITY };
  return async function emit({ dispatch_id }) {
    try {
      return await withHeartbeat(HEARTBEAT_MS, (signal) => emitUntilDone(deps, health, dispatch_id, signal));
    } catch (error) {
      throw toActivityFailure(deps.logger, dispatch_id, error);
    }
  };
}

/** @throws ApplicationFailure where something is left to be sent later */
async function emitUntilDone(
  deps: EmitDeps,
  health: Health,
  dispatchId: string,
  signal: AbortSignal,
): Promise<'report' | undefined> {
  for (let idle = 0; !signal.aborted; ) {
    const step = await emitOnce(deps, dispatchId, signal);
    if (step === 'done') return undefined;
    if (step === 'report') return step;
    const { round, waitMs } = step;
    if (round.ended > 0) health.lastEndedAt = performance.now();
    idle = round.ended > 0 ? 0 : idle + 1;
    if (round.fault) tellOfFault(deps.logger, dispatchId, step);
    const isDown = round.fault !== null && performance.now() - health.lastEndedAt > DOWN_AFTER_MS;
    if (isDown || idle > MAX_IDLE_ROUNDS) throw later(dispatchId, 0);
    const pauseMs = Math.max(waitMs, PAUSE_MS * 2 ** idle);
    if (pauseMs > LONGEST_PAUSE_MS && waitMs > 0) throw later(dispatchId, Math.min(waitMs, LONGEST_DELAY_MS));
    await sleep(Math.min(pauseMs, LONGEST_PAUSE_MS), undefined, { signal }).catch(() => undefined);
  }
  throw later(dispatchId, 0);
}

function tellOfFault(logger: Logger, dispatchId: string, { round: { ended, fault }, left }: Waiting): void {
  const definition_ids = [...new Set(left.map(({ definition_id }) => definition_id))];
  const run_ids = left.slice(0, RUNS_NAMED).map(({ run_id }) => run_id);
  const context = { dispatch_id: dispatchId, definition_ids, run_ids, ended, fault };
  logger.warn(context, 'specs could not be sent; they are tried again');
}

/** `left`: the runs that are not over. */
interface Waiting {
  round: Round;
  waitMs: number;
  left: EmittingRun[];
}

type Step = 'done' | 'report' | Waiting;

async function emitOnce(deps: EmitDeps, dispatchId: string, signal: AbortSignal): Promise<Step> {
  const { pool } = deps;
  const emission = await touchEmission(pool, dispatchId);
  if (!emission) return 'done';
  const emitting = await listEmittingRuns(pool, dispatchId);
  const registry = await deps.registry.current();
  const off = await switchedOff(deps, registry, emitting);
  const over = emitting.filter(({ run_id, pending }) => pending === 0 || off.has(run_id));
  await endRuns(deps, dispatchId, over, (run) => off.get(run.run_id) ?? verdictOf(run));
  const left = emitting.filter((run) => !over.includes(run));
  if (left.length === 0) return close(deps, dispatchId);
  const hours = (Date.parse(emission.now) - Date.parse(emission.prepared_at)) / 3_600_000;
  if (hours >= deps.giveUpHours) {
    await endRuns(deps, dispatchId, left, (run) => gaveUp(run, deps.giveUpHours));
    return close(deps, dispatchId);
  }
  const isLeft = new Set(left.map(({ run_id }) => run_id));
  const outbox = (await listOutbox(pool, dispatchId, SPECS_AT_ONCE)).filter(({ run_id }) =>
    isLeft.has(run_id),
  );
  const due = outbox.filter(({ wait_ms }) => wait_ms === 0);
  const policies = await policiesOf(registry, left);
  const round = await sendRound(deps, due, {
    onDuplicateOf: ({ run_id }) => policies.get(run_id) ?? 'skip',
    signal,
  });
  const { unauthorized } = round;
  if (unauthorized) {
    await endRuns(deps, dispatchId, await listEmittingRuns(pool, dispatchId), (run) =>
      run.pending > 0 ? refusedAccess(run, unauthorized) : verdictOf(run),
    );
    return close(deps, dispatchId);
  }
  // Where some are due, they are tried again at once.
  const waitMs = due.length > 0 ? 0 : Math.min(...outbox.map(({ wait_ms }) => wait_ms));
  return { round, waitMs: Number.isFinite(waitMs) ? waitMs : 0, left };
}

/** What is to be reported keeps the dispatch open. */
async function close({ pool }: EmitDeps, dispatchId: string): Promise<'done' | 'report'> {
  if (await hasReportingRuns(pool, dispatchId)) return 'report';
  await closeDispatch(pool, dispatchId, 'emission');
  return 'done';
}

/** `on_duplicate` by run, of the revision that each is pinned to. */
async function policiesOf(
  registry: Registry,
  runs: readonly EmittingRun[],
): Promise<Map<string, Definition['on_duplicate']>> {
  const policies = new Map<string, Definition['on_duplicate']>();
  for (const { run_id, definition_id, definition_hash } of runs) {
    const revision = await registry.revision(definition_id, definition_hash);
    if (revision) policies.set(run_id, revision.definition.on_duplicate);
  }
  return policies;
}

function later(dispatchId: string, waitMs: number): ApplicationFailure {
  return ApplicationFailure.create({
    message: `dispatch ${dispatchId}`,
    type: 'sink_unavailable',
    // It is how waiting is done; what keeps a spec waiting is on its row, and logged by us.
    category: ApplicationFailureCategory.BENIGN,
    ...(waitMs > 0 ? { nextRetryDelay: waitMs } : {}),
  });
}
