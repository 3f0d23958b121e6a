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
export type ResolvedContext = { ok: true; context: JsonObject } | Failed;

/** `retryable`: the same sources may answer later. */
interface Failed {
  ok: false;
  error: RunError;
  retryable: boolean;
}

/**
 * All at once. Nothing is ever bound in place of a failure. The error is that of the first source that failed; one that
 * no retry mends comes before the others.
 */
export async function resolveContext(
  { sources }: Pick<CompiledDefinition, 'sources'>,
  resolvers: Resolvers,
  input: ResolveContextInput,
): Promise<ResolvedContext> {
  const context: JsonObject = {};
  const results = await Promise.all(sources.map((source) => resolveSource(source, resolvers, input)));
  const failures = results.filter((result) => !result.ok);
  const failure = failures.find(({ retryable }) => !retryable) ?? failures[0];
  if (failure) return failure;
  for (const [index, source] of sources.entries()) {
    const result = results[index]!;
    if (result.ok) context[source.name] = result.value;
  }
  return { ok: true, context };
}

type Resolved = { ok: true; value: Json } | Failed;

async function resolveSource(
  source: CompiledSource,
  resolvers: Resolvers,
  { event, run }: ResolveContextInput,
): Promise<Resolved> {
  const fail = (
    code: RunError['code'],
    message: string,
    details: JsonObject = {},
    retryable = false,
  ): Failed => {
    const about = `context.${source.name} (${source.type})`;
    const facts = { source_type: source.type, bind_to: `context.${source.name}`, ...details };
    return { ok: false, error: { code, message: `${about}: ${message}`, details: facts }, retryable };
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
    if (error instanceof ResolverError) return fail(error.code, error.message, {}, error.retryable);
    return fail('resolver_failed', error instanceof Error ? error.message : String(error));
  }
}
