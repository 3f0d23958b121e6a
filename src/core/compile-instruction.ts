/** An instruction's prompt and task templates, checked against the types of what they read. */
import { type CompiledList, compileList } from './compile-at.ts';
import type { Definition, Instruction } from './definition.ts';
import type { Scope } from './expression.ts';
import { type CelType, typeOfSchema } from './expression-types.ts';
import type { JsonObject } from './json.ts';
import type { SchemaCheck } from './json-schema.ts';
import { type CompiledPrompt, compilePrompt } from './prompt.ts';
import { inDeclaredOrder } from './schema-order.ts';
import { type CompiledTask, compileTask, hasFault, type Problem } from './task-template.ts';

export interface CompiledInstruction {
  id: string;
  review_required: boolean;
  temperature: number | undefined;
  max_tokens: number;
  /** Its members in the order of `required`: that is the order in which a model fills them in. */
  output_schema: JsonObject;
  prompt: CompiledPrompt;
  /** What lists of tasks are compiled in: with `output`. */
  scope: Scope;
  tasks: CompiledInstructionTask[];
}

export interface CompiledInstructionTask extends CompiledList {
  /** The instruction's id for the first template, `<id>.<n>` for the others. */
  rule_id: string;
  task: CompiledTask;
}

const TAKEN = ['event', 'context', 'run', 'instructions', 'output'];

/** `scope`: with `event`, `context` and `run`. What does not compile is left out, and added to `problems`. */
export function compileInstructions(
  instructions: readonly Instruction[],
  scope: Scope,
  problems: Problem[],
): CompiledInstruction[] {
  const compiled = instructions.map((instruction, i) =>
    compileInstruction(instruction, instructions.slice(0, i), scope, ['instructions', i], problems),
  );
  return compiled.filter((instruction) => instruction !== null);
}

/** The scope with the outputs of these instructions. */
export function withOutputs(scope: Scope, instructions: readonly Instruction[]): Scope {
  const fields = new Map<string, CelType>();
  for (const { id, output_schema } of instructions) fields.set(id, typeOfSchema(output_schema));
  return scope.with('instructions', { kind: 'object', fields, rest: null });
}

/** What makes their schemas unusable, with paths from the definition. */
export function findSchemaProblems({ instructions }: Definition, check: SchemaCheck): Problem[] {
  return instructions.flatMap(({ output_schema }, i) =>
    check(output_schema).map(({ path, message }) => ({
      path: ['instructions', i, 'output_schema', ...path],
      offset: null,
      message,
    })),
  );
}

function compileInstruction(
  instruction: Instruction,
  earlier: readonly Instruction[],
  scope: Scope,
  path: (string | number)[],
  problems: Problem[],
): CompiledInstruction | null {
  const { id, review_required, temperature, max_tokens, output_schema } = instruction;
  const before = problems.length;
  const prompt = compilePrompt(instruction, withOutputs(scope, earlier), path, problems);
  const ofOutput = withOutputs(scope, [...earlier, instruction]).with('output', typeOfSchema(output_schema));
  const tasks = instruction.tasks.map((task, n) =>
    compileInstructionTask(task, n === 0 ? id : `${id}.${n}`, ofOutput, [...path, 'tasks', n], problems),
  );
  if (hasFault(problems.slice(before)) || !prompt) return null;
  return {
    id,
    review_required,
    temperature,
    max_tokens,
    output_schema: inDeclaredOrder(output_schema),
    prompt,
    scope: ofOutput,
    tasks: tasks.filter((task) => task !== null),
  };
}

function compileInstructionTask(
  template: Instruction['tasks'][number],
  rule_id: string,
  scope: Scope,
  path: (string | number)[],
  problems: Problem[],
): CompiledInstructionTask | null {
  const { list, as, scope: inner } = compileList(template, scope, TAKEN, path, problems);
  const task = compileTask(template.task, inner, [...path, 'task'], problems);
  return list && task && { rule_id, list, as, scope: inner, task };
}
