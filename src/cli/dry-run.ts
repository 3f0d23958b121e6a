/** `dry-run`: what a definition would do now, without doing it. */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi } from './cli.ts';
import { printDryRun } from './dry-run-story.ts';
import { readEvent } from './read-event.ts';
import { parseTime } from './time.ts';

interface Options extends ApiOptions {
  event?: string;
  at?: string;
  model?: boolean;
}

export function addDryRun(program: Command, cli: Cli): void {
  apiCommand(program, 'dry-run <definition>', 'what a definition would do, without doing it')
    .option('--event <file>', 'the envelope to run it with; - reads standard input')
    .option('--at <time>', 'as if scheduled for this time (RFC 3339)')
    .option('--model', 'also ask the language model what its instructions say')
    .action(async (definition: string, options: Options) => {
      const body: JsonObject = {};
      if (options.event) body.event = await readEvent(cli, options.event);
      if (options.at) body.at = parseTime('--at', options.at);
      if (options.model) body.model = true;
      const dryRun = await (await connectApi(cli, options)).dryRun(definition, body);
      cli.end(printDryRun(cli, dryRun, options.json));
    });
}
