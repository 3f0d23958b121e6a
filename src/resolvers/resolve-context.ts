/** What expressions see as `context`: each source's value under the name that it binds. */
import { type CompiledDefinition, type CompiledSource, renderParams } from '../core/compile.ts';
import type { RunError, RunFacts } from '../core/decision.ts';
import { formatPath } from '../core/document.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { checkShape } from '../core/shape.ts';
import { type Resolvers, unknownSourceType } from './registry.ts';
import { ResolverError } from './resolver.ts';

export interface ResolveContextInput {
  event: JsonObject | null;
  run: RunFacts;
}

/** `error.code`: `definition_invalid` (no such type), `event_missing`, `resolver_failed`. */
export type ResolvedContext = { ok: true; context: JsonObject } | { ok: false; error: RunError };

/** All at once; the error is that of the first source that failed. Nothing is ever bound in place of a failure. */
export async function resolveContext(
  { sources }: Pick<CompiledDefinition, 'sources'>,
  resolvers: Resolvers,
  input: ResolveContextInput,
): Promise<ResolvedContext> {
  const context: JsonObject = {};
  const results = await Promise.all(sources.map((source) => resolveSource(source, resolvers, input)));
  for (const [index, source] of sources.entries()) {
    const result = results[index]!;
    if (!result.ok) return result;
    context[source.name] = result.value;
  }
  return { ok: true, context };
}

type Resolved = { ok: true; value: Json } | { ok: false; error: RunError };

async function resolveSource(
  source: CompiledSource,
  resolvers: Resolvers,
  { event, run }: ResolveContextInput,
): Promise<Resolved> {
  const fail = (code: RunError['code'], message: string, details: JsonObject = {}): Resolved => {
    const about = `context.${source.name} (${source.type})`;
    const facts = { source_type: source.type, bind_to: `context.${source.name}`, ...details };
    return { ok: false, error: { code, message: `${about}: ${message}`, details: facts } };
  };

  const resolver = resolvers.get(source.type);
  if (!resolver) return fail('definition_invalid', unknownSourceType(source.type, resolvers));

  const rendered = renderParams(source, { event, run });
  if (!rendered.ok) {
    const { path, expression, message, values } = rendered;
    return fail('resolver_failed', `${path}: ${message}`, { path, expression, values });
  }
  const params = checkShape(resolver.params, rendered.params);
  if (!params.ok) {
    const problems = params.problems.map(
      ({ path, message }) => `${formatPath(['params', ...path])}: ${message}`,
    );
    return fail('resolver_failed', problems.join('; '), { params: rendered.params });
  }
  try {
    return { ok: true, value: await resolver.resolve({ params: params.value, event, run }) };
  } catch (error) {
    const code = error instanceof ResolverError ? error.code : 'resolver_failed';
    return fail(code, error instanceof Error ? error.message : String(error));
  }
}
