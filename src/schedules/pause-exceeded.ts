/** The pause of a definition that has crossed limits.max_tasks_per_hour: the commit that crossed it has said so, and holds events since. */
import { readPause } from '../store/definition-pauses.ts';
import { lockRegistry } from '../store/definitions.ts';
import { type Pool, transaction } from '../store/pool.ts';
import { listExceededWithoutPause, readExceededReason } from '../store/task-budgets.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { beginPause } from './pause.ts';
import type { TemporalSchedules } from './temporal-schedules.ts';

export interface PauseExceededDeps {
  pool: Pool;
  temporalSchedules: TemporalSchedules;
  metrics: Metrics;
  logger: Logger;
}

/** Does nothing where it was resumed since, or is paused already. @throws where PostgreSQL or Temporal does not answer */
export type PauseExceeded = (definitionId: string) => Promise<void>;

/** An apply may hold the registry for long, and a run waits for this: the next pass pauses it then. */
const LOCK_TIMEOUT = '5s';

export function createPauseExceeded(deps: PauseExceededDeps): PauseExceeded {
  return async function pauseExceeded(definitionId) {
    const paused = await transaction(deps.pool, async (client) => {
      await client.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
      // With it, no resume comes in between, so the budget's own lock is not needed while Temporal is asked.
      await lockRegistry(client);
      const reason = await readExceededReason(client, definitionId);
      if (reason === null || (await readPause(client, definitionId))) return null;
      const ticks = await beginPause(client, deps.temporalSchedules, definitionId, reason);
      return { reason, ticks };
    });
    if (!paused) return;
    const { reason, ticks } = paused;
    deps.metrics.ticks.inc({ definition_id: definitionId, outcome: 'paused' }, ticks);
    deps.logger.warn({ definition_id: definitionId, reason }, 'a definition is paused');
  };
}

/** One pass over those whose pause failed, or whose worker died before it. Runs in every subscriber. */
export function createPauseAllExceeded(
  { pool, logger }: Pick<PauseExceededDeps, 'pool' | 'logger'>,
  pauseExceeded: PauseExceeded,
): () => Promise<void> {
  return async function pauseAllExceeded() {
    for (const definition_id of await listExceededWithoutPause(pool)) {
      await pauseExceeded(definition_id).catch((error: unknown) =>
        logger.warn(
          { err: error, definition_id },
          'a definition could not be paused; the next pass tries again',
        ),
      );
    }
  };
}
