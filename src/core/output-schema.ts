/** A model's answer against the JSON Schema that an instruction declares, and how the model is asked once more. */
import type { Violation } from './envelope.ts';
import { cut, TRUNCATED } from './expression-values.ts';
import { canonicalJson, type Json, type JsonObject } from './json.ts';
import { createSchemaValidator, type SchemaValidator } from './json-schema.ts';
import { fencedData } from './prompt-data.ts';
import { findInexactInteger, findUnstorable, nestingDepth } from './storable.ts';

export type { Violation };

export const MAX_OUTPUT_BYTES = 256 * 1024;
export const MAX_OUTPUT_DEPTH = 64;

/** `truncated`: cut off at the limit of tokens. `declined`: the model, or a filter before it, would not answer. `oversized`: not all of it was read. */
export type AnswerEnding = 'complete' | 'truncated' | 'declined' | 'oversized';

/** `pointer`: JSON Pointer from the answer; empty for all of it. */
export type CheckedOutput = { ok: true; value: Json } | { ok: false; violations: Violation[] };

/** `text` is parsed and nothing else: no JSON is looked for inside prose. Throws where the schema is invalid. */
export type OutputCheck = (schema: JsonObject, text: string, ending?: AnswerEnding) => CheckedOutput;

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

const CUT_OFF = 'was cut off at the limit of tokens; expected a shorter answer that is complete';
const MAX_COMPILED = 64;
const LONGEST_POINTER = 500;
const LONGEST_REPEATED = 32_768;

/** Compiles each schema once, and keeps those that were used last. */
export function createOutputCheck(): OutputCheck {
  const compiled = new Map<string, SchemaValidator>();

  function validatorOf(schema: JsonObject): SchemaValidator {
    const key = canonicalJson(schema);
    const validator = compiled.get(key) ?? createSchemaValidator(schema);
    // A map keeps the order of insertion: the first is the one that was not used for longest.
    compiled.delete(key);
    compiled.set(key, validator);
    for (const oldest of compiled.keys()) {
      if (compiled.size <= MAX_COMPILED) break;
      compiled.delete(oldest);
    }
    return validator;
  }

  return (schema, text, ending = 'complete') => {
    if (ending === 'declined') return refused('is a refusal to answer; expected an answer by the schema');
    if (ending === 'oversized')
      return refused(`has more than 1 MiB; expected at most ${MAX_OUTPUT_BYTES} bytes`);
    const parsed = parse(text, ending);
    if (!parsed.ok) return parsed;
    const violations = validatorOf(schema)(parsed.value).map(({ pointer, message }) => ({
      pointer: shortened(pointer),
      message,
    }));
    return violations.length > 0 ? { ok: false, violations } : parsed;
  };
}

/** The conversation so far, the answer, and what to mend in it: for the one time that a model is asked again. */
export function reaskMessages(
  messages: readonly ChatMessage[],
  answer: string,
  violations: readonly Violation[],
): ChatMessage[] {
  const content = [
    'Your answer cannot be used: it does not fit the JSON Schema that was asked for. What is wrong with it, each with the JSON Pointer to the place (empty for the whole answer):',
    fencedData('violations', violations),
    'Answer the same request again. Send the corrected JSON alone: all of it, without any text or code fence around it.',
  ].join('\n\n');
  // Many endpoints refuse an empty message.
  const said: ChatMessage[] = answer.trim() === '' ? [] : [{ role: 'assistant', content: repeated(answer) }];
  return [...messages, ...said, { role: 'user', content }];
}

function parse(text: string, ending: AnswerEnding): CheckedOutput {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_OUTPUT_BYTES) return refused(`has ${bytes} bytes; expected at most ${MAX_OUTPUT_BYTES}`);
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    if (ending === 'truncated') {
      return refused(CUT_OFF);
    }
    return refused(
      text.trim() === '' ? 'is empty; expected JSON' : 'is not JSON; expected JSON and nothing else',
    );
  }
  // An object or a list that was parsed has its end; of a number or a word nobody can tell.
  if (ending === 'truncated' && (typeof value !== 'object' || value === null)) return refused(CUT_OFF);
  if (nestingDepth(value) > MAX_OUTPUT_DEPTH) {
    return refused(`is nested more than ${MAX_OUTPUT_DEPTH} levels deep`);
  }
  const unstorable = findUnstorable(value);
  if (unstorable) return refused(unstorable.message, shortened(unstorable.pointer));
  const inexact = findInexactInteger(text);
  if (inexact) return refused(`holds ${cut(inexact, 100)}, a whole number that a double would change`);
  return { ok: true, value };
}

const refused = (message: string, pointer = ''): CheckedOutput => ({
  ok: false,
  violations: [{ pointer, message }],
});

/** A member's name is the model's: it may be as long as the whole answer. */
const shortened = (pointer: string): string =>
  pointer.length > LONGEST_POINTER ? cut(pointer, LONGEST_POINTER) + TRUNCATED : pointer;

const repeated = (answer: string): string =>
  answer.length > LONGEST_REPEATED ? cut(answer, LONGEST_REPEATED) + TRUNCATED : answer;
