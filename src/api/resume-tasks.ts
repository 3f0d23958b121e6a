/** Pending specs of runs that are over, sent after all: their runs are reopened in dispatches that only emit. */
import { randomUUID } from 'node:crypto';
import { whyNotLive } from '../activities/why-not-live.ts';
import type { StartEmission } from '../bridge/dispatch.ts';
import type { AppliedRegistry } from '../definitions/applied-registry.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import { insertDispatch } from '../store/dispatches.ts';
import {
  listPendingRevisions,
  listPendingRuns,
  listPendingTasksOfRuns,
  lockRunsToReopen,
  type PendingRevision,
  type PendingRun,
  type PendingScope,
  previewPendingTasks,
} from '../store/pending-tasks.ts';
import { type Pool, type Queryable, transaction } from '../store/pool.ts';
import { lockChain, reopenRuns } from '../store/runs.ts';
import type { Task } from '../store/task-spawn-log.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Problem } from './problem.ts';

export interface ResumeTasksDeps {
  pool: Pool;
  registry: AppliedRegistry;
  sinkMode: DecideSinkMode;
  startEmission: StartEmission;
  logger: Logger;
}

/** Specs that may not be sent now. */
export interface Skipped {
  definition_id: string;
  count: number;
  reason: string;
}

export interface ResumedTasks {
  count: number;
  /** The newest of them. */
  items: Task[];
  skipped: Skipped[];
}

export interface ResumeTasks {
  resume(scope: PendingScope): Promise<ResumedTasks>;
  rehearse(scope: PendingScope): Promise<ResumedTasks>;
}

export const MAX_ITEMS = 500;
/** One transaction reopens them, and one dispatch holds them. */
const RUNS_AT_ONCE = 500;

/** Both throw `Problem` where nothing of what is pending may be sent. */
export function createResumeTasks(deps: ResumeTasksDeps): ResumeTasks {
  return {
    async rehearse(scope) {
      const { revisions, skipped } = await chooseRevisions(deps, scope);
      const count = revisions.reduce((sum, revision) => sum + revision.count, 0);
      const items = await previewPendingTasks(deps.pool, { scope, revisions }, MAX_ITEMS);
      return { count, items, skipped };
    },
    async resume(scope) {
      const { revisions, skipped } = await chooseRevisions(deps, scope);
      const resumed: ResumedTasks = { count: 0, items: [], skipped };
      let after: string | null = null;
      for (;;) {
        const page: { after: string | null; limit: number } = { after, limit: RUNS_AT_ONCE };
        const runs = await listPendingRuns(deps.pool, { scope, revisions }, page);
        const portion = await reopenPortion(deps, runs);
        resumed.count += portion.count;
        resumed.items = newest([...resumed.items, ...portion.items]);
        after = runs.at(-1)?.run_id ?? null;
        if (runs.length < RUNS_AT_ONCE) return resumed;
      }
    },
  };
}

async function chooseRevisions(
  deps: ResumeTasksDeps,
  scope: PendingScope,
): Promise<{ revisions: PendingRevision[]; skipped: Skipped[] }> {
  const registry = await deps.registry.current();
  const revisions: PendingRevision[] = [];
  const skipped = new Map<string, Skipped>();
  for (const pending of await listPendingRevisions(deps.pool, scope)) {
    const reason = (await whyNotLive(deps.sinkMode, registry, pending)) ?? whyNotYet(pending);
    if (reason === null) {
      revisions.push(pending);
      continue;
    }
    const { definition_id, count } = pending;
    const key = `${definition_id}: ${reason}`;
    skipped.set(key, { definition_id, reason, count: count + (skipped.get(key)?.count ?? 0) });
  }
  if (revisions.length === 0 && skipped.size > 0)
    throw new Problem('wrong_state', `nothing can be sent now: ${[...skipped.keys()].join('; ')}`);
  return { revisions, skipped: [...skipped.values()] };
}

const whyNotYet = ({ is_retried }: PendingRevision): string | null =>
  is_retried ? 'a retry of the run is running; it takes its tasks over' : null;

async function reopenPortion(
  deps: ResumeTasksDeps,
  runs: readonly PendingRun[],
): Promise<Pick<ResumedTasks, 'count' | 'items'>> {
  if (runs.length === 0) return { count: 0, items: [] };
  const dispatch_id = randomUUID();
  const reopened = await transaction(deps.pool, (client) => reopen(client, runs, dispatch_id));
  if (reopened.count === 0) return reopened;
  deps.logger.info({ dispatch_id, tasks: reopened.count }, 'pending tasks are sent after all');
  await deps.startEmission(dispatch_id).catch((error: unknown) => {
    deps.logger.warn({ err: error, dispatch_id }, 'tasks are resumed and their emission starts later');
  });
  return reopened;
}

async function reopen(
  client: Queryable,
  runs: readonly PendingRun[],
  dispatch_id: string,
): Promise<Pick<ResumedTasks, 'count' | 'items'>> {
  // A retry that begins meanwhile would move the same specs to its own run.
  for (const { definition_id, origin_trigger_key } of runs.toSorted(byChain))
    await lockChain(client, definition_id, origin_trigger_key);
  const free = await lockRunsToReopen(
    client,
    runs.map(({ run_id }) => run_id),
  );
  const chosen = runs.filter(({ run_id }) => free.has(run_id));
  if (chosen.length === 0) return { count: 0, items: [] };
  const runIds = chosen.map(({ run_id }) => run_id);
  await reopenRuns(client, runIds, dispatch_id);
  await insertDispatch(client, {
    dispatch_id,
    members: chosen.map(({ run_id, definition_id, definition_hash }) => ({
      run_id,
      definition_id,
      definition_hash,
      event_uid: null,
    })),
    prepared: true,
  });
  return listPendingTasksOfRuns(client, runIds, MAX_ITEMS);
}

const chainOf = ({ definition_id, origin_trigger_key }: PendingRun) =>
  `${definition_id} ${origin_trigger_key}`;
const byChain = (a: PendingRun, b: PendingRun) => (chainOf(a) < chainOf(b) ? -1 : 1);

const newest = (tasks: Task[]): Task[] =>
  tasks.toSorted((a, b) => (sortKey(a) > sortKey(b) ? -1 : 1)).slice(0, MAX_ITEMS);
/** Fractions have as many digits as they need: without the Z, the longer one of two that begin alike is the later. */
const sortKey = ({ created_at, idempotency_key }: Task) =>
  `${created_at.replace('Z', '')} ${idempotency_key}`;
