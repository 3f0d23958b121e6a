/** A context source's `params`: any text in them may hold `{{ CEL }}` parts, which see `event` and `run`. */
import type { Bindings } from './decision.ts';
import type { ContextSource } from './definition.ts';
import type { Scope } from './expression.ts';
import type { Json, JsonObject } from './json.ts';
import type { Problem } from './task-template.ts';
import { compileTemplate, isTemplate, type Template } from './template.ts';

export interface CompiledSource {
  type: string;
  /** What `bind_to` names, without `context.`. */
  name: string;
  scope: Scope;
  params: Params;
}

export type Params =
  | { constant: Json }
  | { template: Template; path: string }
  | { list: Params[] }
  | { members: [name: string, value: Params][] };

/** `path` as in `params.agents[0]`. */
export type RenderedParams =
  | { ok: true; params: JsonObject }
  | { ok: false; path: string; expression: string; message: string; values: JsonObject };

/** What is wrong with the params is added to `problems`. `path`: where the source stands. */
export function compileSource(
  source: ContextSource,
  scope: Scope,
  path: (string | number)[],
  problems: Problem[],
): CompiledSource {
  const inParams = scope.only(['event', 'run'], 'params see only `event` and `run`');
  const params = compileParams(source.params, inParams, [...path, 'params'], 'params', problems);
  return { type: source.type, name: boundName(source), scope: inParams, params };
}

/** `metrics` of `context.metrics`. */
export function boundName(source: ContextSource): string {
  return source.bind_to.slice('context.'.length);
}

/** The params as the resolver gets them. */
export function renderParams(
  source: CompiledSource,
  { event, run }: Pick<Bindings, 'event' | 'run'>,
): RenderedParams {
  const bound = source.scope.bind({ event, run: { ...run } });
  let failure: (RenderedParams & { ok: false }) | null = null;

  function render(params: Params): Json {
    if ('constant' in params) return params.constant;
    if ('list' in params) return params.list.map(render);
    if ('members' in params) {
      return Object.fromEntries(params.members.map(([name, member]) => [name, render(member)]));
    }
    const rendering = params.template.render(bound);
    if (rendering.ok) return rendering.text;
    failure ??= { ...rendering, path: params.path };
    return null;
  }

  const params = render(source.params);
  return failure ?? { ok: true, params: params as JsonObject };
}

function compileParams(
  value: Json,
  scope: Scope,
  path: (string | number)[],
  shownPath: string,
  problems: Problem[],
): Params {
  if (typeof value === 'string' && isTemplate(value)) {
    const compiled = compileTemplate(value, scope);
    for (const problem of compiled.ok ? compiled.warnings : compiled.problems)
      problems.push({ path, ...problem });
    return compiled.ok ? { template: compiled.template, path: shownPath } : { constant: value };
  }
  if (Array.isArray(value)) {
    const list = value.map((element, i) =>
      compileParams(element, scope, [...path, i], `${shownPath}[${i}]`, problems),
    );
    return { list };
  }
  if (typeof value !== 'object' || value === null) return { constant: value };
  const members = Object.entries(value).map(([name, member]): [string, Params] => [
    name,
    compileParams(member, scope, [...path, name], `${shownPath}.${name}`, problems),
  ]);
  return { members };
}
