/** A batch is matched against the registry as this process knows it, and its transaction finds out whether that still holds. */
import type { AppliedRegistry, Registry } from '../definitions/applied-registry.ts';
import { keepPauses } from '../store/definition-pauses.ts';
import { readRegistryVersion } from '../store/definitions.ts';
import type { EventDecision } from '../store/event-decisions.ts';
import type { Queryable } from '../store/pool.ts';

/** Each further try needs another change between two statements. */
const MAX_TRIES = 10;

/** What was matched is to be matched again. */
export class StaleRegistryError extends Error {
  readonly code: 'registry_changed' | 'pause_ended';

  constructor(code: 'registry_changed' | 'pause_ended', message: string) {
    super(message);
    this.code = code;
  }
}

/** @throws StaleRegistryError where another version is applied by now */
export async function expectVersion(client: Queryable, { version }: Registry): Promise<void> {
  const now = await readRegistryVersion(client);
  if (now !== version)
    throw new StaleRegistryError('registry_changed', `the registry is at version ${now}, not ${version}`);
}

/**
 * Keeps the pauses, until the transaction ends, that decisions were made for. One that has ended must not hold another event:
 * the resume has released what was held, and nobody would ever release this one.
 * @throws StaleRegistryError
 */
export async function keepPausesOf(client: Queryable, decisions: EventDecision[]): Promise<void> {
  const holding = decisions.filter(({ outcome }) => outcome === 'held');
  const ids = [...new Set(holding.map(({ definition_id }) => definition_id))];
  if (ids.length === 0) return;
  const paused = await keepPauses(client, ids);
  const ended = ids.filter((id) => !paused.has(id));
  if (ended.length > 0)
    throw new StaleRegistryError(
      'pause_ended',
      `resumed while events were being recorded as held: ${ended.join(', ')}`,
    );
}

/**
 * Does the work against the registry as it is now, and once more where that changed meanwhile. `expectsVersion`: the work does
 * find out by itself, so that the first try may use what is held without asking.
 */
export async function withCurrentRegistry<T>(
  registry: AppliedRegistry,
  work: (registry: Registry) => Promise<T>,
  { expectsVersion = false } = {},
): Promise<T> {
  let known = expectsVersion ? registry.held() : null;
  for (let tries = 1; ; tries += 1) {
    try {
      return await work(known ?? (await registry.current()));
    } catch (error) {
      if (!(error instanceof StaleRegistryError) || tries >= MAX_TRIES) throw error;
      known = null;
    }
  }
}
