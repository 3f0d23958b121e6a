/** `tasks list`: the spawn log. */
import { type Command, Option } from 'commander';
import type { Task } from '../clients/activity-core-api-shapes.ts';
import { apiCommand, type Cli, connectApi } from './cli.ts';
import { type PageOptions, printList, withPage } from './list-output.ts';
import { styleOf } from './status-style.ts';
import type { Column } from './table.ts';
import { shortTime } from './time.ts';
import { tellUnknownDefinition } from './unknown-name.ts';

interface Options extends PageOptions {
  run?: string;
  definition?: string;
  status?: string;
  dedupeKey?: string;
}

const STATUSES = ['audited', 'pending', 'created', 'duplicate', 'failed', 'discarded'];

export function addTasksList(tasks: Command, cli: Cli): void {
  withPage(apiCommand(tasks, 'list', 'task specs and what became of them, newest first'))
    .option('--run <run_id>', 'only of this run')
    .option('--definition <id>', 'only of this definition')
    .addOption(new Option('--status <status>', 'only in this state').choices(STATUSES))
    .option('--dedupe-key <key>', 'only with this dedupe key')
    .action(async (options: Options) => {
      const { run, definition, status, dedupeKey, limit, cursor } = options;
      const query = {
        run_id: run,
        definition_id: definition,
        status,
        dedupe_key: dedupeKey,
        limit,
        cursor,
      };
      const api = await connectApi(cli, options);
      const page = await api.listTasks(query);
      printList(cli.terminal, { page, columns: COLUMNS, empty: EMPTY, json: options.json });
      if (page.items.length === 0) await tellUnknownDefinition(cli.terminal, api, definition);
      cli.end(0);
    });
}

const EMPTY = 'No tasks. Try fewer filters; `activity-core runs list` shows which runs made none.';

const COLUMNS: Column<Task>[] = [
  { title: 'CREATED', value: ({ created_at }) => shortTime(created_at) },
  { title: 'STATUS', value: ({ status }) => status, style: ({ status }) => styleOf(status) },
  { title: 'REF', value: ({ task_ref }) => task_ref ?? '-' },
  { title: 'TITLE', value: ({ spec }) => spec.title, least: 20 },
  { title: 'DEFINITION', value: ({ definition_id }) => definition_id, least: 12 },
  { title: 'RUN', value: ({ run_id }) => run_id },
];
