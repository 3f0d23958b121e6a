/** `definitions resume` */
import { type Command, Option } from 'commander';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { count } from './details.ts';

interface Options extends ApiOptions {
  reason?: string;
  held: 'run' | 'discard';
}

export function addDefinitionsResume(definitions: Command, cli: Cli): void {
  apiCommand(definitions, 'resume <definition>', 'end its pause, and run the events that were held')
    .option('--reason <text>', 'why, for the record')
    .addOption(
      new Option('--held <what>', 'what becomes of the events that were held')
        .choices(['run', 'discard'])
        .default('run'),
    )
    .action(async (definitionId: string, options: Options) => {
      const { reason, held } = options;
      const api = await connectApi(cli, options);
      const resumed = await api.resumeDefinition(definitionId, { ...(reason && { reason }), held });
      if (options.json) printJson(cli.terminal, resumed);
      else {
        const said =
          resumed.was_paused === false ? `${definitionId} was not paused.` : `Resumed ${definitionId}.`;
        cli.terminal.print([said, ...heldLines(resumed.held)].join('\n'));
      }
      cli.end(0);
    });
}

function heldLines({ fired, discarded }: { fired: number; discarded: number }): string[] {
  return [
    ...(fired > 0 ? [`${count(fired, 'held event')} will run, oldest first.`] : []),
    ...(discarded > 0 ? [`${count(discarded, 'held event')} discarded.`] : []),
  ];
}
