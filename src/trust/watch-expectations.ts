/** One look at every expectation, from PostgreSQL alone: breaches are opened and healed. Safe in several replicas at once. */
import { durationMs } from '../core/duration.ts';
import { type HealedBreach, healBreach, healNotExpected, openBreach } from '../store/expectation-breaches.ts';
import type { Pool } from '../store/pool.ts';
import { type Expectation, listExpectations, refreshWatched } from '../store/watched-definitions.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface WatchExpectationsDeps {
  pool: Pool;
  logger: Logger;
  /** Whether there is a State Hub to tell of breaches. */
  forStateHub: boolean;
}

/** Rejects where one definition could not be looked at, after it has looked at all the others. */
export function createWatchExpectations(deps: WatchExpectationsDeps): () => Promise<void> {
  const { pool, logger } = deps;
  return async function watchExpectations() {
    for (const healed of await healNotExpected(pool)) tellHealed(logger, healed);
    const failures: unknown[] = [];
    for (const expectation of await listExpectations(pool)) {
      await watchOne(deps, expectation).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };
}

async function watchOne(
  { pool, logger, forStateHub }: WatchExpectationsDeps,
  { definition_id, run_every, breached }: Expectation,
): Promise<void> {
  const declared = { run_every, milliseconds: durationMs(run_every) };
  await refreshWatched(pool, definition_id);
  if (breached) {
    const healed = await healBreach(pool, definition_id, declared);
    if (!healed) return;
    tellHealed(logger, healed);
  }
  const breach = await openBreach(pool, definition_id, declared, { forStateHub });
  if (!breach) return;
  const { last_completed_at, since } = breach;
  logger.error(
    { definition_id, run_every, last_completed_at, since },
    'an expectation is breached: no run completed in time',
  );
}

function tellHealed(logger: Logger, healed: HealedBreach): void {
  const { definition_id, run_every, since, healed_by, completed_at } = healed;
  logger.info({ definition_id, run_every, since, healed_by, completed_at }, 'a breached expectation healed');
}
