/** `definitions pause` */
import type { Command } from 'commander';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { printable } from './printable.ts';

interface Options extends ApiOptions {
  reason: string;
}

export function addDefinitionsPause(definitions: Command, cli: Cli): void {
  apiCommand(definitions, 'pause <definition>', 'hold its events and skip its ticks, until it is resumed')
    .requiredOption('--reason <text>', 'why; stands wherever the pause shows')
    .action(async (definitionId: string, options: Options) => {
      const api = await connectApi(cli, options);
      const definition = await api.pauseDefinition(definitionId, { reason: options.reason });
      if (options.json) printJson(cli.terminal, definition);
      else cli.terminal.print(`Paused ${definitionId}: ${printable(definition.pause_reason ?? '')}`);
      cli.end(0);
    });
}
