/** `dry-run`: what a definition would do now, without doing it. */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi } from './cli.ts';
import { printDryRun } from './dry-run-story.ts';
import { parseTime } from './time.ts';
import { UsageError } from './usage-error.ts';

interface Options extends ApiOptions {
  event?: string;
  at?: string;
}

export function addDryRun(program: Command, cli: Cli): void {
  apiCommand(program, 'dry-run <definition>', 'what a definition would do, without doing it')
    .option('--event <file>', 'the envelope to run it with; - reads standard input')
    .option('--at <time>', 'as if scheduled for this time (RFC 3339)')
    .action(async (definition: string, options: Options) => {
      const body: JsonObject = {};
      if (options.event) body.event = parseEvent(options.event, await cli.readInput(options.event));
      if (options.at) body.at = parseTime('--at', options.at);
      const dryRun = await (await connectApi(cli, options)).dryRun(definition, body);
      cli.end(printDryRun(cli, dryRun, options.json));
    });
}

function parseEvent(file: string, bytes: Uint8Array): JsonObject {
  const place = file === '-' ? 'standard input' : file;
  let event: unknown;
  try {
    event = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new UsageError(`${place} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof event === 'object' && event !== null && !Array.isArray(event)) return event as JsonObject;
  throw new UsageError(`${place} holds no envelope: expected a JSON object`);
}
