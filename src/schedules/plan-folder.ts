/** A folder of definitions, planned or applied. */
import { isAbsolute, relative } from 'node:path';
import type { DefinitionError, DefinitionWarning } from '../definitions/errors.ts';
import { InvalidDefinitionsError } from '../definitions/invalid-definitions.ts';
import { loadDefinitions } from '../definitions/load.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { type ApplyDeps, applyDeclared, planDeclared } from './apply.ts';
import type { Plan } from './plan.ts';

/** Contract 5, `/api/v1/plan`: with `errors` there are no changes; `warnings` keep nothing from being applied. */
export interface FolderPlan extends Plan {
  errors: DefinitionError[];
  warnings: DefinitionWarning[];
}

export interface FolderDeps extends ApplyDeps {
  resolvers: Resolvers;
  definitionsDir: string;
}

/** `now`: ms since 1970. @throws TemporalUnavailableError */
export async function planFolder(deps: FolderDeps, now: number): Promise<FolderPlan> {
  const loaded = await loadDefinitions(shownFolder(deps.definitionsDir), deps.resolvers);
  const { warnings } = loaded;
  if (!loaded.ok) return { changes: [], event_types: [], errors: loaded.errors, warnings };
  return { ...(await planDeclared(deps, loaded, now)), errors: [], warnings };
}

/** One invalid file applies nothing. @throws InvalidDefinitionsError, TemporalUnavailableError, ScheduleRefusedError */
export async function applyPlannedFolder(deps: FolderDeps, now: number): Promise<FolderPlan> {
  const loaded = await loadDefinitions(shownFolder(deps.definitionsDir), deps.resolvers);
  if (!loaded.ok) throw new InvalidDefinitionsError(loaded.errors);
  return { ...(await applyDeclared(deps, loaded, now)), errors: [], warnings: loaded.warnings };
}

/** As errors name it: short where it lies below the folder that the process runs in. */
export function shownFolder(folder: string): string {
  const way = relative(process.cwd(), folder);
  if (way === '') return '.';
  return way.startsWith('..') || isAbsolute(way) ? folder : way;
}
