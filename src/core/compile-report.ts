/** A report's templates and expressions, checked; and the report that they give. What data says in it stays text. */
import { compileAt } from './compile-at.ts';
import type { BindingsWithOutputs } from './decision.ts';
import type { Definition } from './definition.ts';
import { formatPath, type Path } from './document.ts';
import type { Bound, Scope } from './expression.ts';
import { canonicalJson, type Json, type JsonObject } from './json.ts';
import { cutToBytes, shrunk } from './shrink.ts';
import type { Problem } from './task-template.ts';
import { compileTemplate, type Template, textOf } from './template.ts';

/** A member of a report that is computed. `template`: text with `{{ CEL }}`. `expression`: CEL, replaced by its value. */
export interface ReportText {
  /** From the report. */
  path: Path;
  kind: 'template' | 'expression';
}

export interface CompiledReport {
  sink: string;
  scope: Scope;
  /** As declared, without `sink`. */
  report: JsonObject;
  texts: CompiledText[];
}

interface CompiledText {
  path: Path;
  evaluate(bound: Bound): { ok: true; value: Json } | { ok: false; message: string };
}

/** `message` names the sink and the member. */
export type RenderedReport = { ok: true; report: JsonObject } | { ok: false; message: string };

const MAX_TEXT_BYTES = 64 * 1024;
const MAX_VALUE_TEXT_BYTES = 16 * 1024;
const MAX_VALUE_BYTES = 128 * 1024;

/** `path`: where the report stands. What is wrong is added to `problems`. */
export function compileReport(
  { sink, ...declared }: Definition['reports'][number],
  texts: readonly ReportText[],
  scope: Scope,
  path: Path,
  problems: Problem[],
): CompiledReport {
  const report = declared as JsonObject;
  const compiled = texts.flatMap((text): CompiledText[] => {
    const source = memberAt(report, text.path);
    // What may be left out is not there to be computed; what is no text, its sink has refused.
    if (typeof source !== 'string') return [];
    const evaluate =
      text.kind === 'template'
        ? compileText(source, scope, [...path, ...text.path], problems)
        : compileValue(source, scope, [...path, ...text.path], problems);
    return evaluate ? [{ path: text.path, evaluate }] : [];
  });
  return { sink, scope, report, texts: compiled };
}

/** A text is cut at 64 KiB, a value at 128 KiB, each with a mark. */
export function renderReport(compiled: CompiledReport, bindings: BindingsWithOutputs): RenderedReport {
  const { event, context, run, instructions } = bindings;
  const bound = compiled.scope.bind({ event, context, run: { ...run }, instructions });
  const report = structuredClone(compiled.report);
  for (const { path, evaluate } of compiled.texts) {
    const evaluation = evaluate(bound);
    if (!evaluation.ok) {
      return { ok: false, message: `report ${compiled.sink}, ${formatPath(path)}: ${evaluation.message}` };
    }
    replaceAt(report, path, evaluation.value);
  }
  return { ok: true, report };
}

function compileText(
  source: string,
  scope: Scope,
  path: Path,
  problems: Problem[],
): CompiledText['evaluate'] | null {
  const compiled = compileTemplate(source, scope);
  for (const problem of compiled.ok ? compiled.warnings : compiled.problems)
    problems.push({ path, ...problem });
  return compiled.ok ? (bound) => renderText(compiled.template, bound) : null;
}

function renderText({ parts }: Template, bound: Bound): ReturnType<CompiledText['evaluate']> {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') text += part;
    else {
      const evaluation = part.evaluate(bound);
      if (!evaluation.ok) return evaluation;
      text += textOf(evaluation.value);
    }
    // What follows is cut off anyway.
    if (text.length > MAX_TEXT_BYTES) break;
  }
  return { ok: true, value: cutToBytes(text, MAX_TEXT_BYTES) };
}

function compileValue(
  source: string,
  scope: Scope,
  path: Path,
  problems: Problem[],
): CompiledText['evaluate'] | null {
  const expression = compileAt(source, scope, 'any', path, problems);
  if (!expression) return null;
  return (bound) => {
    const evaluation = expression.evaluate(bound);
    return evaluation.ok ? { ok: true, value: shortened(evaluation.value) } : evaluation;
  };
}

const shortened = (value: Json): Json =>
  shrunk(value, MAX_VALUE_TEXT_BYTES, (json) => Buffer.byteLength(canonicalJson(json)) <= MAX_VALUE_BYTES);

function memberAt(root: Json, path: Path): Json | undefined {
  let value: Json | undefined = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as JsonObject)[step];
  }
  return value;
}

function replaceAt(root: JsonObject, path: Path, value: Json): void {
  const holder = memberAt(root, path.slice(0, -1));
  const last = path.at(-1);
  if (typeof holder !== 'object' || holder === null || last === undefined) return;
  (holder as JsonObject)[last] = value;
}
