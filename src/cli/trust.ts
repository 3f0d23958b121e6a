/** `trust`: whether the newest scheduled runs can be relied on. */
import { type Command, InvalidArgumentError } from 'commander';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { printTrust } from './trust-story.ts';

interface Options extends ApiOptions {
  required?: number;
}

export function addTrust(program: Command, cli: Cli): void {
  apiCommand(
    program,
    'trust <definition>',
    'whether its newest scheduled runs are clean, and the evidence for each',
  )
    .option('--required <n>', 'how many in a row, 1 to 100 (default: 3)', parseRequired)
    .action(async (definitionId: string, options: Options) => {
      const { required } = options;
      const trust = await (await connectApi(cli, options)).getTrust(definitionId, { required });
      if (options.json) printJson(cli.terminal, trust);
      else printTrust(cli.terminal, trust);
      cli.end(trust.trusted ? 0 : 1);
    });
}

function parseRequired(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) < 1 || Number(text) > 100) {
    throw new InvalidArgumentError('Expected a whole number from 1 to 100.');
  }
  return Number(text);
}
