/** `runs show` */
import type { Command } from 'commander';
import type { Run, RunDetail } from '../clients/activity-core-api-shapes.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { failureLines, fieldLines, indent, repeatedOf, ruleLines, taskLines, valueLines } from './details.ts';
import { printable } from './printable.ts';
import { instructionLines, reportLines } from './run-output-lines.ts';
import { triggerText } from './runs-list.ts';
import { styleOf } from './status-style.ts';
import type { Terminal } from './terminal.ts';
import { shortTime, timeBetween } from './time.ts';

export function addRunsShow(runs: Command, cli: Cli): void {
  apiCommand(runs, 'show <run_id>', 'one run: what started it, what it read, decided and made').action(
    async (runId: string, options: ApiOptions) => {
      const run = await (await connectApi(cli, options)).getRun(runId);
      if (options.json) printJson(cli.terminal, run);
      else cli.terminal.print(runStory(cli.terminal, run).join('\n'));
      cli.end(0);
    },
  );
}

function runStory(terminal: Terminal, run: RunDetail): string[] {
  const { trigger } = run;
  const head = fieldLines(terminal, [
    ['definition', `${run.definition_id} (revision ${run.definition_hash.slice(0, 12)})`],
    ['trigger', triggerText(trigger)],
    ['reason', trigger.reason ?? null],
    ['requested by', trigger.requested_by ?? null],
    ['event_uid', trigger.event_uid ?? null],
    ['started', startText(run)],
    ['sink', run.sink_reason ? `${run.sink_mode}: ${run.sink_reason}` : run.sink_mode],
    ['retry of', run.retry_of],
    ['traceparent', run.traceparent ?? null],
    ['workflow', run.temporal?.workflow_id ?? null],
  ]);
  return [
    `run ${run.run_id} ${runState(terminal, run)}`,
    ...indent(head),
    ...(run.error
      ? ['', 'Why it failed', ...indent(failureLines(terminal, run.error, repeatedOf(run.error, run.rules)))]
      : []),
    ...section('What it read', run.context ? valueLines(terminal, contextOf(run.context)) : []),
    ...section(
      'Rules',
      run.rules.flatMap((rule) => ruleLines(terminal, rule)),
    ),
    ...(run.instructions.length > 0
      ? section(
          'Instructions',
          run.instructions.flatMap((one) => instructionLines(terminal, one)),
        )
      : []),
    ...section('Tasks', runTaskLines(terminal, run)),
    ...(run.reports.length > 0
      ? section(
          'Reports',
          run.reports.flatMap((one) => reportLines(terminal, one)),
        )
      : []),
    ...(run.reviews?.length ? section('Reviews', reviewLines(run.reviews)) : []),
    ...(run.feedback?.length ? section('Feedback', feedbackLines(run.feedback)) : []),
    ...nextLines(run),
  ];
}

function reviewLines(reviews: NonNullable<RunDetail['reviews']>): string[] {
  return reviews.map(({ verdict, reviewer, reviewed_at, note }) =>
    printable(`${verdict} by ${reviewer} ${shortTime(reviewed_at)}${note ? `: ${note}` : ''}`),
  );
}

function feedbackLines(feedback: NonNullable<RunDetail['feedback']>): string[] {
  return feedback.map(({ verdict, requested_by, at, note, state_hub }) => {
    const said = `${verdict}, by ${requested_by} ${shortTime(at)}${note ? `: ${note}` : ''}`;
    return printable(state_hub === 'pending' ? `${said} (State Hub does not have it yet)` : said);
  });
}

function nextLines({ run_id, status, tasks, retried_as }: RunDetail): string[] {
  if (status === 'running') return [];
  const isPending = tasks.some((task) => task.status === 'pending');
  return [
    ...(retried_as ? ['', retriedText(retried_as)] : []),
    ...(status === 'failed' && (!retried_as || retried_as.status === 'failed')
      ? ['', `Once the cause is mended: activity-core runs retry ${retried_as?.run_id ?? run_id}`]
      : []),
    ...(isPending ? ['', `To send only what is pending: activity-core tasks resume --run ${run_id}`] : []),
  ];
}

function retriedText({ run_id, status }: NonNullable<RunDetail['retried_as']>): string {
  return `It was retried as run ${run_id} (${status}): activity-core runs show ${run_id}`;
}

export function runState(terminal: Terminal, { status }: Run): string {
  const style = styleOf(status);
  return style ? terminal.style(style, status) : status;
}

export function startText({ started_at, finished_at }: Run): string {
  const at = shortTime(started_at);
  if (!finished_at) return `${at}, not finished`;
  const took = timeBetween(started_at, finished_at);
  return took === null ? at : `${at}, took ${took}`;
}

export function runTaskLines(terminal: Terminal, { tasks }: RunDetail): string[] {
  return tasks.flatMap((task) =>
    taskLines(terminal, task.task_ref ? `${task.status} ${task.task_ref}` : task.status, task.spec),
  );
}

function contextOf(context: RunDetail['context'] & object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(context).map(([name, value]) => [`context.${name}`, value]));
}

function section(title: string, lines: string[]): string[] {
  return ['', title, ...indent(lines.length > 0 ? lines : ['none'])];
}
