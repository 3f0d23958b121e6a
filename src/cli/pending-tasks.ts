/** What `tasks resume` and `tasks discard` have in common: whose tasks, and that they are previewed. */
import type { Command } from 'commander';
import type { PendingTasks, PendingTasksRequest } from '../clients/activity-core-api-live.ts';
import type { Task } from '../clients/activity-core-api-shapes.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { count } from './details.ts';
import { printable } from './printable.ts';
import { type Column, printTable } from './table.ts';
import { shortTime } from './time.ts';
import { tellUnknownDefinition } from './unknown-name.ts';
import { UsageError } from './usage-error.ts';

interface Options extends ApiOptions {
  run?: string;
  definition?: string;
  all?: boolean;
  dryRun?: boolean;
  yes?: boolean;
}

/** What is told of one of them; `tasks` is as in `3 tasks`. */
export interface PendingWording {
  nothing: string;
  preview(tasks: string): string;
  done(tasks: string): string;
  /** Said after `done`. */
  next(filters: string): string;
}

export type AskPending = (
  api: Awaited<ReturnType<typeof connectApi>>,
  request: PendingTasksRequest,
) => Promise<PendingTasks>;

export function addPendingTasks(
  tasks: Command,
  cli: Cli,
  name: 'resume' | 'discard',
  { description, ask, wording }: { description: string; ask: AskPending; wording: PendingWording },
): void {
  apiCommand(tasks, name, description)
    .option('--run <run_id>', 'those of this run')
    .option('--definition <id>', 'those of this definition')
    .option('--all', 'all of them')
    .option('--dry-run', 'only show them, as without --yes')
    .option('--yes', 'do it; without this, they are only shown')
    .action(async (options: Options) => {
      const filters = filtersOf(options);
      const dry_run = options.yes !== true || options.dryRun === true;
      const { run, definition } = options;
      const request = {
        ...(run !== undefined && { run_id: run }),
        ...(definition !== undefined && { definition_id: definition }),
        dry_run,
      };
      const api = await connectApi(cli, options);
      const found = await ask(api, request);
      if (options.json) printJson(cli.terminal, found);
      else tell(cli, found, { name, filters, dry_run, wording });
      if (found.count === 0) await tellUnknownDefinition(cli.terminal, api, definition);
      cli.end(0);
    });
}

/** As they were given, to be given again. @throws UsageError */
function filtersOf({ run, definition, all }: Options): string {
  const filters = [run && `--run ${run}`, definition && `--definition ${definition}`].filter(Boolean);
  if (all && filters.length > 0)
    throw new UsageError('--all is everybody’s; leave out --run and --definition');
  if (all) return '--all';
  if (filters.length > 0) return filters.join(' ');
  throw new UsageError('whose tasks? expected --run, --definition or --all');
}

function tell(
  { terminal }: Cli,
  { count: n, items, skipped = [] }: PendingTasks,
  {
    name,
    filters,
    dry_run,
    wording,
  }: { name: string; filters: string; dry_run: boolean; wording: PendingWording },
): void {
  for (const { definition_id, count: some, reason } of skipped)
    terminal.print(
      `${count(some, 'task')} of ${printable(definition_id)} stay pending: ${printable(reason)}`,
    );
  const tasks = count(n, 'pending task');
  if (n === 0) terminal.print(wording.nothing);
  else if (dry_run) {
    printTable(terminal, COLUMNS, items);
    if (items.length < n) terminal.print(terminal.style('dim', `and ${n - items.length} older ones`));
    const how = `activity-core tasks ${name} ${filters} --yes`;
    terminal.print(`${wording.preview(tasks)} Nothing was changed; to do it: ${how}`);
  } else terminal.print(`${wording.done(tasks)}\n${wording.next(filters)}`);
}

const COLUMNS: Column<Task>[] = [
  { title: 'CREATED', value: ({ created_at }) => shortTime(created_at) },
  { title: 'TITLE', value: ({ spec }) => spec.title, least: 20 },
  { title: 'ATTEMPTS', value: ({ attempts }) => String(attempts), align: 'right' },
  { title: 'DEFINITION', value: ({ definition_id }) => definition_id, least: 12 },
  { title: 'RUN', value: ({ run_id }) => run_id },
];
