/** A plan, or what an apply did, for people: a block for each change. */
import type { PlanAnswer } from '../clients/activity-core-api-plan.ts';
import { formatError, formatWarning } from '../definitions/errors.ts';
import { type Cli, type ExitCode, printJson } from './cli.ts';
import { indent } from './details.ts';
import { printable, printableJson } from './printable.ts';
import type { Style, Terminal } from './terminal.ts';
import { zonedTime } from './time.ts';

type Change = PlanAnswer['changes'][number];

const STYLES: Readonly<Record<string, Style>> = {
  create: 'green',
  enable: 'green',
  update: 'cyan',
  disable: 'yellow',
  drift: 'yellow',
  prune: 'red',
};

export interface Told {
  /** Said where there is nothing. */
  empty: string;
  /** Said at the end where there is something. */
  end: string;
}

/** The exit code: 1 where files are invalid. */
export function printPlan(
  { terminal }: Cli,
  plan: PlanAnswer,
  json: boolean | undefined,
  { empty, end }: Told,
): ExitCode {
  const warnings = (plan.warnings ?? []).map((warning) =>
    terminal.style('yellow', printable(formatWarning(warning))),
  );
  if (json) printJson(terminal, plan);
  else if (plan.errors.length > 0) {
    terminal.print('The definitions are invalid; nothing is applied:');
    for (const error of plan.errors) terminal.print(`  ${printable(formatError(error))}`);
    for (const warning of warnings) terminal.print(`  ${warning}`);
  } else {
    const isEmpty = plan.changes.length + plan.event_types.length === 0;
    const lines = isEmpty ? [empty] : [...planLines(terminal, plan), '', end];
    terminal.print([...warnings, ...(warnings.length > 0 ? [''] : []), ...lines].join('\n'));
  }
  return plan.errors.length > 0 ? 1 : 0;
}

function planLines(terminal: Terminal, { changes, event_types }: PlanAnswer): string[] {
  return [
    ...event_types.flatMap(({ action, type, fields }) => [
      `${actionText(terminal, action)} event type ${printable(type)}`,
      ...indent(fieldLines(fields ?? [])),
    ]),
    ...changes.flatMap((change) => [
      `${actionText(terminal, change.action)} ${terminal.style('bold', printable(change.definition_id))}`,
      ...indent(changeLines(terminal, change)),
    ]),
  ];
}

function changeLines(terminal: Terminal, change: Change): string[] {
  const { fields, next_fire_times, timezone } = change;
  const times = next_fire_times.map((time) => zonedTime(time, timezone ?? 'UTC'));
  return [
    ...fieldLines(fields),
    ...sinkLines(terminal, change),
    ...times.map((time, at) => terminal.style('dim', `${at === 0 ? 'next' : '    '} ${time}`)),
  ];
}

const fieldLines = (fields: Change['fields']): string[] =>
  fields.map(({ path, from, to }) => `${printable(path) || '(whole)'}: ${shown(from)} → ${shown(to)}`);

/** Told where it matters: a definition that audits says so itself. */
function sinkLines(terminal: Terminal, { emit, sink_mode, sink_reason }: Change): string[] {
  if (emit !== 'live') return [];
  if (sink_mode === 'live') return [`sink: ${terminal.style('green', 'live')}`];
  return [terminal.style('yellow', `sink: audit, although emit: live: ${printable(sink_reason ?? '')}`)];
}

function actionText(terminal: Terminal, action: string): string {
  const style = STYLES[action];
  const text = printable(action).padEnd('disable'.length);
  return style ? terminal.style(style, text) : text;
}

const shown = (value: unknown): string => (value === null ? '(none)' : printable(printableJson(value, 0)));
