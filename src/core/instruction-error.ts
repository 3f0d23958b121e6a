import type { RunError } from './decision.ts';
import type { Json, JsonObject } from './json.ts';

export interface InstructionFailure {
  /** As in `prompt` or `tasks[0].task.title`. */
  path: string;
  expression: string;
  message: string;
  values: JsonObject;
  /** The element of a list that it happened with. */
  element?: { position: number; item: Json };
}

/** What is wrong with the expressions of an instruction: it fails the run, as a rule's do (contract 3). */
export function instructionError(
  instructionId: string,
  { path, expression, message, values, element }: InstructionFailure,
): RunError {
  const details: JsonObject = { instruction_id: instructionId, path, expression, values, ...element };
  return { code: 'rule_error', message: `instruction ${instructionId}, ${path}: ${message}`, details };
}
