/** `events explain`: the whole story of one event: its decisions, their reasons, their runs, and the tasks of these. */
import type { Command } from 'commander';
import type { ActivityCoreApi } from '../clients/activity-core-api.ts';
import { ApiProblemError } from '../clients/activity-core-api-errors.ts';
import type {
  Decision,
  EventDetail,
  Failure,
  Quarantined,
  RunDetail,
} from '../clients/activity-core-api-shapes.ts';
import { shellWord } from '../core/shell-word.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { count, failureLines, fieldLines, indent, repeatedOf, ruleLines, valueLines } from './details.ts';
import { printable } from './printable.ts';
import { runState, runTaskLines, startText } from './runs-show.ts';
import { styleOf } from './status-style.ts';
import type { Terminal } from './terminal.ts';
import { shortTime } from './time.ts';

export function addEventsExplain(events: Command, cli: Cli): void {
  apiCommand(
    events,
    'explain <event>',
    'what became of one event (its id or event_uid), and why; --json adds its runs to the event',
  ).action(async (uidOrId: string, options: ApiOptions) => {
    const api = await connectApi(cli, options);
    const event = await api.getEvent(uidOrId);
    const runs = await readRuns(api, event);
    if (options.json) printJson(cli.terminal, { ...event, runs });
    else {
      const refused = await findRefused(api, event);
      cli.terminal.print(eventStory(cli.terminal, event, runs, refused).join('\n'));
    }
    cli.end(0);
  });
}

/** The newest message with this id that waits in quarantine. An older service cannot be asked by it: then nothing is told. */
async function findRefused(api: ActivityCoreApi, { id }: EventDetail): Promise<Quarantined | null> {
  try {
    const { items } = await api.listQuarantine({ event_id: id, state: 'open', limit: 1 });
    return items[0] ?? null;
  } catch (error) {
    if (error instanceof ApiProblemError && error.status === 400) return null;
    throw error;
  }
}

/** Oldest first: the runs that were decided, and the retries of these. */
async function readRuns(api: ActivityCoreApi, event: EventDetail): Promise<RunDetail[]> {
  const listed = await api.listRuns({ event_id: event.id, limit: 500 });
  const ofThisEvent = listed.items.filter(
    ({ trigger }) => (trigger.event_uid ?? event.event_uid) === event.event_uid,
  );
  const decided = event.decisions.flatMap(({ run_id }) => run_id ?? []);
  const runIds = new Set([...decided, ...ofThisEvent.map(({ run_id }) => run_id)]);
  const runs: RunDetail[] = [];
  for (const runId of runIds) runs.push(await api.getRun(runId));
  return runs.sort((a, b) => a.started_at.localeCompare(b.started_at));
}

/** `refused`: the newest message with its id that waits in quarantine, which may be another source's. */
function eventStory(
  terminal: Terminal,
  event: EventDetail,
  runs: RunDetail[],
  refused: Quarantined | null,
): string[] {
  const head = fieldLines(terminal, [
    ['type', event.type],
    ['time', `${shortTime(event.time)}, received ${shortTime(event.received_at)}`],
    ['subject', event.stream_seq === null ? event.subject : `${event.subject}, message ${event.stream_seq}`],
    ['event_uid', event.event_uid],
    ['traceparent', event.traceparent ?? null],
    ['repeated', event.duplicates > 0 ? repeatedText(event.duplicates) : null],
    ['refused', refused && refusedText(event, refused)],
  ]);
  const style = styleOf(event.fate);
  return [
    `event ${printable(event.id)} from ${printable(event.source)} ${style ? terminal.style(style, event.fate) : event.fate}`,
    ...indent(head),
    '',
    ...(event.decisions.length === 0 ? [undecidedText(event)] : []),
    ...event.decisions.flatMap((decision) => decisionStory(terminal, decision, runs)),
  ];
}

function repeatedText(duplicates: number): string {
  return `it came ${count(duplicates, 'more time')}, and was not run again`;
}

function refusedText({ id }: EventDetail, { reason }: Quarantined): string {
  return `what also came with this id is in quarantine (${reason}): activity-core quarantine list --event-id ${shellWord(id)}`;
}

function undecidedText({ type }: EventDetail): string {
  return `No definition was enabled for ${printable(type)} when it came, so nothing ran. \`activity-core definitions validate\` lists those of this folder.`;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  fired: 'it ran',
  filtered: 'its filter said no, so it did not run',
  held: 'the definition was paused; it waits for the resume',
  discarded: 'it was held while the definition was paused, and then dropped',
  filter_error: 'its filter could not be evaluated, so its run failed',
};

function decisionStory(terminal: Terminal, decision: Decision, allRuns: RunDetail[]): string[] {
  const { definition_id, outcome, reason, values } = decision;
  const runs = allRuns.filter((run) => run.definition_id === definition_id);
  const hasFailed = outcome === 'fired' && runs.at(-1)?.status === 'failed';
  const style = hasFailed ? styleOf('failed') : styleOf(outcome);
  const shown = style ? terminal.style(style, outcome) : outcome;
  const what = hasFailed ? 'it ran, and the run failed' : (OUTCOMES[outcome] ?? '');
  return [
    `${terminal.style('bold', printable(definition_id))} ${shown}: ${what}`,
    ...indent(reason ? [`because of: ${printable(reason)}`] : []),
    ...indent(
      Object.keys(values).length > 0 ? ['its filter read:', ...indent(valueLines(terminal, values))] : [],
    ),
    ...indent(runs.flatMap((run) => runLines(terminal, run, outcome))),
    '',
  ];
}

/** What the filter read stands above already. */
const OF_THE_FILTER = new Set(['values']);

function runLines(terminal: Terminal, run: RunDetail, outcome: string): string[] {
  const { error } = run;
  const repeated = (failure: Failure) =>
    outcome === 'filter_error' ? OF_THE_FILTER : repeatedOf(failure, run.rules);
  const retry = run.retry_of ? `, a retry of ${run.retry_of}` : '';
  const tasks = run.tasks.length > 0 ? runTaskLines(terminal, run) : ['made no task'];
  return [
    `run ${run.run_id} ${runState(terminal, run)}${retry}`,
    ...indent([
      `started ${startText(run)}, ${run.sink_mode}`,
      ...(error ? failureLines(terminal, error, repeated(error)) : []),
      ...run.rules.flatMap((rule) => ruleLines(terminal, rule)),
      ...tasks,
    ]),
  ];
}
