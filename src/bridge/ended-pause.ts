/**
 * A batch is matched against the registry as it was read. A pause that ended since then must not hold another event:
 * the resume has released what was held, and nobody would ever release this one.
 */
import type { AppliedRegistry, Registry } from '../definitions/applied-registry.ts';
import { keepPauses } from '../store/definition-pauses.ts';
import type { EventDecision } from '../store/event-decisions.ts';
import type { Queryable } from '../store/pool.ts';

/** Each further try needs another resume between two statements. */
const MAX_TRIES = 10;

export class PauseEndedError extends Error {
  readonly code = 'pause_ended';

  constructor(definitionIds: string[]) {
    super(`resumed while events were being recorded as held: ${definitionIds.join(', ')}`);
  }
}

/**
 * Keeps the pauses, until the transaction ends, that decisions were made for.
 * @throws PauseEndedError
 */
export async function keepPausesOf(client: Queryable, decisions: EventDecision[]): Promise<void> {
  const holding = decisions.filter(({ outcome }) => outcome === 'held');
  const ids = [...new Set(holding.map(({ definition_id }) => definition_id))];
  if (ids.length === 0) return;
  const paused = await keepPauses(client, ids);
  const ended = ids.filter((id) => !paused.has(id));
  if (ended.length > 0) throw new PauseEndedError(ended);
}

/** Does the work against the registry as it is now, and once more where a pause ended meanwhile. */
export async function withCurrentRegistry<T>(
  registry: AppliedRegistry,
  work: (registry: Registry) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work(await registry.current());
    } catch (error) {
      if (!(error instanceof PauseEndedError) || tries >= MAX_TRIES) throw error;
    }
  }
}
