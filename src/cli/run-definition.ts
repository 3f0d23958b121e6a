/** `run`: a definition by hand, now. */
import type { Command } from 'commander';
import type { JsonObject } from '../core/json.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { readEvent } from './read-event.ts';

interface Options extends ApiOptions {
  event?: string;
  reason?: string;
  idempotencyKey?: string;
}

export function addRun(program: Command, cli: Cli): void {
  apiCommand(program, 'run <definition>', 'run a definition by hand, now')
    .option('--event <file>', 'the envelope to run it with; - reads standard input')
    .option('--reason <text>', 'why, for the record')
    .option('--idempotency-key <key>', 'the same key again is the same run; without it, each is a new one')
    .action(async (definition: string, options: Options) => {
      const body: JsonObject = {};
      if (options.event) body.event = await readEvent(cli, options.event);
      if (options.reason !== undefined) body.reason = options.reason;
      const api = await connectApi(cli, options);
      const started = await api.startRun(definition, body, options.idempotencyKey);
      if (options.json) printJson(cli.terminal, started);
      else {
        cli.terminal.print(`Started run ${started.run_id} of ${definition}.`);
        cli.terminal.print(`What comes of it: activity-core runs show ${started.run_id}`);
      }
      cli.end(0);
    });
}
