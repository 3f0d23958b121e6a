/** `definitions apply`: the folder's definitions and event types become the applied ones. */
import type { Command } from 'commander';
import { ApiProblemError } from '../clients/activity-core-api-errors.ts';
import type { PlanAnswer } from '../clients/activity-core-api-plan.ts';
import { InvalidDefinitionsError } from '../definitions/invalid-definitions.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi } from './cli.ts';
import { printPlan } from './plan-story.ts';

export function addDefinitionsApply(definitions: Command, cli: Cli): void {
  apiCommand(definitions, 'apply', 'make the files of DEFINITIONS_DIR the applied ones').action(
    async (options: ApiOptions) => {
      const done = await apply(cli, options).catch(invalidAnswer);
      cli.end(
        printPlan(cli, done, options.json, {
          empty: 'Nothing to apply: the files, PostgreSQL and Temporal are in step.',
          end: 'Applied.',
        }),
      );
    },
  );
}

async function apply(cli: Cli, options: ApiOptions): Promise<PlanAnswer> {
  const config = cli.readConfig();
  const { DATABASE_URL } = config;
  if (options.api !== undefined || !DATABASE_URL) return (await connectApi(cli, options)).applyPlan();
  const { applyDirectly } = await import('./definitions-directly.ts');
  return applyDirectly({ ...config, DATABASE_URL }, cli.now());
}

/** Both ways say the same of invalid files. */
function invalidAnswer(error: unknown): PlanAnswer {
  const nothing = { changes: [], event_types: [], warnings: [] };
  if (error instanceof InvalidDefinitionsError) return { ...nothing, errors: error.errors };
  if (error instanceof ApiProblemError && error.code === 'invalid_definitions')
    return { ...nothing, errors: [...error.definitionErrors] };
  throw error;
}
