/** `smoke`: what activity-core depends on, asked from here. */
import type { Command } from 'commander';
import type { Cli } from './cli.ts';
import type { SmokeOptions } from './smoke-llm-connect.ts';

export function addSmoke(program: Command, cli: Cli): void {
  program
    .command('smoke')
    .description('does what activity-core depends on work?')
    .command('llm-connect')
    .description('ask a model for a small triage, and check its answer against the schema')
    .option('--url <url>', 'the endpoint (default: LLM_CONNECT_URL, else the running dev instance)')
    .option('--json', 'print what was found as JSON')
    .action(async (options: SmokeOptions) => {
      const { smokeLlmConnect } = await import('./smoke-llm-connect.ts');
      cli.end(await smokeLlmConnect(cli, options));
    });
}
