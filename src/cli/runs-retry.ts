/** `runs retry` */
import type { Command } from 'commander';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { printDryRun } from './dry-run-story.ts';

interface Options extends ApiOptions {
  dryRun?: boolean;
}

export function addRunsRetry(runs: Command, cli: Cli): void {
  apiCommand(runs, 'retry <run_id>', 'run a failed run again, on the current revision')
    .option('--dry-run', 'only tell what it would do')
    .action(async (runId: string, options: Options) => {
      const api = await connectApi(cli, options);
      if (options.dryRun) {
        return cli.end(printDryRun(cli, await api.dryRetryRun(runId), options.json));
      }
      const started = await api.retryRun(runId);
      if (options.json) printJson(cli.terminal, started);
      else {
        cli.terminal.print(`Started run ${started.run_id}, a retry of ${runId}.`);
        cli.terminal.print(`What comes of it: activity-core runs show ${started.run_id}`);
      }
      cli.end(0);
    });
}
