/**
 * A rule's `task`: templates → TaskSpec.
 *
 * Title, labels and target_repo are single lines: white space in them collapses to one space. A title beyond 500 and a
 * description beyond 65,536 characters are cut, ending in `…`. An empty label is dropped, a repeated one too; an empty
 * target_repo is null. An empty title or dedupe_key is an error, and so is a key, label or repository beyond 500
 * characters: cut, it would name something else. A dedupe_key stays as it is rendered.
 */
import type { TaskSpec } from './decision.ts';
import type { TaskTemplate } from './definition.ts';
import type { Bound, Scope } from './expression.ts';
import { cut } from './expression-values.ts';
import type { WarningCode } from './expression-warning.ts';
import type { JsonObject } from './json.ts';
import { compileTemplate, type Rendering, type Template } from './template.ts';

export interface CompiledTask {
  title: Template;
  description: Template;
  target_repo: Template | null;
  labels: Template[];
  priority: TaskSpec['priority'];
  dedupe_key: Template | null;
}

/**
 * `path`: into the document; `offset`: in that scalar's text, null where the whole of it is meant. One with `warning` is no
 * fault: the definition works, if perhaps not as it is meant.
 */
export interface Problem {
  path: (string | number)[];
  offset: number | null;
  message: string;
  warning?: WarningCode;
}

export type Warning = Problem & { warning: WarningCode };

/** `path` as in `task.labels[0]`. */
export type RenderedTask =
  | { ok: true; spec: TaskSpec }
  | { ok: false; path: string; expression: string; message: string; values: JsonObject };

const LONGEST_TITLE = 500;
const LONGEST_DESCRIPTION = 65_536;
const LONGEST_NAME = 500;

/** Null where it does not compile; what is wrong is added to `problems`. `path`: where the task stands. */
export function compileTask(
  task: TaskTemplate,
  scope: Scope,
  path: (string | number)[],
  problems: Problem[],
): CompiledTask | null {
  const found: Problem[] = [];
  let known = scope;
  const compile = (text: string, ...field: (string | number)[]): Template | null => {
    const compiled = compileTemplate(text, known);
    for (const problem of compiled.ok ? compiled.warnings : compiled.problems) {
      found.push({ path: [...path, ...field], ...problem });
    }
    if (!compiled.ok) return null;
    known = known.assuming(compiled.read);
    return compiled.template;
  };
  const title = compile(task.title, 'title');
  const description = compile(task.description, 'description');
  const target_repo = task.target_repo === undefined ? null : compile(task.target_repo, 'target_repo');
  const labels = task.labels.map((label, i) => compile(label, 'labels', i)).filter((label) => label !== null);
  const dedupe_key = task.dedupe_key === undefined ? null : compile(task.dedupe_key, 'dedupe_key');
  problems.push(...found);
  if (hasFault(found) || !title || !description) return null;
  return { title, description, target_repo, labels, priority: task.priority, dedupe_key };
}

/** Whether anything in it is more than a warning. */
export function hasFault(problems: readonly Problem[]): boolean {
  return !problems.every(isWarning);
}

export function isWarning(problem: Problem): problem is Warning {
  return problem.warning !== undefined;
}

export function renderTask(task: CompiledTask, bound: Bound): RenderedTask {
  const title = renderField(task.title, bound, 'task.title', titleFault);
  if (!title.ok) return title;
  const description = renderField(task.description, bound, 'task.description');
  if (!description.ok) return description;
  const repository = task.target_repo && renderField(task.target_repo, bound, 'task.target_repo', nameFault);
  if (repository?.ok === false) return repository;
  const labels = new Set<string>();
  for (const [i, template] of task.labels.entries()) {
    const label = renderField(template, bound, `task.labels[${i}]`, nameFault);
    if (!label.ok) return label;
    if (label.text.trim() !== '') labels.add(singleLine(label.text));
  }
  const key = task.dedupe_key && renderField(task.dedupe_key, bound, 'task.dedupe_key', keyFault);
  if (key?.ok === false) return key;
  const spec: TaskSpec = {
    title: shorten(singleLine(title.text), LONGEST_TITLE),
    description: shorten(description.text, LONGEST_DESCRIPTION),
    labels: [...labels],
    priority: task.priority,
    target_repo: (repository && singleLine(repository.text)) || null,
    dedupe_key: key ? key.text : null,
  };
  return { ok: true, spec };
}

type RenderedField =
  | { ok: true; text: string }
  | { ok: false; path: string; expression: string; message: string; values: JsonObject };

function renderField(
  template: Template,
  bound: Bound,
  path: string,
  faultOf: (text: string) => string | null = () => null,
): RenderedField {
  const rendering: Rendering = template.render(bound);
  if (!rendering.ok) return { ...rendering, path };
  const fault = faultOf(rendering.text);
  if (fault === null) return rendering;
  return { ok: false, path, expression: template.source, message: fault, values: rendering.values };
}

function titleFault(text: string): string | null {
  return text.trim() === '' ? 'the title is empty' : null;
}

function nameFault(text: string): string | null {
  return text.length > LONGEST_NAME ? `longer than ${LONGEST_NAME} characters` : null;
}

function keyFault(text: string): string | null {
  return text.trim() === '' ? 'the dedupe_key is empty' : nameFault(text);
}

function singleLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

function shorten(text: string, longest: number): string {
  return text.length > longest ? `${cut(text, longest - 1)}…` : text;
}
