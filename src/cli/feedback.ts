/** `feedback`: whether a run was worth reading. */
import { type Command, Option } from 'commander';
import type { Feedback } from '../clients/activity-core-api-trust.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { printable } from './printable.ts';

interface Options extends ApiOptions {
  verdict: 'useful' | 'noisy' | 'wrong';
  note?: string;
}

export function addFeedback(program: Command, cli: Cli): void {
  apiCommand(program, 'feedback <run_id>', 'say of a run that is over what it was worth')
    .addOption(
      new Option('--verdict <verdict>', 'what you think of it')
        .choices(['useful', 'noisy', 'wrong'])
        .makeOptionMandatory(),
    )
    .option('--note <text>', 'why, for the record')
    .action(async (runId: string, options: Options) => {
      const { verdict, note } = options;
      const api = await connectApi(cli, options);
      const feedback = await api.giveFeedback(runId, { verdict, ...(note && { note }) });
      if (options.json) printJson(cli.terminal, feedback);
      else cli.terminal.print(story(feedback).join('\n'));
      cli.end(0);
    });
}

function story({ run_id, definition_id, verdict, state_hub }: Feedback): string[] {
  return [
    `Run ${run_id} of ${printable(definition_id)} was ${verdict}: that is on record, and counts from now on.`,
    state_hub === 'not_configured'
      ? 'State Hub is not told: STATE_HUB_URL of the service is not set.'
      : 'State Hub is told of it as progress daily_triage_calibration, as soon as it answers.',
    `All that was said of it: activity-core runs show ${run_id}`,
  ];
}
