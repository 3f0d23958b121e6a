/** `quarantine redrive`: a refused event once more, as if it came now. */
import type { Command } from 'commander';
import type { Redriven } from '../clients/activity-core-api-shapes.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { indent } from './details.ts';
import { printable } from './printable.ts';
import { violationLines } from './quarantine-show.ts';

interface Options extends ApiOptions {
  dryRun?: boolean;
}

export function addQuarantineRedrive(quarantine: Command, cli: Cli): void {
  apiCommand(quarantine, 'redrive <id>', 'run a refused event again, after the cause was mended')
    .option('--dry-run', 'only tell what would become of it')
    .action(async (id: string, options: Options) => {
      const dryRun = options.dryRun === true;
      const redriven = await (await connectApi(cli, options)).redrive(id, { dry_run: dryRun });
      if (options.json) printJson(cli.terminal, redriven);
      else cli.terminal.print(story(redriven, dryRun).join('\n'));
      cli.end(redriven.fate === 'quarantined' ? 1 : 0);
    });
}

function story({ fate, decisions, reason, violations = [] }: Redriven, dryRun: boolean): string[] {
  const verb = dryRun ? 'It would be' : 'It is';
  const told: Readonly<Record<string, string>> = {
    accepted: `${verb} accepted.`,
    unmatched: `${verb} accepted; no enabled definition has its type.`,
    duplicate: `${verb} counted as a duplicate: its (source, id) was accepted before.`,
    quarantined: dryRun ? 'It would be refused again.' : 'It is refused again, and stays in quarantine.',
  };
  const why = reason
    ? `${(told[fate] ?? fate).replace(/\.$/, '')}: ${printable(reason)}`
    : (told[fate] ?? fate);
  return [
    dryRun ? `Dry run: nothing was written or sent. ${why}` : why,
    ...indent(violationLines(violations)),
    ...indent(decisions.map(decisionText)),
  ];
}

function decisionText({ definition_id, outcome, reason, run_id }: Redriven['decisions'][number]): string {
  const run = run_id ? `, run ${run_id}` : '';
  return `${printable(definition_id)}: ${outcome}${reason ? ` (${printable(reason)})` : ''}${run}`;
}
