/** What a run's instructions and reports came to, as whole lines. */
import type { InstructionItem, ReportItem } from '../clients/activity-core-api-shapes.ts';
import { parseJson } from '../clients/parse-json.ts';
import { canonicalJson } from '../core/json.ts';
import { indent, valueLines } from './details.ts';
import { printable, printableJson, printableLines } from './printable.ts';
import { styleOf } from './status-style.ts';
import type { Terminal } from './terminal.ts';

export function instructionLines(terminal: Terminal, instruction: InstructionItem): string[] {
  const { instruction_id, status, reused, output, answers } = instruction;
  const said = reused ? `${status}, with the answer from before` : status;
  return [
    `${printable(instruction_id)} ${terminal.style(status === 'answered' ? 'green' : 'red', printable(said))}`,
    ...indent(answers.flatMap((answer) => answerLines(terminal, answer))),
    ...(output === undefined || output === null
      ? []
      : indent(printableLines(printableJson(asSaid(instruction) ?? output, 2)))),
  ];
}

/** The output with its members in the order in which the model said them: the database does not keep it. */
function asSaid({ answers, output }: InstructionItem): unknown {
  const used = canonicalJson(output);
  const said = answers.flatMap(({ accepted, answer }) => (accepted && answer ? [parseJson(answer)] : []));
  return said.find((value) => value !== undefined && canonicalJson(value) === used);
}

function answerLines(terminal: Terminal, one: InstructionItem['answers'][number]): string[] {
  const { answer, accepted, violations, fault, model, usage, latency_ms } = one;
  const outcome = accepted ? 'accepted' : answer === null ? 'no answer' : 'refused';
  const facts = [
    model,
    usage && `${usage.prompt_tokens} + ${usage.completion_tokens} tokens`,
    latency_ms === null ? null : `${(latency_ms / 1000).toFixed(1)} s`,
  ].filter(Boolean);
  return [
    printable(`${outcome}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}${fault ? `: ${fault}` : ''}`),
    ...indent(violations.map(({ pointer, message }) => printable(`${pointer || '(all of it)'} ${message}`))),
    ...(accepted || answer === null ? [] : indent(valueLines(terminal, { answer }))),
  ];
}

export function reportLines(
  terminal: Terminal,
  { sink, report, status, error, filed }: ReportItem,
): string[] {
  const state = status ?? (error === null ? 'would be filed' : 'cannot be filed');
  const style =
    status === 'filed' ? 'green' : error !== null && status !== 'pending' ? 'red' : styleOf(state);
  const shown = style ? terminal.style(style, printable(state)) : printable(state);
  return [
    `${printable(sink)} ${shown}${error ? printable(`: ${error}`) : ''}`,
    ...indent(valueLines(terminal, { ...report, ...filed })),
  ];
}
