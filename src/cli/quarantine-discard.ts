/** `quarantine discard`: it is looked at and will not run. */
import type { Command } from 'commander';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';

interface Options extends ApiOptions {
  reason: string;
}

export function addQuarantineDiscard(quarantine: Command, cli: Cli): void {
  apiCommand(quarantine, 'discard <id>', 'put a refused event aside for good; it is kept on record')
    .requiredOption('--reason <text>', 'why; stands on record')
    .action(async (id: string, options: Options) => {
      const answer = await (await connectApi(cli, options)).discard(id, { reason: options.reason });
      if (options.json) printJson(cli.terminal, answer);
      else cli.terminal.print(`Discarded ${id}.`);
      cli.end(0);
    });
}
