/** An instruction as it stands on its run: every answer of the model, and the one that counts (contract 8). */
import type { Violation } from './envelope.ts';
import type { Json } from './json.ts';

export interface InstructionRecord {
  instruction_id: string;
  /** `invalid`: the schema refused it twice. `failed`: there is no answer. */
  status: 'answered' | 'invalid' | 'failed';
  review_required: boolean;
  /** The answer was there already, from an earlier attempt or run of the chain. */
  reused: boolean;
  /** SHA-256 of the messages. */
  prompt_hash: string;
  /** Validated; null without an answer. */
  output: Json | null;
  /** The calls of this run, and the answer that is used where another run of the chain got it; oldest first. */
  answers: AnswerRecord[];
}

/** One request to the model. */
export interface AnswerRecord {
  /** As it came, at most 1 MiB; null without one. Text of a stranger. */
  answer: string | null;
  accepted: boolean;
  violations: Violation[];
  /** Why there is no answer. */
  fault: string | null;
  model: string | null;
  finish_reason: string | null;
  usage: { prompt_tokens: number; completion_tokens: number } | null;
  latency_ms: number | null;
  asked_at: string;
}
