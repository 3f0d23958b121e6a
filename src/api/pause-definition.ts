/** `POST /api/v1/definitions/{id}/pause` and `/resume`: one transaction each, with Temporal inside it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StartDispatch } from '../bridge/dispatch.ts';
import { discardHeld, type Released, releaseHeld } from '../bridge/release-held.ts';
import { createStartQueued, startDispatches } from '../bridge/start-dispatches.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { beginPause, type EndedPause, endPause } from '../schedules/pause.ts';
import { type TemporalSchedules, TemporalUnavailableError } from '../schedules/temporal-schedules.ts';
import { lockPause } from '../store/definition-pauses.ts';
import { type DefinitionRow, findCurrentDefinition, lockRegistry } from '../store/definitions.ts';
import { countHeld } from '../store/event-decisions.ts';
import { type Pool, type Queryable, transaction } from '../store/pool.ts';
import { renewBudget } from '../store/task-budgets.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { definitionNotFound } from './find-definition.ts';
import { Problem } from './problem.ts';

export interface PauseDeps {
  pool: Pool;
  resolvers: Resolvers;
  temporalSchedules: TemporalSchedules;
  startDispatch: StartDispatch;
  metrics: Metrics;
  logger: Logger;
}

export interface ResumeRequest {
  reason: string | undefined;
  /** What becomes of the events that it holds. */
  held: 'run' | 'discard';
}

/** `fired`, `discarded`: how many events were held, by what they are now. */
export interface Resumed {
  wasPaused: boolean;
  fired: number;
  discarded: number;
}

export interface Pauses {
  pause(definitionId: string, reason: string): Promise<void>;
  resume(definitionId: string, request: ResumeRequest): Promise<Resumed>;
}

/** The dispatches are recorded: an answer does not wait for ten thousand workflows to start. */
const ANSWER_AFTER_MS = 5_000;

/** Both throw `Problem`. */
export function createPauses(deps: PauseDeps): Pauses {
  const startQueued = createStartQueued(deps);
  return {
    async pause(definitionId, reason) {
      const ticks = await changed(deps.pool, async (client) => {
        if (!(await findCurrentDefinition(client, definitionId))) throw definitionNotFound(definitionId);
        return beginPause(client, deps.temporalSchedules, definitionId, reason);
      });
      deps.metrics.ticks.inc({ definition_id: definitionId, outcome: 'paused' }, ticks);
    },
    async resume(definitionId, request) {
      const { released, discarded, wasPaused, ticks } = await changed(deps.pool, (client) =>
        endPauseAndRelease(deps, client, definitionId, request),
      );
      const fired = released.events;
      deps.metrics.ticks.inc({ definition_id: definitionId, outcome: 'paused' }, ticks);
      deps.metrics.decisions.inc({ definition_id: definitionId, outcome: 'fired' }, fired);
      deps.metrics.decisions.inc({ definition_id: definitionId, outcome: 'discarded' }, discarded);
      const starting = startDispatches(deps, released.dispatch_ids);
      await bounded(starting.then(() => startQueued(released.queued_definitions)));
      return { wasPaused, fired, discarded };
    },
  };
}

async function changed<T>(pool: Pool, work: (client: Queryable) => Promise<T>): Promise<T> {
  try {
    return await transaction(pool, async (client) => {
      await lockRegistry(client);
      return work(client);
    });
  } catch (error) {
    if (!(error instanceof TemporalUnavailableError)) throw error;
    throw new Problem(
      'unavailable',
      `nothing was recorded: ${error.message}; the same again when Temporal answers, also where it did what was asked`,
      { cause: error },
    );
  }
}

async function endPauseAndRelease(
  { resolvers, temporalSchedules }: PauseDeps,
  client: Queryable,
  definitionId: string,
  { reason, held }: ResumeRequest,
): Promise<{ released: Released; discarded: number } & EndedPause> {
  const definition = await findCurrentDefinition(client, definitionId);
  // First: batches that hold events because of it are waited for, and later ones wait until it is gone.
  const pause = await lockPause(client, definitionId);
  // Before what is held is read, for the same reason: commits that hold because of it are waited for.
  await renewBudget(client, definitionId);
  const waiting = await countHeld(client, definitionId);
  if (!definition && !pause && waiting === 0) throw definitionNotFound(definitionId);
  let released: Released = { events: 0, dispatch_ids: [], queued_definitions: [] };
  let discarded = 0;
  if (waiting > 0 && held === 'discard') {
    discarded = await discardHeld(client, definitionId, reason ?? 'discarded on resume');
  } else if (waiting > 0) {
    const revision = runnable(definition, definitionId, waiting);
    released = await releaseHeld(client, resolvers, revision, resumption(reason));
  }
  const ended = await endPause(client, temporalSchedules, definitionId, reason ?? 'resumed');
  return { released, discarded, ...ended };
}

function runnable(definition: DefinitionRow | null, definitionId: string, waiting: number): DefinitionRow {
  if (definition?.enabled) return definition;
  const what = definition ? 'is disabled' : 'is no longer declared';
  const choice = `${definition ? 'enable' : 'declare'} it first, or send {"held": "discard"}`;
  const events = waiting === 1 ? '1 event' : `${waiting} events`;
  throw new Problem('definition_disabled', `${definitionId} ${what} and holds ${events}; ${choice}`);
}

const resumption = (reason: string | undefined) => (reason === undefined ? 'resumed' : `resumed: ${reason}`);

/** `work` never rejects, and goes on where it takes longer. */
async function bounded(work: Promise<void>): Promise<void> {
  const answered = new AbortController();
  const bound = sleep(ANSWER_AFTER_MS, undefined, { signal: answered.signal }).catch(() => undefined);
  await Promise.race([work, bound]);
  answered.abort();
}
