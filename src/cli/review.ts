/** `review`: a person's verdict on what a run made. */
import { type Command, Option } from 'commander';
import type { NewReview } from '../clients/activity-core-api-live.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { printable } from './printable.ts';

interface Options extends ApiOptions {
  verdict: 'approved' | 'rejected';
  reviewer: string;
  note?: string;
}

export function addReview(program: Command, cli: Cli): void {
  apiCommand(program, 'review <run_id>', 'approve or reject what a run made, before its definition goes live')
    .addOption(
      new Option('--verdict <verdict>', 'what you think of its tasks')
        .choices(['approved', 'rejected'])
        .makeOptionMandatory(),
    )
    .requiredOption('--reviewer <name>', 'who answers for it: your name, not that of an account')
    .option('--note <text>', 'why, for the record')
    .action(async (runId: string, options: Options) => {
      const { verdict, reviewer, note } = options;
      const api = await connectApi(cli, options);
      const review = await api.reviewRun(runId, { verdict, reviewer, ...(note && { note }) });
      if (options.json) printJson(cli.terminal, review);
      else cli.terminal.print(story(review).join('\n'));
      cli.end(0);
    });
}

function story(review: NewReview): string[] {
  const definition = printable(review.definition_id);
  const said = `${printable(review.reviewer)} ${review.verdict} run ${review.run_id} of ${definition}.`;
  if (!review.is_current_content) {
    return [
      said,
      `That is not what is applied now: ${definition} was changed since, or is no longer declared. What it is now needs an audit run and a review of its own.`,
      `What is left to do: activity-core promote ${definition}`,
    ];
  }
  if (review.verdict === 'approved') {
    return [
      said,
      `What is applied now is approved: with emit: live, ${definition} may make real tasks.`,
      `What is left to do: activity-core promote ${definition}`,
    ];
  }
  return [
    said,
    `What is applied now is not approved: ${definition} stays audit, or is audit from now on where it was live.`,
    `Once it is changed, or you think better of it: activity-core promote ${definition}`,
  ];
}
