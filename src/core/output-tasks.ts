/** A model's answer, validated → task drafts. What is in it is text: nothing of it is evaluated. */
import type { CompiledInstruction, CompiledInstructionTask } from './compile-instruction.ts';
import type { BindingsWithOutputs, RunError, TaskDraft } from './decision.ts';
import type { Bound } from './expression.ts';
import { shown } from './expression-values.ts';
import { type InstructionFailure, instructionError } from './instruction-error.ts';
import type { Json } from './json.ts';
import { renderTask } from './task-template.ts';

/** `wanted`: how many tasks the answer asks for; those beyond `limit` are counted and not rendered. */
export type DraftedTasks = { ok: true; tasks: TaskDraft[]; wanted: number } | { ok: false; error: RunError };

/** Templates in order, elements in order; the first error ends it. */
export function draftTasks(
  instruction: CompiledInstruction,
  { event, context, run, instructions }: BindingsWithOutputs,
  output: Json,
  limit: number,
): DraftedTasks {
  const outputs = { ...instructions, [instruction.id]: output };
  const bound = instruction.scope.bind({ event, context, run: { ...run }, instructions: outputs, output });
  const tasks: TaskDraft[] = [];
  let wanted = 0;
  for (const [n, template] of instruction.tasks.entries()) {
    const listed = listOf(template, bound);
    if (!listed.ok) return fail(instruction, n, listed.failure);
    for (const [position, item] of listed.items.entries()) {
      wanted++;
      if (wanted > limit) continue;
      const rendered = renderTask(template.task, template.scope.bind({ [template.as]: item }, bound));
      if (!rendered.ok)
        return fail(instruction, n, { ...rendered, element: { position, item: shown(item) } });
      const { rule_id } = template;
      const { review_required } = instruction;
      const { spec } = rendered;
      tasks.push({ rule_id, position, dedupe_key: spec.dedupe_key, spec, review_required });
    }
  }
  return { ok: true, tasks, wanted };
}

type Listed = { ok: true; items: Json[] } | { ok: false; failure: InstructionFailure };

function listOf({ list }: CompiledInstructionTask, bound: Bound): Listed {
  const evaluation = list.evaluate(bound);
  if (evaluation.ok) return { ok: true, items: evaluation.value as Json[] };
  return { ok: false, failure: { ...evaluation, path: 'for_each', expression: list.source } };
}

function fail({ id }: CompiledInstruction, n: number, failure: InstructionFailure): DraftedTasks {
  return { ok: false, error: instructionError(id, { ...failure, path: `tasks[${n}].${failure.path}` }) };
}
