/** The parts that a run, an event's story and a dry run are told with. Each gives whole lines. */
import type { Failure, RuleTrace, TaskSpec } from '../clients/activity-core-api-shapes.ts';
import { MISSING } from '../core/expression-values.ts';
import { printable, printableJson, printableLines } from './printable.ts';
import { styleOf } from './status-style.ts';
import { cutTo } from './table.ts';
import type { Terminal } from './terminal.ts';

/** What is null is left out. */
export type Field = [name: string, value: string | null];

export function fieldLines(terminal: Terminal, fields: Field[]): string[] {
  const shown = fields.filter((field): field is [string, string] => field[1] !== null);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${terminal.style('dim', name.padEnd(width))}  ${printable(value)}`);
}

export function ruleLines(terminal: Terminal, rule: RuleTrace): string[] {
  const list = rule.values[rule.expression];
  const isEmpty = Array.isArray(list) && list.length === 0;
  const evaluated = isEmpty ? 'has an empty list to go through' : `is ${rule.result}`;
  const said = rule.result === null ? 'could not be evaluated' : evaluated;
  const colour = rule.result === null ? 'red' : rule.result ? 'green' : 'dim';
  const lines = [`${printable(rule.rule_id)} ${terminal.style(colour, said)}: ${printable(rule.expression)}`];
  if (rule.item !== undefined)
    lines.push(...indent(valueLines(terminal, { [rule.as ?? 'item']: rule.item })));
  lines.push(...indent(valueLines(terminal, rule.values)));
  return lines;
}

/** `path = JSON`, each on a line of its own; of what was not there, that. */
export function valueLines(terminal: Terminal, values: Readonly<Record<string, unknown>>): string[] {
  const width = Math.max(20, (terminal.columns ?? Number.POSITIVE_INFINITY) - 8);
  return Object.entries(values).map(([path, value]) =>
    terminal.style('dim', cutTo(`${printable(path)} ${valueText(value)}`, width)),
  );
}

const valueText = (value: unknown): string =>
  value === MISSING ? 'is missing' : `= ${printableJson(value, 0)}`;

/** `state`: what became of it, as in `created issue-12`. */
export function taskLines(terminal: Terminal, state: string, spec: TaskSpec): string[] {
  const style = styleOf(state.split(' ')[0] ?? '');
  const facts = [
    spec.target_repo && `for ${spec.target_repo}`,
    spec.priority && `priority ${spec.priority}`,
    spec.labels?.length && `labels ${spec.labels.join(', ')}`,
    spec.dedupe_key && `dedupe key ${spec.dedupe_key}`,
  ].filter(Boolean);
  const shownState = printable(state);
  return [
    `${style ? terminal.style(style, shownState) : shownState}: ${terminal.style('bold', printable(spec.title))}`,
    ...indent(printableLines(spec.description ?? '').filter(Boolean)),
    ...indent(facts.length > 0 ? [terminal.style('dim', printable(facts.join(', ')))] : []),
  ];
}

/** `repeated`: details that stand in the same story elsewhere. */
export function failureLines(
  terminal: Terminal,
  failure: Failure,
  repeated: ReadonlySet<string> = new Set(),
): string[] {
  const [first = '', ...others] = printableLines(failure.message);
  const told = Object.entries(detailsOf(failure)).filter(([name]) => !repeated.has(name));
  return [
    `${terminal.style('red', printable(failure.code))}: ${first}`,
    ...indent(others),
    ...indent(
      told.flatMap(([name, value]) => valueLines(terminal, isRead(name, value) ? value : { [name]: value })),
    ),
  ];
}

const OF_A_RULE = new Set(['rule_id', 'path', 'expression', 'values', 'item', 'as']);

/** What a failure repeats of the rule that could not be evaluated, where its trace is among these. */
export function repeatedOf(failure: Failure, rules: readonly RuleTrace[]): ReadonlySet<string> {
  const { rule_id, expression } = detailsOf(failure);
  const isTraced = rules.some(
    (rule) => rule.result === null && rule.rule_id === rule_id && rule.expression === expression,
  );
  return isTraced ? OF_A_RULE : new Set();
}

type Details = Readonly<Record<string, unknown>>;

const isRead = (name: string, value: unknown): value is Details => name === 'values' && isObject(value);

const detailsOf = ({ details }: Failure): Details => (isObject(details) ? details : {});

const isObject = (value: unknown): value is Details =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function indent(lines: readonly string[], by = 2): string[] {
  return lines.map((line) => (line ? ' '.repeat(by) + line : line));
}

export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
