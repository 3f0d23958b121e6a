/** Runs, specs and the end of their dispatch in one transaction; a row that cannot be stored is cut out by halving. */
import { closeDispatch } from '../store/dispatches.ts';
import { isPoisonousRow } from '../store/failure.ts';
import { type Pool, type Queryable, transaction } from '../store/pool.ts';
import { finishRun, insertDecidedRuns } from '../store/runs.ts';
import { insertTasks } from '../store/task-spawn-log.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Prepared } from './prepare-run.ts';

export interface CommitDeps {
  pool: Pool;
  metrics: Metrics;
  logger: Logger;
}

/** Nothing is written where another attempt, or the reconciler, has closed the dispatch meanwhile. */
export async function commitRuns(deps: CommitDeps, dispatchId: string, prepared: Prepared[]): Promise<void> {
  const committed = await transaction(deps.pool, async (client) => {
    return (await closeDispatch(client, dispatchId)) ? writeRuns(client, prepared) : [];
  }).catch(async (error: unknown) => {
    if (!isPoisonousRow(error)) throw error;
    const context = { err: error, dispatch_id: dispatchId, members: prepared.length };
    deps.logger.warn(context, 'a row cannot be stored; looking for it');
    const written = await writeHalving(deps.pool, prepared);
    await closeDispatch(deps.pool, dispatchId);
    return written;
  });
  for (const { run, tasks } of committed) {
    deps.metrics.runs.inc({ definition_id: run.definition_id, status: run.status });
    for (const { definition_id, status } of tasks) deps.metrics.tasks.inc({ definition_id, status });
  }
}

/** Returns those that were not there before: another attempt may have been faster. */
async function writeRuns(client: Queryable, prepared: Prepared[]): Promise<Prepared[]> {
  const fresh = prepared.filter(({ stands }) => !stands);
  const runs = fresh.map(({ run }) => run);
  const inserted = runs.length > 0 ? await insertDecidedRuns(client, runs) : new Set<string>();
  const written = fresh.filter(({ run }) => inserted.has(run.run_id));
  for (const standing of prepared.filter(({ stands }) => stands)) {
    if (await finishRun(client, standing.run)) written.push(standing);
  }
  const tasks = written.flatMap((one) => one.tasks);
  if (tasks.length > 0) await insertTasks(client, tasks);
  return written;
}

async function writeHalving(pool: Pool, prepared: Prepared[]): Promise<Prepared[]> {
  try {
    return await transaction(pool, (client) => writeRuns(client, prepared));
  } catch (error) {
    if (!isPoisonousRow(error)) throw error;
    const [culprit] = prepared;
    if (prepared.length === 1 && culprit && culprit.run.error?.code !== 'unstorable') {
      return writeHalving(pool, [unstorable(culprit, error as Error)]);
    }
    if (prepared.length <= 1) throw error;
    const middle = prepared.length >> 1;
    const first = await writeHalving(pool, prepared.slice(0, middle));
    return [...first, ...(await writeHalving(pool, prepared.slice(middle)))];
  }
}

function unstorable(culprit: Prepared, error: Error): Prepared {
  const message = `what the run produced cannot be stored: ${error.message}`;
  const run = { ...culprit.run, status: 'failed' as const, task_count: 0, context: null, rules: [] };
  return { ...culprit, run: { ...run, error: { code: 'unstorable', message, details: {} } }, tasks: [] };
}
