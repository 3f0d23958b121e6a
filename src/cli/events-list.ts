/** `events list`: what was accepted. */
import { type Command, Option } from 'commander';
import type { EventItem } from '../clients/activity-core-api-shapes.ts';
import { apiCommand, type Cli, connectApi } from './cli.ts';
import { type PageOptions, printList, withPage } from './list-output.ts';
import { styleOf } from './status-style.ts';
import type { Column } from './table.ts';
import { shortTime } from './time.ts';
import { tellUnknownType } from './unknown-name.ts';

interface Options extends PageOptions {
  type?: string;
  fate?: string;
  id?: string;
  source?: string;
}

export function addEventsList(events: Command, cli: Cli): void {
  withPage(apiCommand(events, 'list', 'accepted events, newest first'))
    .option('--type <type>', 'only of this type')
    .addOption(new Option('--fate <fate>', 'only with this fate').choices(['accepted', 'unmatched']))
    .option('--id <id>', 'only with this id')
    .option('--source <source>', 'only from this source')
    .action(async (options: Options) => {
      const { type, fate, id, source, limit, cursor } = options;
      const api = await connectApi(cli, options);
      const page = await api.listEvents({ type, fate, id, source, limit, cursor });
      printList(cli.terminal, { page, columns: COLUMNS, empty: EMPTY, json: options.json });
      if (page.items.length === 0) await tellUnknownType(cli.terminal, api, type);
      cli.end(0);
    });
}

const EMPTY =
  'No events. Try fewer filters; what was refused stands in `activity-core quarantine list`; `activity-core publish FILE` sends one.';

const COLUMNS: Column<EventItem>[] = [
  { title: 'RECEIVED', value: ({ received_at }) => shortTime(received_at) },
  { title: 'FATE', value: ({ fate }) => fate, style: ({ fate }) => styleOf(fate) },
  { title: 'TYPE', value: ({ type }) => type, least: 16 },
  { title: 'SOURCE', value: ({ source }) => source, least: 10 },
  { title: 'ID', value: ({ id }) => id },
  { title: 'REPEATED', value: ({ duplicates }) => String(duplicates), align: 'right' },
];
