/** How `smoke llm-connect` tells what it found. */
import type { TokenUsage } from '../clients/llm-connect.ts';
import type { Json } from '../core/json.ts';
import type { Violation } from '../core/output-schema.ts';
import { type Field, fieldLines, indent } from './details.ts';
import { printable, printableLines } from './printable.ts';
import { cutTo } from './table.ts';
import type { Terminal } from './terminal.ts';

/** `schema_invalid`: answered, but not as asked. `no_answer`: refused, unreadable or not reachable. */
export type SmokeVerdict = 'schema_valid' | 'schema_invalid' | 'no_answer';

export interface SmokeResult {
  verdict: SmokeVerdict;
  url: string;
  /** As the endpoint calls it. */
  model: string | null;
  latency_ms: number;
  usage: TokenUsage | null;
  finish_reason: string | null;
  /** The answer, where it fits. */
  output: Json;
  violations: Violation[];
  /** The text of an answer that does not fit. */
  answer: string | null;
  /** What happened instead of a fitting answer, and what to do next. */
  message: string | null;
}

const MOST_VIOLATIONS = 10;
const MOST_LINES = 12;
const LONGEST_LINE = 500;

export function smokeStory(terminal: Terminal, result: SmokeResult): string[] {
  const { url, model, latency_ms, usage, finish_reason } = result;
  const hasAnswered = result.verdict !== 'no_answer';
  const fields: Field[] = [
    ['endpoint', url],
    ['model', hasAnswered ? (model ?? 'not told') : null],
    ['latency', `${(latency_ms / 1000).toFixed(1)} s`],
    ['tokens', hasAnswered ? tokensTold(usage) : null],
    ['finish reason', hasAnswered ? (finish_reason ?? 'not told') : null],
  ];
  const said = result.verdict === 'schema_valid' ? outputLines(result.output) : failureLines(result);
  const parts = [fieldLines(terminal, fields), said, [verdictLine(terminal, result)]];
  return parts.filter((part) => part.length > 0).flatMap((part, at) => (at > 0 ? ['', ...part] : part));
}

function tokensTold(usage: SmokeResult['usage']): string {
  return usage
    ? `${usage.prompt_tokens} in the prompt, ${usage.completion_tokens} in the answer`
    : 'not told';
}

function outputLines(output: Json): string[] {
  return indent(shortened(printableLines(JSON.stringify(output, null, 2)), 60));
}

function failureLines({ verdict, violations, answer }: SmokeResult): string[] {
  const told = violations.slice(0, MOST_VIOLATIONS).map(({ pointer, message }) => {
    return `${printable(pointer) || '(the whole answer)'}: ${printable(message)}`;
  });
  const more = violations.length - told.length;
  if (more > 0) told.push(`and ${more} more`);
  if (!answer) return verdict === 'no_answer' ? [] : [...told, 'it said nothing'];
  return [...told, 'it said:', ...indent(shortened(printableLines(answer), MOST_LINES))];
}

function shortened(lines: readonly string[], most: number): string[] {
  const kept = lines.slice(0, most).map((line) => cutTo(line, LONGEST_LINE));
  return lines.length > most ? [...kept, '…'] : kept;
}

function verdictLine(terminal: Terminal, { verdict, message }: SmokeResult): string {
  if (verdict === 'schema_valid') return terminal.style('green', 'The answer fits the schema.');
  const what =
    verdict === 'schema_invalid' ? 'The answer does not fit the schema' : 'There is no answer to check';
  return `${terminal.style('red', what)}: ${printable(message ?? '')}`;
}
