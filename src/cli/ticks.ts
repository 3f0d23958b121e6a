/** `ticks`: when schedules were due, and what became of it. */
import { type Command, Option } from 'commander';
import type { Tick } from '../clients/activity-core-api-shapes.ts';
import { apiCommand, type Cli, connectApi } from './cli.ts';
import { type PageOptions, printList, withPage } from './list-output.ts';
import { styleOf } from './status-style.ts';
import type { Column } from './table.ts';
import { parseMoment, shortTime } from './time.ts';
import { tellUnknownDefinition } from './unknown-name.ts';

interface Options extends PageOptions {
  definition?: string;
  outcome?: string;
  since?: string;
  until?: string;
}

export function addTicks(program: Command, cli: Cli): void {
  withPage(apiCommand(program, 'ticks', 'when schedules were due, and what became of it; newest first'))
    .option('--definition <id>', 'only of this definition')
    .addOption(
      new Option('--outcome <outcome>', 'only with this outcome').choices([
        'fired',
        'overlapped',
        'missed',
        'paused',
      ]),
    )
    .option('--since <time>', 'only scheduled since: RFC 3339, or a while ago (30m, 2h, 7d)')
    .option('--until <time>', 'only scheduled for before')
    .action(async (options: Options) => {
      const { definition, outcome, since, until, limit, cursor } = options;
      const now = cli.now();
      const query = {
        definition_id: definition,
        outcome,
        since: since && parseMoment('--since', since, now),
        until: until && parseMoment('--until', until, now),
        limit,
        cursor,
      };
      const api = await connectApi(cli, options);
      const page = await api.listTicks(query);
      printList(cli.terminal, { page, columns: COLUMNS, empty: EMPTY, json: options.json });
      if (page.items.length === 0) await tellUnknownDefinition(cli.terminal, api, definition);
      cli.end(0);
    });
}

const EMPTY =
  'No ticks. Try fewer filters; a tick that may still start is not listed yet; `activity-core definitions list` tells when each schedule is due next.';

const COLUMNS: Column<Tick>[] = [
  { title: 'SCHEDULED FOR', value: ({ scheduled_for }) => shortTime(scheduled_for) },
  { title: 'OUTCOME', value: ({ outcome }) => outcome, style: ({ outcome }) => styleOf(outcome) },
  { title: 'DEFINITION', value: ({ definition_id }) => definition_id, least: 12 },
  { title: 'RUN', value: ({ run_id }) => run_id ?? '' },
  { title: 'REASON', value: ({ reason }) => reason ?? '', least: 20 },
];
