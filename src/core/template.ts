/**
 * Text with `{{ CEL }}` parts. Strings are rendered as they are, everything else as JSON (1.0 as `1`).
 *
 * A part ends at the first `}}` that is neither inside a string literal nor inside the braces of a map. So a `{{` that
 * is meant as text is written `{{ "{{" }}`; a lone `}}` is text. A CEL comment with a quote in it is not supported.
 * What is rendered is never read again: a value that holds `{{ }}` stays text.
 */
import { type Bound, compileExpression, type Expression, type Scope } from './expression.ts';
import { NO_PATHS, type Paths, union } from './expression-places.ts';
import type { ExpressionProblem } from './expression-problem.ts';
import type { ExpressionWarning } from './expression-warning.ts';
import type { Json, JsonObject } from './json.ts';
import { findUnstorable } from './storable.ts';

/** `expression`: the source of the part that failed. */
export type Rendering =
  | { ok: true; text: string; values: JsonObject }
  | { ok: false; expression: string; message: string; values: JsonObject };

export interface Template {
  readonly source: string;
  /** No part is computed: the text is always the same. */
  readonly isConstant: boolean;
  /** In order: text as it stands, and what is computed. */
  readonly parts: readonly (string | Expression)[];
  render(bound: Bound): Rendering;
}

/** `offset`: in UTF-16 units from the text's start. `read`: what is there once it was rendered. */
export type CompiledTemplate =
  | { ok: true; template: Template; warnings: ExpressionWarning[]; read: Paths }
  | { ok: false; problems: ExpressionProblem[] };

type Part = string | Expression;

const LONGEST_RENDERED = 1_048_576;

export function compileTemplate(text: string, scope: Scope): CompiledTemplate {
  const problems: ExpressionProblem[] = [];
  const warnings: ExpressionWarning[] = [];
  const parts: Part[] = [];
  let read: Paths = NO_PATHS;
  const unstorable = findUnstorable(text);
  if (unstorable) problems.push({ message: unstorable.message, offset: 0 });

  let at = 0;
  for (let open = text.indexOf('{{'); open >= 0; open = text.indexOf('{{', at)) {
    if (open > at) parts.push(text.slice(at, open));
    const close = findClose(text, open + 2);
    if (close < 0) {
      problems.push({ message: 'this {{ has no }}', offset: open });
      return { ok: false, problems };
    }
    const inner = text.slice(open + 2, close);
    const start = open + 2 + (inner.length - inner.trimStart().length);
    const compiled = compileExpression(inner.trim(), scope.assuming(read), 'any');
    if (compiled.ok) {
      parts.push(compiled.expression);
      read = union(read, compiled.expression.implied.always);
      for (const warning of compiled.warnings) {
        warnings.push({ ...warning, offset: start + warning.offset });
      }
    } else {
      problems.push({ message: compiled.problem.message, offset: start + compiled.problem.offset });
    }
    at = close + 2;
  }
  if (at < text.length) parts.push(text.slice(at));
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, template: templateOf(text, parts), warnings, read };
}

/** Whether a text has parts to compute. */
export function isTemplate(text: string): boolean {
  return text.includes('{{');
}

function templateOf(source: string, parts: readonly Part[]): Template {
  const isConstant = parts.every((part) => typeof part === 'string');
  return { source, isConstant, parts, render: (bound) => render(parts, source, bound) };
}

function render(parts: readonly Part[], source: string, bound: Bound): Rendering {
  const values: JsonObject = {};
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    const evaluation = part.evaluate(bound);
    Object.assign(values, evaluation.values);
    if (!evaluation.ok) {
      return { ok: false, expression: part.source, message: evaluation.message, values };
    }
    text += textOf(evaluation.value);
    if (text.length > LONGEST_RENDERED) {
      const message = `renders more than ${LONGEST_RENDERED} characters`;
      return { ok: false, expression: source, message, values };
    }
  }
  return { ok: true, text, values };
}

/** A value as it stands in a text: a string as it is, everything else as JSON. */
export function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Where the `}}` of a part stands that begins at `start`, or -1. */
function findClose(text: string, start: number): number {
  let braces = 0;
  for (let i = start; i < text.length; i++) {
    const character = text[i];
    if (character === '"' || character === "'") {
      const end = endOfString(text, i, character);
      if (end < 0) return -1;
      i = end;
    } else if (character === '{') braces++;
    else if (character === '}') {
      if (braces > 0) braces--;
      else if (text[i + 1] === '}') return i;
    }
  }
  return -1;
}

/** The last character of the string literal that begins at `start`, or -1. */
function endOfString(text: string, start: number, quote: string): number {
  const triple = quote.repeat(3);
  const delimiter = text.startsWith(triple, start) ? triple : quote;
  for (let i = start + delimiter.length; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text.startsWith(delimiter, i)) return i + delimiter.length - 1;
  }
  return -1;
}
