/**
 * A run and the outputs of its instructions as Markdown for people. The words are a model's, and may be those of a
 * stranger that it read: none of them begins a heading, a rule, a list, HTML, code, a link or an image.
 */
import { cut } from '../core/expression-values.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { ReportedRun } from './report-sink.ts';

const NEEDS_REVIEW = '**Needs review before anybody acts on it.**';
const NOTHING = 'none';
/** Lists inside each other; what is deeper stands there as JSON. */
const MAX_DEPTH = 8;
const LONGEST_HEADING = 200;

export function outputsInMarkdown(run: ReportedRun): string {
  const parts = [`# ${inline(run.title)}`];
  if (run.review_required) parts.push(NEEDS_REVIEW);
  parts.push(factsOf(run));
  for (const [id, output] of Object.entries(run.instructions)) {
    parts.push(`## ${heading(id)}`, ...(isObject(output) ? sections(output) : [block(output, 0)]));
  }
  return parts.join('\n\n');
}

function factsOf({ run_id, definition_id, scheduled_for, started_at, task_count }: ReportedRun): string {
  const when = scheduled_for === null ? [] : [`scheduled for ${scheduled_for}`];
  const tasks = `${task_count === 0 ? 'no' : task_count} ${task_count === 1 ? 'task' : 'tasks'}`;
  return inline([`Run ${run_id} of ${definition_id}`, ...when, `started at ${started_at}`, tasks].join(', '));
}

function sections(output: JsonObject): string[] {
  const members = Object.entries(output);
  if (members.length === 0) return [NOTHING];
  return members.flatMap(([name, value]) => [`### ${heading(name)}`, block(value, 0)]);
}

function block(value: Json, depth: number): string {
  if (Array.isArray(value) && value.length > 0) return list(value, depth);
  if (isObject(value) && Object.keys(value).length > 0) return memberList(Object.entries(value), depth);
  return typeof value === 'string' ? paragraphs(value) : scalar(value);
}

/** Things with members are numbered, so that people can speak of "the second one". */
function list(elements: Json[], depth: number): string {
  if (depth >= MAX_DEPTH) return asJson(elements);
  const numbered = elements.some((element) => isObject(element));
  return elements
    .map((element, index) => {
      const content = isObject(element) ? elementOf(element, depth + 1) : block(element, depth + 1);
      return item(numbered ? `${index + 1}. ` : '- ', content);
    })
    .join('\n');
}

/** Its first plain member leads, the others stand below it. */
function elementOf(element: JsonObject, depth: number): string {
  const members = Object.entries(element);
  const lead = members.find(([, value]) => typeof value !== 'object');
  if (!lead) return block(element, depth);
  const others = members.filter((one) => one !== lead);
  const line = member(lead, depth);
  return others.length > 0 ? `${line}\n${memberList(others, depth)}` : line;
}

function memberList(members: [string, Json][], depth: number): string {
  if (depth >= MAX_DEPTH) return asJson(Object.fromEntries(members));
  return members.map((one) => item('- ', member(one, depth + 1))).join('\n');
}

function member([name, value]: [string, Json], depth: number): string {
  const content = block(value, depth);
  const isNested = typeof value === 'object' && value !== null && content !== NOTHING;
  return `**${heading(name)}:**${isNested ? '\n' : ' '}${content}`;
}

/** The lines after the first belong to the item where they are indented as far as its text. */
function item(marker: string, content: string): string {
  const indent = ' '.repeat(marker.length);
  return marker + content.replaceAll(/\n(?=[^\n])/g, `\n${indent}`);
}

function scalar(value: Json): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'number' ? String(value) : NOTHING;
}

/** Its lines stay lines: two spaces at the end of one say so. */
function paragraphs(text: string): string {
  const kept = linesOf(text)
    .map((line) => inline(line))
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .replaceAll(/(?<!\n)\n(?!\n)/g, '  \n')
    .trim();
  return kept || NOTHING;
}

const linesOf = (text: string): string[] => text.split(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/);

const asJson = (value: Json): string => inline(JSON.stringify(value));

/** `top_items` → `Top items`. */
function heading(name: string): string {
  const words = cut(name, LONGEST_HEADING)
    .replaceAll(/([a-z\d])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`)
    .replaceAll(/[_-]+/g, ' ');
  const line = inline(words).replaceAll('*', '\\*');
  return line.charAt(0).toUpperCase() + line.slice(1) || NOTHING;
}

/** One line of text as Markdown that reads as this text. */
function inline(text: string): string {
  return text
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .replaceAll(/[\\`<[]|&(?=[#a-z])/gi, '\\$&')
    .replace(/^(?:[#>~=|]|[-+*](?= |$)|[-*_](?=[-*_ ]*$))/, '\\$&')
    .replace(/^(\d{1,9})([.)])(?= |$)/, '$1\\$2');
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
