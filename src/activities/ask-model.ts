/**
 * One instruction → an answer that its schema allows (contract 8). An answer is on record before it is used, and an accepted
 * one is asked for once in a chain of retries. No transaction is open while the model works.
 */
import type { Answer, Completion, CompletionRequest, LlmConnectClient } from '../clients/llm-connect.ts';
import type { CompiledInstruction } from '../core/compile-instruction.ts';
import type { RunError } from '../core/decision.ts';
import { contentSha256 } from '../core/document.ts';
import type { AnswerRecord, InstructionRecord } from '../core/instruction-record.ts';
import type { Json, JsonObject } from '../core/json.ts';
import {
  type ChatMessage,
  type CheckedOutput,
  type OutputCheck,
  reaskMessages,
  type Violation,
} from '../core/output-schema.ts';
import type { Prompt } from '../core/prompt.ts';
import {
  type CallEnding,
  type CallResult,
  type InstructionCall,
  NO_RESULT,
  type Question,
} from '../store/instruction-calls.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { CallJournal } from './call-journal.ts';
import { instructionFailed, overBudget, refusedTwice } from './model-failure.ts';

export interface ModelRun {
  run_id: string;
  definition_id: string;
  /** Of the first run of the chain: its retries have the same. */
  origin_trigger_key: string;
  /** The revision that it is pinned to. */
  definition_hash: string;
}

export interface AskModelInput {
  run: ModelRun;
  instruction: Pick<
    CompiledInstruction,
    'id' | 'review_required' | 'output_schema' | 'temperature' | 'max_tokens'
  >;
  prompt: Prompt;
  /** Of the chain, over all of its instructions. */
  maxCalls: number;
  /** Ends the exchange early: `unavailable` then. */
  signal?: AbortSignal;
}

/** `unavailable`: it may work later; the error is what the run fails with where nobody tries again. */
export type Asked =
  | { kind: 'answered'; record: InstructionRecord; output: Json }
  | { kind: 'invalid' | 'failed'; record: InstructionRecord; error: RunError }
  | { kind: 'unavailable'; record: InstructionRecord; error: RunError; retry_after_ms: number | null };

/** Throws only where the journal does. */
export type AskModel = (input: AskModelInput) => Promise<Asked>;

export interface AskModelDeps {
  /** Null where LLM_CONNECT_URL is not set, or nobody is to be asked: only what is on record is used then. */
  llmConnect: LlmConnectClient | null;
  /** Why nobody is asked. */
  whyNobody?: string;
  checkOutput: OutputCheck;
  journal: CallJournal;
  logger: Logger;
}

export function createAskModel(deps: AskModelDeps): AskModel {
  const { llmConnect, checkOutput, journal, logger, whyNobody = 'LLM_CONNECT_URL is not set' } = deps;
  return async function askModel(input) {
    const { run, instruction, prompt, maxCalls, signal } = input;
    const { id: instruction_id, output_schema } = instruction;
    const question: Question = { ...run, instruction_id };
    const log = logger.child({ run_id: run.run_id, definition_id: run.definition_id, instruction_id });
    const askedHere = new Set<number>();

    // Each turn but the last puts a call on record that counts.
    for (;;) {
      const used = await findUsable();
      if (used) return { kind: 'answered', record: await recordOf('answered', used), output: used.output };
      const next = nextRequest(prompt, await journal.listOfRun(question));
      if (next.is === 'refused_twice') {
        const error = refusedTwice(instruction_id, next.violations);
        return { kind: 'invalid', record: await recordOf('invalid'), error };
      }
      if (!llmConnect) return failed(whyNobody);
      if (signal?.aborted) return unavailable('it was given up before the model was asked');
      const begun = await journal.begin(question, { prompt_hash: next.prompt_hash, maxCalls });
      if (!begun.ok) return failed(overBudget(begun, maxCalls), { calls: begun.used, limit: maxCalls });
      askedHere.add(begun.call_id);
      const completion = await llmConnect.complete(requestOf(input, next.messages));
      const ending = endingOf(completion, (answer) => checkOutput(output_schema, answer.text, answer.ending));
      await journal.end(question, begun.call_id, ending);
      logCall(log, completion, ending);
      if (completion.kind === 'answered') continue;
      const { message, status, retryable, retry_after_ms } = completion;
      return retryable ? unavailable(message, { status }, retry_after_ms) : failed(message, { status });
    }

    /** Checked once more: another version may have written it. */
    async function findUsable(): Promise<UsableAnswer | null> {
      for (const call of await journal.listAccepted(question)) {
        const checked = checkOutput(output_schema, call.answer ?? '');
        if (checked.ok) return { call, output: checked.value };
        log.warn({ call_id: call.call_id }, 'an accepted answer does not fit the schema; it is not used');
      }
      return null;
    }

    async function recordOf(
      status: InstructionRecord['status'],
      used?: UsableAnswer,
    ): Promise<InstructionRecord> {
      return {
        instruction_id,
        status,
        review_required: instruction.review_required,
        reused: used !== undefined && !askedHere.has(used.call.call_id),
        // Of what was really sent: that of an earlier run names that run.
        prompt_hash: used && used.call.run_id !== run.run_id ? used.call.prompt_hash : prompt.prompt_hash,
        output: used?.output ?? null,
        answers: answersOf(await journal.listOfRun(question), used?.call),
      };
    }

    async function failed(message: string, details: JsonObject = {}): Promise<Asked> {
      const error = instructionFailed(instruction_id, message, details);
      return { kind: 'failed', record: await recordOf('failed'), error };
    }

    async function unavailable(
      message: string,
      details: JsonObject = {},
      retry_after_ms: number | null = null,
    ): Promise<Asked> {
      const error = instructionFailed(instruction_id, message, details);
      return { kind: 'unavailable', record: await recordOf('failed'), error, retry_after_ms };
    }
  };
}

interface UsableAnswer {
  call: InstructionCall;
  output: Json;
}

type Next =
  | ({ is: 'ask' } & Prompt)
  | { is: 'refused_twice'; violations: [first: Violation[], again: Violation[]] };

/** The hash of what was sent tells the question from the one that follows a refused answer. */
function nextRequest({ messages, prompt_hash }: Prompt, calls: InstructionCall[]): Next {
  const refusedAnswerTo = (hash: string) =>
    calls.find((call) => call.outcome === 'refused' && call.prompt_hash === hash);
  const first = refusedAnswerTo(prompt_hash);
  if (!first) return { is: 'ask', messages, prompt_hash };
  const violations = first.violations ?? [];
  const reask = reaskMessages(messages, first.answer ?? '', violations);
  const reaskHash = contentSha256(reask);
  const again = refusedAnswerTo(reaskHash);
  if (again) return { is: 'refused_twice', violations: [violations, again.violations ?? []] };
  return { is: 'ask', messages: reask, prompt_hash: reaskHash };
}

function requestOf({ instruction, signal }: AskModelInput, messages: ChatMessage[]): CompletionRequest {
  const { id, output_schema: schema, temperature, max_tokens } = instruction;
  return { messages, schema: { name: schemaName(id), schema }, temperature, max_tokens, signal };
}

/** What an endpoint takes: letters, digits, `_` and `-`, at most 64. */
const schemaName = (instructionId: string): string =>
  instructionId.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);

function endingOf(completion: Completion, check: (answer: Answer) => CheckedOutput): CallEnding {
  const { latency_ms } = completion;
  if (completion.kind !== 'answered') {
    const { answer, message: fault, may_have_worked: counts } = completion;
    return { ...NO_RESULT, outcome: 'failed', counts, answer, fault, latency_ms };
  }
  const { text: answer, model, finish_reason, usage } = completion;
  const result: CallResult = {
    ...NO_RESULT,
    answer,
    model,
    finish_reason,
    prompt_tokens: storableCount(usage?.prompt_tokens),
    completion_tokens: storableCount(usage?.completion_tokens),
    latency_ms,
  };
  const checked = check(completion);
  if (checked.ok) return { ...result, outcome: 'accepted', counts: true, output: checked.value };
  return { ...result, outcome: 'refused', counts: true, violations: checked.violations };
}

/** A stranger's number: one that is beyond PostgreSQL's integer says nothing. */
const storableCount = (count = Number.POSITIVE_INFINITY): number | null => (count < 2 ** 31 ? count : null);

function logCall(log: Logger, completion: Completion, ending: CallEnding): void {
  const { outcome, model, prompt_tokens, completion_tokens, latency_ms } = ending;
  if (completion.kind === 'answered') {
    log.info({ outcome, model, prompt_tokens, completion_tokens, latency_ms }, 'the model answered');
  } else {
    const { status, message: reason } = completion;
    log.warn({ status, reason, latency_ms }, 'the model did not answer');
  }
}

function answersOf(ofRun: InstructionCall[], used: InstructionCall | undefined): AnswerRecord[] {
  const isOfRun = ofRun.some(({ call_id }) => call_id === used?.call_id);
  const calls = used && !isOfRun ? [...ofRun, used] : ofRun;
  return calls.toSorted((one, other) => one.call_id - other.call_id).map(answerRecord);
}

function answerRecord(call: InstructionCall): AnswerRecord {
  const { answer, outcome, violations, model, finish_reason, latency_ms, asked_at } = call;
  const { prompt_tokens, completion_tokens } = call;
  const fault =
    call.ended_at === null ? 'no answer is on record: it was lost, or is still to come' : call.fault;
  const isTold = prompt_tokens !== null && completion_tokens !== null;
  return {
    answer,
    accepted: outcome === 'accepted',
    violations: violations ?? [],
    fault,
    model,
    finish_reason,
    usage: isTold ? { prompt_tokens, completion_tokens } : null,
    latency_ms,
    asked_at,
  };
}
