/** What the stand-in's model says to a request: the right answer, and each wrong one. */
import { createHash } from 'node:crypto';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsPlugin from 'ajv-formats';
import { readPromptData } from './llm-connect-prompt.ts';
import {
  type Answer,
  answered,
  type CompletionRequest,
  type Parsed,
  refused,
} from './llm-connect-request.ts';
import { valueFor } from './llm-connect-value.ts';

export const MODEL = 'activity-core-stand-in';

/** How an answer can be wrong, and still be one. */
export type WrongAnswer = 'schema_breaking' | 'not_json' | 'truncated' | 'refusal';

export function complete(request: CompletionRequest, wrong: WrongAnswer | null): Answer {
  const said = textFor(request, wrong === 'schema_breaking');
  if (!said.ok) return said.answer;
  const text = said.value;
  switch (wrong) {
    case 'refusal':
      return chatCompletion(request, {
        text: '',
        refusal: 'I cannot help with that.',
        finish_reason: 'stop',
      });
    case 'not_json':
      return chatCompletion(request, {
        text: `Of course! Here it is: ${text} Is there more?`,
        finish_reason: 'stop',
      });
    case 'truncated':
      return chatCompletion(request, { text: halfOf(text), finish_reason: 'length' });
    default:
      return chatCompletion(request, withinLimit(text, request.max_tokens));
  }
}

function textFor({ messages, response_format }: CompletionRequest, isBroken: boolean): Parsed<string> {
  if (response_format.type === 'text') return { ok: true, value: 'The stand-in answers by a JSON schema.' };
  const { schema } = response_format.json_schema;
  const fits = validatorOf(schema);
  if (!fits.ok) return fits;
  const seed = createHash('sha256').update(JSON.stringify(messages)).digest('hex');
  const value = valueFor({ root: schema, seed, data: readPromptData(messages) });
  const said = isBroken ? breaking(value).find((candidate) => !fits.value(candidate)) : value;
  if (said !== undefined && fits.value(said) === !isBroken) return { ok: true, value: JSON.stringify(said) };
  const message = isBroken
    ? 'the stand-in finds nothing that this schema refuses'
    : 'the stand-in finds nothing that this schema allows; give it `examples`, `default` or `enum`';
  return { ok: false, answer: refused(400, message, 'unsupported_schema') };
}

function validatorOf(schema: object): Parsed<(value: unknown) => boolean> {
  const ajv = new Ajv2020({ strict: false, validateSchema: false, addUsedSchema: false, logger: false });
  formatsPlugin.default(ajv);
  try {
    const validate = ajv.compile({ ...schema, $async: undefined });
    return { ok: true, value: (value) => validate(value) };
  } catch (error) {
    const message = `response_format.json_schema.schema: ${(error as Error).message}`;
    return { ok: false, answer: refused(400, message, 'invalid_json_schema') };
  }
}

/** Other shapes, those that are most like the right one first. */
function breaking(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [{ answer: value }, [], null, 'x'];
  const [first, ...others] = Object.entries(value);
  const wronglyTyped = first ? [{ ...value, [first[0]]: typeof first[1] === 'string' ? 17 : 'nothing' }] : [];
  return [...wronglyTyped, Object.fromEntries(others), { answer: value }, [value], 'nothing'];
}

interface Said {
  text: string;
  refusal?: string;
  finish_reason: 'stop' | 'length';
}

/** Four characters are one token here. */
const tokensOf = (text: string): number => Math.ceil(text.length / 4);

function withinLimit(text: string, maxTokens = Number.POSITIVE_INFINITY): Said {
  if (tokensOf(text) <= maxTokens) return { text, finish_reason: 'stop' };
  return { text: text.slice(0, maxTokens * 4), finish_reason: 'length' };
}

const halfOf = (text: string): string => text.slice(0, Math.floor(text.length / 2));

function chatCompletion({ messages }: CompletionRequest, { text, refusal, finish_reason }: Said): Answer {
  const asked = messages.map(({ content }) => content).join('\n');
  const [prompt_tokens, completion_tokens] = [tokensOf(asked), tokensOf(refusal ?? text)];
  const message = {
    role: 'assistant',
    content: refusal === undefined ? text : null,
    refusal: refusal ?? null,
  };
  return answered({
    id: `chatcmpl-${createHash('sha256').update(`${asked}\n${text}`).digest('hex').slice(0, 24)}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: MODEL,
    choices: [{ index: 0, message, logprobs: null, finish_reason }],
    usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
  });
}
