/** The instructions of a run, one after the other: each is asked, checked, and its tasks are drafted. The first that fails ends it. */
import type { CompiledDefinition } from '../core/compile.ts';
import type { CompiledInstruction } from '../core/compile-instruction.ts';
import type { Bindings, RunError, TaskDraft } from '../core/decision.ts';
import type { InstructionRecord } from '../core/instruction-record.ts';
import type { JsonObject } from '../core/json.ts';
import { draftTasks } from '../core/output-tasks.ts';
import { renderPrompt } from '../core/prompt.ts';
import type { AskModel, ModelRun } from './ask-model.ts';

/** Requests to the model over a run and its retries, where the definition does not say. */
const MAX_MODEL_CALLS = 10;

export interface Model {
  ask: AskModel;
  run: ModelRun;
  signal?: AbortSignal | undefined;
}

export interface Instructed {
  instructions: InstructionRecord[];
  /** By instruction id; what reports see. */
  outputs: JsonObject;
  tasks: TaskDraft[];
  error: RunError | null;
  /** Nothing speaks against asking the same later. */
  retryable: boolean;
  retry_after_ms: number | null;
}

/** `tasks`: of the rules; they count towards `max_tasks_per_run` too. */
export async function instruct(
  { definition, instructions }: CompiledDefinition,
  bindings: Bindings,
  tasks: readonly TaskDraft[],
  model: Model,
): Promise<Instructed> {
  const so_far: Instructed = {
    instructions: [],
    outputs: {},
    tasks: [...tasks],
    error: null,
    retryable: false,
    retry_after_ms: null,
  };
  const { max_tasks_per_run: limit, max_model_calls_per_run: maxCalls = MAX_MODEL_CALLS } = definition.limits;
  let wanted = tasks.length;
  for (const instruction of instructions) {
    const seen = { ...bindings, instructions: so_far.outputs };
    const asked = await askOne(instruction, seen, model, maxCalls);
    if (asked.record) so_far.instructions.push(asked.record);
    if (!asked.ok) return { ...so_far, ...asked.failure };
    const drafted = draftTasks(instruction, seen, asked.output, Math.max(limit - wanted, 0));
    if (!drafted.ok) return { ...so_far, error: drafted.error };
    wanted += drafted.wanted;
    so_far.tasks.push(...drafted.tasks);
    so_far.outputs[instruction.id] = asked.output;
  }
  if (wanted <= limit) return so_far;
  const message = `the run wants ${wanted} tasks; max_tasks_per_run allows ${limit}`;
  return { ...so_far, error: { code: 'task_limit_exceeded', message, details: { limit, wanted } } };
}

type AskedOne =
  | { ok: true; record: InstructionRecord; output: JsonObject[string] }
  | {
      ok: false;
      record: InstructionRecord | null;
      failure: Pick<Instructed, 'error' | 'retryable' | 'retry_after_ms'>;
    };

async function askOne(
  instruction: CompiledInstruction,
  bindings: Parameters<typeof renderPrompt>[1],
  { ask, run, signal }: Model,
  maxCalls: number,
): Promise<AskedOne> {
  const rendered = renderPrompt(instruction.prompt, bindings);
  if (!rendered.ok) {
    const failure = { error: rendered.error, retryable: false, retry_after_ms: null };
    return { ok: false, record: null, failure };
  }
  const asked = await ask({
    run,
    instruction,
    prompt: rendered.prompt,
    maxCalls,
    ...(signal && { signal }),
  });
  const { record } = asked;
  if (asked.kind === 'answered') return { ok: true, record, output: asked.output };
  const retryable = asked.kind === 'unavailable';
  const retry_after_ms = asked.kind === 'unavailable' ? asked.retry_after_ms : null;
  return { ok: false, record, failure: { error: asked.error, retryable, retry_after_ms } };
}
