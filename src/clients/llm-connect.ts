/** llm-connect's HTTP API (contract 8): OpenAI-compatible chat completions. Nothing is retried here, and nothing is thrown. */
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import type { AnswerEnding, ChatMessage } from '../core/output-schema.ts';
import { storableText } from '../core/storable.ts';
import { keptText } from './answer-text.ts';
import type { Exchange } from './http-exchange.ts';
import { adviceOn } from './llm-connect-advice.ts';
import { longExchange } from './long-exchange.ts';
import { parseJson } from './parse-json.ts';
import { retryAfter } from './retry-after.ts';

export interface LlmConnectOptions {
  /** The part before `/v1/chat/completions`. A user or password in it is not sent. */
  url: string;
  /** For a whole exchange, the answer's text included. */
  timeoutMs: number;
  /** Without one, the endpoint's own default. */
  model: string | undefined;
}

export interface CompletionRequest {
  messages: readonly ChatMessage[];
  /** What the answer must look like. `name`: letters, digits, `_` and `-`, at most 64. */
  schema: { name: string; schema: JsonObject };
  temperature?: number | undefined;
  max_tokens?: number | undefined;
  /** Ends the exchange early: `unreadable` then. */
  signal?: AbortSignal | undefined;
}

/**
 * `answered`   the model said something: not yet checked against the schema
 * `refused`    a status other than 200
 * `unreadable` no answer, not all of it, or one that is no chat completion
 */
export type Completion =
  | ({ kind: 'answered' } & Answer)
  | ({ kind: 'refused'; status: number; retryable: boolean } & LlmConnectFault)
  | ({ kind: 'unreadable'; status: number | null; retryable: true } & LlmConnectFault);

/** All texts can be stored. */
export interface Answer {
  /** What the model said, or why it declined; at most 1 MiB. Text of a stranger. */
  text: string;
  ending: AnswerEnding;
  /** As the endpoint calls it; null where it does not say. */
  model: string | null;
  usage: TokenUsage | null;
  /** `stop`, `length`, …; null where the endpoint does not say. */
  finish_reason: string | null;
  latency_ms: number;
}

export interface TokenUsage {
  prompt_tokens: number;
  completion_tokens: number;
}

export interface LlmConnectFault {
  /** Says what to do next. */
  message: string;
  /** The model may have worked, and cost something, all the same. */
  may_have_worked: boolean;
  /** The answer's text, up to 4 KiB; null without one. */
  answer: string | null;
  /** From `Retry-After`, at most a day; null where there is none. */
  retry_after_ms: number | null;
  latency_ms: number;
}

export interface LlmConnectClient {
  complete(request: CompletionRequest): Promise<Completion>;
}

const PATH = '/v1/chat/completions';

const tokens = z.int().min(0);
const label = z.string().min(1).transform(keptText).nullish().catch(null);

/** What is only reported is let go where it is of another shape; the message is not. */
const completionSchema = z.object({
  model: label,
  usage: z.object({ prompt_tokens: tokens, completion_tokens: tokens }).nullish().catch(null),
  choices: z.array(z.unknown()).min(1),
});
const choiceSchema = z.object({
  finish_reason: label,
  message: z.object({
    content: z.string().nullish(),
    refusal: z.string().nullish(),
  }),
});

export function createLlmConnectClient({ url, timeoutMs, model }: LlmConnectOptions): LlmConnectClient {
  const base = url.replace(/\/+$/, '');

  return {
    async complete(request) {
      const startedAt = performance.now();
      const answer = await longExchange({
        url: `${base}${PATH}`,
        method: 'POST',
        headers: { accept: 'application/json', 'content-type': 'application/json' },
        body: JSON.stringify(bodyOf(request, model)),
        timeoutMs,
        setting: 'LLM_CONNECT_URL',
        signal: request.signal,
      });
      const latency_ms = Math.round(performance.now() - startedAt);
      const fault = (message: string, may_have_worked: boolean): LlmConnectFault => ({
        message: storableText(message),
        may_have_worked,
        answer: answer.broken || answer.text === '' ? null : keptText(answer.text),
        retry_after_ms: retryAfter(answer.headers),
        latency_ms,
      });
      const { status } = answer;
      if (answer.broken) {
        const worked = status === null || status === 200 ? answer.wasSent : saysLost(status);
        return {
          kind: 'unreadable',
          status,
          retryable: true,
          ...fault(`llm-connect: ${answer.reason}`, worked),
        };
      }
      if (answer.status !== 200) {
        const { advice, retryable } = adviceOn(answer.status, base);
        const message = `llm-connect answered ${answer.status}${advice}`;
        return {
          kind: 'refused',
          status: answer.status,
          retryable,
          ...fault(message, saysLost(answer.status)),
        };
      }
      const read = readCompletion(answer);
      if (read.ok) return { kind: 'answered', ...read.value, latency_ms };
      const message = `llm-connect answered 200, and the answer is no chat completion (${read.what}); is LLM_CONNECT_URL right?`;
      // What is longer than anything that is read may be an answer all the same.
      return { kind: 'unreadable', status: 200, retryable: true, ...fault(message, answer.isCut) };
    },
  };
}

/** A gateway says that it waited for the model in vain, or lost it. */
const saysLost = (status: number): boolean => [408, 502, 504].includes(status);

function bodyOf(request: CompletionRequest, model: string | undefined) {
  const { messages, schema, temperature, max_tokens } = request;
  return {
    model,
    messages: messages.map(({ role, content }) => ({ role, content: storableText(content) })),
    temperature,
    max_tokens,
    response_format: {
      type: 'json_schema',
      json_schema: { name: schema.name, strict: true, schema: schema.schema },
    },
  };
}

const NOT_SAID = { model: null, usage: null, finish_reason: null };

type Read = { ok: true; value: Omit<Answer, 'latency_ms'> } | { ok: false; what: string };

function readCompletion({ text, isCut }: Exchange & { broken: false }): Read {
  // A model that does not stop has answered: asked again later, it would only say as much again.
  if (isCut) return { ok: true, value: { ...NOT_SAID, text: keptText(text), ending: 'oversized' } };
  const json = parseJson(text);
  if (json === undefined) return { ok: false, what: 'it is not JSON' };
  const completion = completionSchema.safeParse(json);
  if (!completion.success) return { ok: false, what: wordingOf(completion.error, []) };
  const { model = null, usage = null, choices } = completion.data;
  const choice = choiceSchema.safeParse(choices[0]);
  if (!choice.success) return { ok: false, what: wordingOf(choice.error, ['choices', 0]) };
  const { message, finish_reason = null } = choice.data;
  const said = storableText(message.content || message.refusal || '');
  const ending = endingOf(finish_reason, message.refusal);
  return { ok: true, value: { text: said, ending, model, usage, finish_reason } };
}

function endingOf(finishReason: string | null, refusal: string | null | undefined): AnswerEnding {
  if (refusal || finishReason === 'content_filter') return 'declined';
  return finishReason === 'length' ? 'truncated' : 'complete';
}

function wordingOf({ issues }: z.ZodError, place: (string | number)[]): string {
  const { path, message } = issues[0] ?? { path: [], message: 'of another shape' };
  return `${[...place, ...path].join('.') || 'answer'}: ${message}`;
}
