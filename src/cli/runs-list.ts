/** `runs list` */
import { type Command, Option } from 'commander';
import type { Run } from '../clients/activity-core-api-shapes.ts';
import { apiCommand, type Cli, connectApi } from './cli.ts';
import { type PageOptions, printList, withPage } from './list-output.ts';
import { styleOf } from './status-style.ts';
import type { Column } from './table.ts';
import { parseMoment, shortTime } from './time.ts';
import { tellUnknownDefinition } from './unknown-name.ts';

interface Options extends PageOptions {
  definition?: string;
  status?: string;
  trigger?: string;
  eventId?: string;
  since?: string;
  until?: string;
}

export function addRunsList(runs: Command, cli: Cli): void {
  withPage(apiCommand(runs, 'list', 'runs, newest first'))
    .option('--definition <id>', 'only of this definition')
    .addOption(
      new Option('--status <status>', 'only in this state').choices([
        'running',
        'completed',
        'failed',
        'missed',
      ]),
    )
    .addOption(
      new Option('--trigger <kind>', 'only started by this').choices([
        'event',
        'schedule',
        'manual',
        'retry',
      ]),
    )
    .option('--event-id <id>', "only of the event with this id (the envelope's)")
    .option('--since <time>', 'only started since: RFC 3339, or a while ago (30m, 2h, 7d)')
    .option('--until <time>', 'only started before')
    .action(async (options: Options) => {
      const { definition, status, trigger, eventId, since, until, limit, cursor } = options;
      const now = cli.now();
      const query = {
        definition_id: definition,
        status,
        trigger,
        event_id: eventId,
        since: since && parseMoment('--since', since, now),
        until: until && parseMoment('--until', until, now),
        limit,
        cursor,
      };
      const api = await connectApi(cli, options);
      const page = await api.listRuns(query);
      printList(cli.terminal, { page, columns: COLUMNS, empty: EMPTY, json: options.json });
      if (page.items.length === 0) await tellUnknownDefinition(cli.terminal, api, definition);
      cli.end(0);
    });
}

const EMPTY =
  'No runs. Try fewer filters, publish an event with `activity-core publish FILE`, or see what was refused with `activity-core quarantine list`.';

const COLUMNS: Column<Run>[] = [
  { title: 'STARTED', value: ({ started_at }) => shortTime(started_at) },
  { title: 'RUN', value: ({ run_id }) => run_id },
  { title: 'STATUS', value: ({ status }) => status, style: ({ status }) => styleOf(status) },
  { title: 'TASKS', value: ({ task_count }) => String(task_count), align: 'right' },
  { title: 'SINK', value: ({ sink_mode }) => sink_mode },
  { title: 'DEFINITION', value: ({ definition_id }) => definition_id, least: 12 },
  { title: 'TRIGGER', value: ({ trigger }) => triggerText(trigger), least: 10 },
  { title: 'ERROR', value: ({ error }) => error?.code ?? '' },
];

/** `event 01J…`, `schedule 2026-11-20 06:00:00Z`, `manual by api`. */
export function triggerText({ kind, event_id, scheduled_for, requested_by }: Run['trigger']): string {
  if (scheduled_for) return `${kind} ${shortTime(scheduled_for)}`;
  if (event_id) return `${kind} ${event_id}`;
  return requested_by ? `${kind} by ${requested_by}` : kind;
}
