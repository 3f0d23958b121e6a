import type { ActiveDefinition, Registry } from '../definitions/applied-registry.ts';
import { Problem } from './problem.ts';

/** @throws Problem: it is not found */
export function findDefinition(registry: Registry, definitionId: string): ActiveDefinition {
  const definition = registry.find(definitionId);
  if (!definition) throw definitionNotFound(definitionId);
  return definition;
}

export function definitionNotFound(id: string): Problem {
  return new Problem('not_found', `no definition has the id ${id}; a file counts once it is applied`);
}
