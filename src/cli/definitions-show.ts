/** `definitions show` */
import type { Command } from 'commander';
import type { DefinitionItem } from '../clients/activity-core-api-shapes.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { stateOf, triggerText } from './definitions-list.ts';
import { type Field, fieldLines, indent } from './details.ts';
import { printable } from './printable.ts';
import { styleOf } from './status-style.ts';
import type { Terminal } from './terminal.ts';
import { shortTime, zonedTime } from './time.ts';

export function addDefinitionsShow(definitions: Command, cli: Cli): void {
  apiCommand(definitions, 'show <definition>', 'one of them: trigger, policy, last and next run').action(
    async (definitionId: string, options: ApiOptions) => {
      const definition = await (await connectApi(cli, options)).getDefinition(definitionId);
      if (options.json) printJson(cli.terminal, definition);
      else cli.terminal.print(definitionStory(cli.terminal, definition).join('\n'));
      cli.end(0);
    },
  );
}

function definitionStory(terminal: Terminal, definition: DefinitionItem): string[] {
  const { document, emit, sink_mode, sink_reason } = definition;
  const { limits, expect, on_duplicate = null } = document;
  const state = stateOf(definition);
  const style = styleOf(state);
  const head: Field[] = [
    ['title', definition.title],
    ['owner', definition.owner],
    ['revision', definition.definition_hash.slice(0, 12)],
    ['problem', definition.problem ?? null],
    ['trigger', triggerText(definition)],
    ['filter', definition.trigger.event?.filter ?? null],
    ['pause reason', definition.pause_reason],
    ['last run', lastRunText(definition)],
    ['next run', nextRunText(definition)],
    ['emit', emit],
    ['sink', sink_reason ? `${sink_mode}: ${sink_reason}` : sink_mode],
    ['on duplicate', on_duplicate],
    ['expected', expect ? `a completed run every ${expect.run_every}` : null],
    ['tasks a run', limits ? `at most ${limits.max_tasks_per_run}` : null],
    ['tasks an hour', limits?.max_tasks_per_hour ? `at most ${limits.max_tasks_per_hour}` : null],
  ];
  return [
    `definition ${printable(definition.definition_id)} ${style ? terminal.style(style, state) : state}`,
    ...indent(fieldLines(terminal, head)),
    ...section('Schedule', policyLines(terminal, definition)),
    ...section(
      'What it reads',
      (document.context_sources ?? []).map(({ type, bind_to }) => printable(`${bind_to} from ${type}`)),
    ),
    ...section(
      'Rules',
      (document.rules ?? []).flatMap(({ id, condition, task }) => [
        `${printable(id)}: ${printable(condition)}`,
        ...indent([terminal.style('dim', printable(`task: ${task.title}`))]),
      ]),
    ),
  ];
}

function lastRunText({ last_run }: DefinitionItem): string {
  return last_run ? `${last_run.status} ${shortTime(last_run.started_at)}, run ${last_run.run_id}` : 'none';
}

/** In UTC and, where that is another one, in the schedule's zone. */
function nextRunText({ next_run, schedule }: DefinitionItem): string | null {
  if (!next_run) return schedule ? 'none' : null;
  if (!schedule || schedule.timezone === 'UTC') return shortTime(next_run);
  return `${shortTime(next_run)} (${zonedTime(next_run, schedule.timezone)})`;
}

function policyLines(terminal: Terminal, { schedule }: DefinitionItem): string[] {
  if (!schedule) return [];
  return fieldLines(terminal, [
    ['cron', schedule.cron],
    ['every', schedule.every],
    ['timezone', schedule.timezone],
    ['overlap', schedule.overlap],
    ['catchup_window', schedule.catchup_window],
    ['jitter', schedule.jitter],
  ]);
}

function section(title: string, lines: string[]): string[] {
  return lines.length > 0 ? ['', title, ...indent(lines)] : [];
}
