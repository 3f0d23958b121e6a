/** What a run says that failed because the model gave no answer, or none that can be used. */
import type { RunError } from '../core/decision.ts';
import { cut, TRUNCATED } from '../core/expression-values.ts';
import type { Violation } from '../core/output-schema.ts';

export function instructionFailed(
  instruction_id: string,
  message: string,
  details: RunError['details'],
): RunError {
  return {
    code: 'instruction_failed',
    message: `instruction \`${instruction_id}\`: ${message}`,
    details: { instruction_id, ...details },
  };
}

/** `last_fault`: why the last of them has no answer. */
export function overBudget(
  { used, last_fault }: { used: number; last_fault: string | null },
  limit: number,
): string {
  const last = last_fault === null ? '' : ` (the last time: ${shortened(last_fault)})`;
  return `its run and all retries of it have asked the model ${used} times already${last}, and limits.max_model_calls_per_run is ${limit}; set that higher, apply the definition and retry the run`;
}

const MAX_TOLD = 3;
const MAX_DETAILED = 20;
const LONGEST_TOLD = 300;

/** What was wrong with the first answer, and with the one after it. */
export function refusedTwice(instruction_id: string, [first, again]: [Violation[], Violation[]]): RunError {
  return {
    code: 'instruction_invalid',
    message: `instruction \`${instruction_id}\`: the model answered twice outside the output_schema, first: ${wordingOf(first)}; asked again: ${wordingOf(again)}. Both answers are kept on the run`,
    details: {
      instruction_id,
      violations: [first, again].map((violations) =>
        violations
          .slice(0, MAX_DETAILED)
          .map(({ pointer, message }) => ({ pointer, message: shortened(message) })),
      ),
    },
  };
}

function wordingOf(violations: Violation[]): string {
  const told = violations
    .slice(0, MAX_TOLD)
    .map(({ pointer, message }) => shortened(`${pointer || 'the answer'} ${message}`));
  const more = violations.length - told.length;
  return [...told, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

const shortened = (text: string): string =>
  text.length > LONGEST_TOLD ? cut(text, LONGEST_TOLD) + TRUNCATED : text;
