/** `definitions plan`: what an apply would change. */
import type { Command } from 'commander';
import { type ApiOptions, apiCommand, type Cli, connectApi } from './cli.ts';
import { printPlan } from './plan-story.ts';

export function addDefinitionsPlan(definitions: Command, cli: Cli): void {
  apiCommand(
    definitions,
    'plan',
    'what applying the definitions would change, and when they would fire',
  ).action(async (options: ApiOptions) => {
    const plan = await readPlan(cli, options);
    cli.end(
      printPlan(cli, plan, options.json, {
        empty: 'Nothing to do: the files, PostgreSQL and Temporal are in step.',
        end: 'Nothing was changed; apply it with `activity-core definitions apply`.',
      }),
    );
  });
}

async function readPlan(cli: Cli, options: ApiOptions) {
  const config = cli.readConfig();
  const { DATABASE_URL } = config;
  if (options.api !== undefined || !DATABASE_URL) return (await connectApi(cli, options)).getPlan();
  const { planDirectly } = await import('./definitions-directly.ts');
  return planDirectly({ ...config, DATABASE_URL }, cli.now());
}
