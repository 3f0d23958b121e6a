/** A folder of definitions, loaded and applied: all of it or nothing. */
import { createResolvers } from '../resolvers/registry.ts';
import type { Pool } from '../store/pool.ts';
import { type Applied, applyDefinitions } from './apply.ts';
import { type DefinitionError, formatError } from './errors.ts';
import { loadDefinitions } from './load.ts';

/** Nothing was applied. `errors` name file, line, column, what was found and what was expected. */
export class InvalidDefinitionsError extends Error {
  readonly code = 'invalid_definitions';
  readonly errors: DefinitionError[];

  constructor(errors: DefinitionError[]) {
    super(
      `the definitions are invalid, nothing was applied:\n${errors.map((error) => `  ${formatError(error)}`).join('\n')}`,
    );
    this.errors = errors;
  }
}

/** @throws InvalidDefinitionsError */
export async function applyFolder(pool: Pool, folder: string): Promise<Applied> {
  const loaded = await loadDefinitions(folder, createResolvers());
  if (!loaded.ok) throw new InvalidDefinitionsError(loaded.errors);
  return applyDefinitions(pool, loaded);
}
