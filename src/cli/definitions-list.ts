/** `definitions list` */
import type { Command } from 'commander';
import type { DefinitionItem } from '../clients/activity-core-api-shapes.ts';
import { apiCommand, type Cli, connectApi } from './cli.ts';
import { type PageOptions, printList, withPage } from './list-output.ts';
import { styleOf } from './status-style.ts';
import type { Column } from './table.ts';
import { shortTime } from './time.ts';

export function addDefinitionsList(definitions: Command, cli: Cli): void {
  withPage(apiCommand(definitions, 'list', 'the applied definitions, by id')).action(
    async (options: PageOptions) => {
      const { limit, cursor } = options;
      const page = await (await connectApi(cli, options)).listDefinitions({ limit, cursor });
      printList(cli.terminal, { page, columns: COLUMNS, empty: EMPTY, json: options.json });
      cli.end(0);
    },
  );
}

const EMPTY =
  'No definitions are applied. `activity-core definitions apply` applies those of DEFINITIONS_DIR.';

const COLUMNS: Column<DefinitionItem>[] = [
  { title: 'DEFINITION', value: ({ definition_id }) => definition_id },
  { title: 'TRIGGER', value: triggerText, least: 16 },
  { title: 'STATE', value: stateOf, style: (definition) => styleOf(stateOf(definition)) },
  {
    title: 'LAST RUN',
    value: ({ last_run }) => (last_run ? `${shortTime(last_run.started_at)} ${last_run.status}` : ''),
    style: ({ last_run }) => (last_run ? styleOf(last_run.status) : null),
  },
  { title: 'NEXT RUN', value: ({ next_run }) => (next_run ? shortTime(next_run) : '') },
];

/** `cron 15 6 * * * Europe/Berlin`, `every 2s`, `event kaizen.metrics.recorded`, `manual`. */
export function triggerText({ trigger: { event, schedule } }: DefinitionItem): string {
  if (event) return `event ${event.type}`;
  if (!schedule) return 'manual';
  if (schedule.every !== undefined) return `every ${schedule.every}`;
  const { cron, timezone = 'UTC' } = schedule;
  return timezone === 'UTC' ? `cron ${cron}` : `cron ${cron} ${timezone}`;
}

export function stateOf({ enabled, paused }: DefinitionItem): 'enabled' | 'disabled' | 'paused' {
  if (!enabled) return 'disabled';
  return paused ? 'paused' : 'enabled';
}
