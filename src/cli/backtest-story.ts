/** A backtest for people: the verdict, what was compared, and each kind of difference with a few examples. */
import type { BacktestReport, Difference, Example, Note } from '../backtest/report.ts';
import type { TaskSpec } from '../core/decision.ts';
import { type Field, failureLines, fieldLines, indent, valueLines } from './details.ts';
import { printable, printableJson } from './printable.ts';
import { cutTo } from './table.ts';
import type { Style, Terminal } from './terminal.ts';
import { shortTime } from './time.ts';

export function backtestStory(terminal: Terminal, report: BacktestReport): string[] {
  return [
    terminal.style(
      'bold',
      `${printable(report.definition_id)} as in ${printable(report.file)}, against what was recorded`,
    ),
    verdictOf(terminal, report),
    ...notComparedLines(terminal, report),
    '',
    ...indent(fieldLines(terminal, headOf(report))),
    ...indent(report.notes.map((note) => terminal.style('yellow', NOTES[note]))),
    ...report.differences.flatMap((one) => ['', ...differenceLines(terminal, report, one)]),
  ];
}

const NOTES: Readonly<Record<Note, string>> = {
  never_applied: 'It is not applied: everything that it would do is new.',
  would_be_disabled: 'The file says enabled: false, and it is enabled now: nothing would start it.',
  evaluated_as_if_enabled: 'The file says enabled: false; this is what it would do if it were enabled.',
  schedule_changed:
    'The schedule is another one: times that it shares with the applied one are compared, others are new or gone.',
};

function headOf(report: BacktestReport): Field[] {
  const { since, until, asked_since, applied_hash, definition_hash, specs, earlier_revisions } = report;
  const { hourly_limit, not_compared } = report;
  const passedOver = Object.entries(not_compared).map(
    ([reason, n]) => `${number(n)} ${PASSED_OVER[reason] ?? reason}`,
  );
  return [
    ['window', `${shortTime(since)} to ${shortTime(until)}`],
    [
      '',
      asked_since && `not from ${shortTime(asked_since)} on: what is older has been deleted (RETENTION_DAYS)`,
    ],
    [
      'file',
      definition_hash === applied_hash
        ? `${short(definition_hash)}, which is applied`
        : short(definition_hash),
    ],
    ['applied', applied_hash === definition_hash ? null : applied_hash ? short(applied_hash) : 'no'],
    ['read', readText(report)],
    ['compared', number(report.compared)],
    [
      '',
      earlier_revisions > 0
        ? `${number(earlier_revisions)} of them were decided by an earlier revision than the applied one`
        : null,
    ],
    ['passed over', passedOver.length > 0 ? passedOver.join('; ') : null],
    [
      'specs',
      [
        `${number(specs.recorded)} recorded, ${number(specs.now)} now, ${number(specs.unchanged)} the same`,
        ...(specs.kept > 0 ? [`${number(specs.kept)} that a retry kept as they had been sent`] : []),
      ].join(', '),
    ],
    [
      'hourly limit',
      hourly_limit?.would_pause_at
        ? `${number(hourly_limit.max_tasks_per_hour)} tasks: it would pause at ${shortTime(hourly_limit.would_pause_at)}; what comes after is compared as if it went on`
        : null,
    ],
  ];
}

const PASSED_OVER: Readonly<Record<string, string>> = {
  not_decided: 'that it was not there for, or disabled',
  no_run: 'without a run on record',
  running: 'whose run is not over',
  missed: 'missed',
  overlapped: 'overlapped',
  paused: 'paused',
  held: 'held, which the file lets through as well',
  discarded: 'discarded, which the file lets through as well',
  instruction_failed: 'whose model did not answer then',
  resolver_failed: 'whose sources did not answer then',
};

function readText({ events, ticks }: BacktestReport): string {
  const parts = [
    ...(events > 0 ? [counted(events, 'event')] : []),
    ...(ticks > 0 ? [counted(ticks, 'tick')] : []),
  ];
  return parts.length > 0
    ? parts.join(' and ')
    : 'no event and no tick of this window; runs by hand do not count';
}

function verdictOf(terminal: Terminal, report: BacktestReport): string {
  const { specs, outcomes_changed, new_failures, not_reproducible, compared, is_changed, hourly_limit } =
    report;
  const told = [
    ...(new_failures > 0 ? [terminal.style('red', `${number(new_failures)} would FAIL that did not`)] : []),
    ...(specs.gone > 0 ? [terminal.style('red', `${counted(specs.gone, 'spec')} gone`)] : []),
    ...(specs.added > 0 ? [terminal.style('green', `${counted(specs.added, 'spec')} added`)] : []),
    ...(specs.changed > 0 ? [terminal.style('yellow', `${counted(specs.changed, 'spec')} changed`)] : []),
    ...(outcomes_changed > 0 ? [`${counted(outcomes_changed, 'outcome')} changed`] : []),
    ...(hourly_limit?.is_new ? [terminal.style('red', 'a pause by the hourly limit')] : []),
    ...(not_reproducible > 0
      ? [terminal.style('yellow', `${number(not_reproducible)} that CANNOT BE TOLD from the record`)]
      : []),
  ];
  const list = told.join(', ');
  const untold = compared === 0 ? 'Nothing could be compared' : 'What could be compared is the same';
  const verdict = is_changed
    ? `It would not have been the same: ${list}.`
    : not_reproducible > 0
      ? `${untold}, and there are ${list}.`
      : sameText(terminal, report);
  return `${verdict} Nothing was written or sent.`;
}

function sameText(terminal: Terminal, { compared, events, ticks }: BacktestReport): string {
  if (compared > 0) return terminal.style('green', 'It would have done the same.');
  return events + ticks > 0
    ? terminal.style('yellow', 'Nothing could be compared: all of it was passed over.')
    : 'There was nothing to compare.';
}

/** What the verdict does not speak of. */
function notComparedLines(terminal: Terminal, { not_compared_fields }: BacktestReport): string[] {
  if (not_compared_fields.length === 0) return [];
  const fields = printable(not_compared_fields.join(', '));
  return [terminal.style('yellow', `Also changed, and not compared: ${fields}.`)];
}

const SIGNS: Readonly<Record<Difference['kind'], [sign: string, style: Style]>> = {
  failing: ['!', 'red'],
  outcome: ['>', 'cyan'],
  gone: ['-', 'red'],
  added: ['+', 'green'],
  changed: ['~', 'yellow'],
  not_reproducible: ['?', 'yellow'],
};

function differenceLines(terminal: Terminal, report: BacktestReport, one: Difference): string[] {
  const [sign, style] = SIGNS[one.kind];
  const { recorded_expression: before, expression: now } = one;
  const expressions: Field[] =
    before === now
      ? [['says', now]]
      : [
          ['applied', before ?? '(none)'],
          ['file', now ?? '(none)'],
        ];
  return [
    terminal.style(style, `${sign} ${inputsText(report, one)}: ${printable(whatOf(one))}${specsText(one)}`),
    ...indent(before === null && now === null ? [] : fieldLines(terminal, expressions)),
    ...one.examples.flatMap((example) => indent(exampleLines(terminal, example))),
    ...indent(restText(terminal, one)),
  ];
}

function whatOf({ kind, rule_id, reason, name, recorded_outcome, outcome, fields }: Difference): string {
  if (kind === 'not_reproducible') return OBSTACLES[reason ?? '']?.(name ?? '') ?? `${reason} ${name}`;
  if (reason === 'rule_removed') return `rule ${rule_id} is not in the file`;
  if (reason === 'rule_new') return `rule ${rule_id} is new`;
  if (kind === 'gone') return `rule ${rule_id} makes it no more`;
  if (kind === 'added') return `rule ${rule_id} makes it now`;
  if (kind === 'changed') return `rule ${rule_id} makes it with another ${fields.join(', ')}`;
  const rule = rule_id ? ` in rule ${rule_id}` : '';
  const before = name ? ` in ${name}` : '';
  return `${OUTCOMES[recorded_outcome] ?? recorded_outcome}${before} → ${OUTCOMES[outcome ?? ''] ?? outcome}${rule}`;
}

const OUTCOMES: Readonly<Record<string, string>> = {
  not_decided: 'nothing',
  not_triggered: 'another trigger',
  not_due: 'not due',
};

const OBSTACLES: Readonly<Record<string, (name: string) => string>> = {
  context_source_new: (name) => `${name} was not read then, and is not asked now`,
  context_source_changed: (name) => `${name} was read with other params, and is not asked now`,
  context_not_recorded: (name) => `${name} is not on record, since nothing ran`,
  instruction_new: (name) => `the model was never asked instruction ${name}`,
  instruction_changed: (name) => `instruction ${name} is another one, and the model is not asked`,
  prompt_changed: (name) => `the prompt of instruction ${name} reads other data, and the model is not asked`,
  answer_not_recorded: (name) => `no answer to instruction ${name} is on record`,
};

function specsText({ kind, specs: { added, gone, changed } }: Difference): string {
  const told = [
    ...(gone > 0 ? [`${counted(gone, 'spec')} gone`] : []),
    ...(added > 0 ? [`${counted(added, 'spec')} added`] : []),
    ...(changed > 0 ? [`${counted(changed, 'spec')} changed`] : []),
  ];
  if (told.length > 0) return `; ${told.join(', ')}`;
  return kind === 'not_reproducible' ? '' : '; no spec';
}

function exampleLines(terminal: Terminal, example: Example): string[] {
  const { event, scheduled_for, run_id, values, error, added, gone, changed } = example;
  const input = event
    ? `event ${event.id} from ${event.source}, ${shortTime(event.received_at)}`
    : `tick ${shortTime(scheduled_for ?? '')}`;
  return [
    `e.g. ${printable(input)}${run_id ? `, run ${run_id}` : ''}`,
    ...indent([
      ...(error ? failureLines(terminal, { ...error }) : valueLines(terminal, values)),
      ...gone.map((spec) => terminal.style('red', `- ${titleOf(spec)}`)),
      ...added.map((spec) => terminal.style('green', `+ ${titleOf(spec)}`)),
      ...changed.flatMap(({ title, fields }) => [
        `~ ${printable(title)}`,
        ...indent(fields.flatMap((field) => fieldChangeLines(terminal, field))),
      ]),
    ]),
  ];
}

function fieldChangeLines(
  terminal: Terminal,
  { field, recorded, now }: Example['changed'][number]['fields'][number],
) {
  const width = Math.max(20, (terminal.columns ?? Number.POSITIVE_INFINITY) - 12);
  return [
    terminal.style('red', cutTo(`- ${field}: ${printableJson(recorded, 0)}`, width)),
    terminal.style('green', cutTo(`+ ${field}: ${printableJson(now, 0)}`, width)),
  ];
}

function restText(terminal: Terminal, { inputs, examples }: Difference): string[] {
  const rest = inputs - examples.length;
  return rest > 0 && examples.length > 0 ? [terminal.style('dim', `and ${number(rest)} more like it`)] : [];
}

function inputsText({ events, ticks }: BacktestReport, { inputs, examples }: Difference): string {
  const noun =
    examples.length > 0
      ? examples[0]?.event
        ? 'event'
        : 'tick'
      : events > 0 && ticks > 0
        ? 'input'
        : events > 0
          ? 'event'
          : 'tick';
  return counted(inputs, noun);
}

const titleOf = ({ title, target_repo }: TaskSpec): string =>
  printable(target_repo ? `${title} (${target_repo})` : title);
const short = (hash: string): string => hash.slice(0, 12);
const number = (n: number): string => n.toLocaleString('en');
const counted = (n: number, noun: string): string => `${number(n)} ${noun}${n === 1 ? '' : 's'}`;
