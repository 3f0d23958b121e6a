/** Runs, specs and the end of their dispatch in one transaction; a row that cannot be stored is cut out by halving. */
import type { PauseExceeded } from '../schedules/pause-exceeded.ts';
import { closeDispatch, lockDeciding, markPrepared } from '../store/dispatches.ts';
import { isPoisonousRow } from '../store/failure.ts';
import { unpinContexts } from '../store/pinned-contexts.ts';
import { type EndTransaction, type Pool, pipelined, type Queryable, transaction } from '../store/pool.ts';
import { finishRun, insertDecidedRuns, NOTHING_DECIDED } from '../store/runs.ts';
import { insertTasks } from '../store/task-spawn-log.ts';
import { tellOfFailedRuns } from '../telemetry/failed-runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Prepared } from './prepare-run.ts';
import { type Exceeded, keepWithinBudget } from './within-budget.ts';

export interface CommitDeps {
  pool: Pool;
  pauseExceeded: PauseExceeded;
  metrics: Metrics;
  logger: Logger;
}

interface Written extends Prepared {
  /** Since its row was made; null where that was now. */
  seconds: number | null;
}

interface Committed {
  /** Those that were not there before: another attempt may have been faster. */
  written: Written[];
  /** The definition of each run that is held instead. */
  held: string[];
  exceeded: Exceeded[];
  /** Specs of the dispatch are to be sent, or reports to be filed. */
  emits: boolean;
}

/**
 * Nothing is written where another attempt, or the reconciler, has ended the dispatch meanwhile. `emit`: specs of it are
 * to be sent or reports to be filed, and it stays open until they are. `begunAt`: of `performance`, when deciding began.
 */
export async function commitRuns(
  deps: CommitDeps,
  dispatchId: string,
  prepared: Prepared[],
  begunAt: number,
): Promise<'emit' | undefined> {
  const committed = await transaction(deps.pool, (client, end) =>
    endAndWrite(client, dispatchId, prepared, end),
  ).catch(async (error: unknown): Promise<Committed> => {
    if (error instanceof EndedAlready) return { ...NOTHING, emits: prepared.some(emitsTasks) };
    if (!isPoisonousRow(error)) throw error;
    const context = { err: error, dispatch_id: dispatchId, members: prepared.length };
    deps.logger.warn(context, 'a row cannot be stored; looking for it');
    const halved = await writeHalving(deps.pool, dispatchId, prepared);
    await endOf(deps.pool, dispatchId, halved.emits);
    return halved;
  });
  count(deps.metrics, committed, begunAt);
  const failed = committed.written.filter(({ run }) => run.status === 'failed');
  tellOfFailedRuns(
    deps.logger,
    failed.map(({ run }) => ({ ...run, code: run.error?.code })),
    { dispatch_id: dispatchId },
  );
  for (const one of committed.exceeded) await pauseAfter(deps, one);
  return committed.emits ? 'emit' : undefined;
}

/** Whether the dispatch was still to be decided. */
const endOf = (db: Queryable, dispatchId: string, emits: boolean): Promise<boolean> =>
  emits ? markPrepared(db, dispatchId) : closeDispatch(db, dispatchId, 'deciding');

const NOTHING: Omit<Committed, 'emits'> = { written: [], held: [], exceeded: [] };

/** Undoes what was written meanwhile. */
class EndedAlready extends Error {}

/** Three round trips: the dispatch is ended and the runs are written in one, and what depends on these goes with the commit. */
async function endAndWrite(
  client: Queryable,
  dispatchId: string,
  prepared: Prepared[],
  end: EndTransaction,
): Promise<Committed> {
  const emits = prepared.some(emitsTasks);
  const ended = endOf(client, dispatchId, emits);
  // It is looked at below; a fault of the statements between would leave nobody to look.
  ended.catch(() => undefined);
  return writeRuns(client, dispatchId, prepared, {
    async expected() {
      if (!(await ended)) throw new EndedAlready(dispatchId);
    },
    // All that was to be sent may be held instead.
    last: (committed) => [
      emits && !committed.emits ? closeDispatch(client, dispatchId, 'emission') : null,
      end(),
    ],
  });
}

const emitsTasks = ({ run }: Prepared): boolean => run.status === 'running';

interface Around {
  /** Rejects where nothing may be written; asked together with the runs. */
  expected?: () => Promise<void>;
  /** What goes out with the last statements. */
  last?: (committed: Committed) => unknown[];
}

async function writeRuns(
  client: Queryable,
  dispatchId: string,
  prepared: Prepared[],
  { expected = async () => undefined, last = () => [] }: Around = {},
): Promise<Committed> {
  const { within, held, held_run_ids, exceeded } = await keepWithinBudget(client, dispatchId, prepared);
  const fresh = within.filter(({ stands }) => !stands);
  const runs = fresh.map(({ run }) => run);
  const [, inserted] = await pipelined([
    expected(),
    runs.length > 0 ? insertDecidedRuns(client, runs) : new Set<string>(),
  ]);
  const written: Written[] = fresh
    .filter(({ run }) => inserted.has(run.run_id))
    .map((one) => ({ ...one, seconds: null }));
  for (const standing of within.filter(({ stands }) => stands)) {
    const seconds = await finishRun(client, standing.run);
    if (seconds !== null) written.push({ ...standing, seconds });
  }
  const committed = { written, held, exceeded, emits: within.some(emitsTasks) };
  const tasks = written.flatMap((one) => one.tasks);
  const over = new Set([...within.map(({ run }) => run.run_id), ...held_run_ids]);
  const pinned = prepared.filter(({ run, asks_model }) => asks_model && over.has(run.run_id));
  await pipelined([
    tasks.length > 0 ? insertTasks(client, tasks) : null,
    unpinContexts(
      client,
      pinned.map(({ run }) => run.run_id),
    ),
    ...last(committed),
  ]);
  return committed;
}

async function writeHalving(pool: Pool, dispatchId: string, prepared: Prepared[]): Promise<Committed> {
  try {
    return await transaction(pool, async (client) => {
      if (!(await lockDeciding(client, dispatchId))) return { ...NOTHING, emits: prepared.some(emitsTasks) };
      return writeRuns(client, dispatchId, prepared);
    });
  } catch (error) {
    if (!isPoisonousRow(error)) throw error;
    const [culprit] = prepared;
    if (prepared.length === 1 && culprit && culprit.run.error?.code !== 'unstorable') {
      return writeHalving(pool, dispatchId, [unstorable(culprit, error as Error)]);
    }
    if (prepared.length <= 1) throw error;
    const middle = prepared.length >> 1;
    const first = await writeHalving(pool, dispatchId, prepared.slice(0, middle));
    const second = await writeHalving(pool, dispatchId, prepared.slice(middle));
    return {
      written: [...first.written, ...second.written],
      held: [...first.held, ...second.held],
      exceeded: [...first.exceeded, ...second.exceeded],
      emits: first.emits || second.emits,
    };
  }
}

function unstorable(culprit: Prepared, error: Error): Prepared {
  const message = `what the run produced cannot be stored: ${error.message}`;
  const run = { ...culprit.run, ...NOTHING_DECIDED, status: 'failed' as const };
  return { ...culprit, run: { ...run, error: { code: 'unstorable', message, details: {} } }, tasks: [] };
}

function count(metrics: Metrics, { written, held }: Committed, begunAt: number): void {
  const decidingSeconds = (performance.now() - begunAt) / 1000;
  for (const { run, tasks, seconds } of written) {
    const { definition_id, status } = run;
    if (status !== 'running') {
      metrics.runs.inc({ definition_id, status });
      metrics.runSeconds.observe({ definition_id }, seconds ?? decidingSeconds);
    }
    for (const { definition_id, status } of tasks) metrics.tasks.inc({ definition_id, status });
  }
  for (const definition_id of held) metrics.decisions.inc({ definition_id, outcome: 'held' });
}

/** The runs are committed, and what comes after them is held already: a pause that fails is made by a later pass. */
async function pauseAfter(
  { pauseExceeded, logger }: CommitDeps,
  { definition_id, reason }: Exceeded,
): Promise<void> {
  logger.warn({ definition_id, reason }, 'a definition made more specs than it may; its events are held');
  await pauseExceeded(definition_id).catch((error: unknown) =>
    logger.warn({ err: error, definition_id }, 'a definition is paused later'),
  );
}
