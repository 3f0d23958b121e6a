/** Revisions alone, without their schedules: tests of the event path share a Temporal namespace, and need none. */
import { type Applied, applyDefinitions } from '../../src/definitions/apply.ts';
import { InvalidDefinitionsError } from '../../src/definitions/invalid-definitions.ts';
import { loadDefinitions } from '../../src/definitions/load.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import type { Pool } from '../../src/store/pool.ts';

export async function applyFolder(pool: Pool, folder: string): Promise<Applied> {
  const loaded = await loadDefinitions(folder, createResolvers());
  if (!loaded.ok) throw new InvalidDefinitionsError(loaded.errors);
  return applyDefinitions(pool, loaded);
}
