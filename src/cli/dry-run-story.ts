/** What a dry run would do, for `dry-run` and `runs retry --dry-run`. */
import type { DryRun } from '../clients/activity-core-api-shapes.ts';
import { type Cli, type ExitCode, printJson } from './cli.ts';
import { count, failureLines, indent, repeatedOf, ruleLines, taskLines, valueLines } from './details.ts';
import { printable } from './printable.ts';
import { instructionLines, reportLines } from './run-output-lines.ts';
import type { Terminal } from './terminal.ts';

/** The exit code: 1 where it would fail. */
export function printDryRun(
  { terminal }: Pick<Cli, 'terminal'>,
  dryRun: DryRun,
  json: boolean | undefined,
): ExitCode {
  if (json) printJson(terminal, dryRun);
  else terminal.print(dryRunStory(terminal, dryRun).join('\n'));
  return dryRun.errors.length === 0 ? 0 : 1;
}

function dryRunStory(terminal: Terminal, dryRun: DryRun): string[] {
  const { rules, tasks, instructions, reports, errors } = dryRun;
  const made = tasks.length === 0 ? 'no task' : count(tasks.length, 'task');
  const verdict =
    errors.length === 0
      ? terminal.style('green', `It would complete, with ${made}.`)
      : terminal.style('red', 'It would fail, and no task would go out.');
  return [
    `Dry run: nothing was written or sent. ${verdict}`,
    ...filterLines(terminal, dryRun),
    ...(rules.length > 0 ? ['', 'Rules', ...indent(rules.flatMap((rule) => ruleLines(terminal, rule)))] : []),
    ...(instructions.length > 0
      ? ['', 'Instructions', ...indent(instructions.flatMap((one) => instructionLines(terminal, one)))]
      : []),
    ...(tasks.length > 0
      ? [
          '',
          'Tasks',
          ...indent(tasks.flatMap(({ rule_id, spec }) => taskLines(terminal, `by ${rule_id}`, spec))),
        ]
      : []),
    ...(reports.length > 0
      ? ['', 'Reports', ...indent(reports.flatMap((one) => reportLines(terminal, one)))]
      : []),
    ...(errors.length > 0
      ? [
          '',
          'Errors',
          ...indent(errors.flatMap((error) => failureLines(terminal, error, repeatedOf(error, rules)))),
        ]
      : []),
  ];
}

/** A filter that lets the event pass needs no word. */
function filterLines(terminal: Terminal, { filter }: DryRun): string[] {
  if (!filter || filter.result) return [];
  const said =
    filter.result === null
      ? `the filter fails, and so would its run: ${printable(filter.message ?? '')}`
      : 'no run would start: the filter says no';
  return [
    terminal.style('yellow', `That is a run by hand. Were this event published, ${said}.`),
    ...indent([`filter ${printable(filter.expression)}`, ...indent(valueLines(terminal, filter.values))]),
  ];
}
