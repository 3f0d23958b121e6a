/** `quarantine list`: what was refused. */
import { type Command, Option } from 'commander';
import type { Quarantined, QuarantinePage } from '../clients/activity-core-api-shapes.ts';
import { apiCommand, type Cli, connectApi } from './cli.ts';
import { type PageOptions, printList, withPage } from './list-output.ts';
import { styleOf } from './status-style.ts';
import type { Column } from './table.ts';
import { shortTime } from './time.ts';

interface Options extends PageOptions {
  eventId?: string;
  state?: string;
  reason?: string;
}

export function addQuarantineList(quarantine: Command, cli: Cli): void {
  withPage(apiCommand(quarantine, 'list', 'refused events, newest first'))
    .option('--event-id <id>', 'only messages of the event with this id')
    .addOption(new Option('--state <state>', 'only in this state').choices(['open', 'redriven', 'discarded']))
    .option('--reason <code>', 'only refused for this, as in invalid_attributes')
    .action(async (options: Options) => {
      const { eventId: event_id, state, reason, limit, cursor } = options;
      const query = { event_id, state, reason, limit, cursor };
      const page = await (await connectApi(cli, options)).listQuarantine(query);
      printList(cli.terminal, { page, columns: COLUMNS, empty: EMPTY, json: options.json });
      if (!options.json && page.overflow?.length) cli.terminal.print(overflowText(page.overflow));
      cli.end(0);
    });
}

const EMPTY = 'Nothing in quarantine. `activity-core events list` shows what was accepted.';

function overflowText(overflow: NonNullable<QuarantinePage['overflow']>): string {
  const counts = overflow.map(
    ({ reason, count, first_at, last_at }) =>
      `${reason} ${count} (${shortTime(first_at)} to ${shortTime(last_at)})`,
  );
  return `Counted and not kept, since quarantine was full: ${counts.join(', ')}. Redrive or discard what is open, or raise QUARANTINE_MAX_BYTES.`;
}

const COLUMNS: Column<Quarantined>[] = [
  { title: 'RECEIVED', value: ({ received_at }) => shortTime(received_at) },
  { title: 'ID', value: ({ id }) => id },
  { title: 'EVENT', value: ({ event_id }) => event_id ?? '', least: 12 },
  { title: 'STATE', value: ({ state }) => state, style: ({ state }) => styleOf(state) },
  { title: 'REASON', value: ({ reason }) => reason },
  { title: 'SUBJECT', value: ({ subject }) => subject, least: 16 },
  { title: 'BYTES', value: ({ size }) => String(size), align: 'right' },
  { title: 'WHY', value: ({ violations }) => whyText(violations), least: 20 },
];

function whyText([first, ...others]: Quarantined['violations']): string {
  if (!first) return '';
  return `${first.pointer} ${first.message}${others.length > 0 ? ` (and ${others.length} more)` : ''}`.trim();
}
