/** Every context source type. A new one is a file and a line here. */
import { type Definition, triggerKind } from '../core/definition.ts';
import type { EventType } from '../core/event-type.ts';
import type { Json, JsonSchema } from '../core/json.ts';
import { checkShape, type ShapeProblem } from '../core/shape.ts';
import { isTemplate } from '../core/template.ts';
import { listNames, suggestion } from '../core/wording.ts';
import { createDiscoverKaizenScheduledRepos } from './discover-kaizen-scheduled-repos.ts';
import { eventPayload } from './event-payload.ts';
import type { DiscoveryDeps } from './kaizen-discovery.ts';
import { createOpsInventorySource, type OpsInventorySourceDeps } from './ops-inventory.ts';
import type { Resolver } from './resolver.ts';
import { createStateHubSource } from './state-hub.ts';
import { staticValue } from './static.ts';

export type Resolvers = ReadonlyMap<string, Resolver>;

/** What resolvers need of the environment. Validation needs none: a resolver that lacks something says so when it is asked. */
export type ResolverDeps = DiscoveryDeps & OpsInventorySourceDeps;

export function createResolvers(deps: ResolverDeps = {}): Resolvers {
  const resolvers: Resolver[] = [
    eventPayload,
    createDiscoverKaizenScheduledRepos(deps),
    createStateHubSource(deps),
    createOpsInventorySource(deps),
    staticValue,
  ];
  return new Map(resolvers.map((resolver) => [resolver.type, resolver]));
}

/** `types`: what each source binds, by its name after `context.`. `problems` have paths from the definition. */
export type ContextTypes =
  | { ok: true; types: Record<string, JsonSchema> }
  | { ok: false; message: string; problems: ShapeProblem[]; types: Record<string, JsonSchema> };

export function contextTypesOf(
  definition: Definition,
  resolvers: Resolvers,
  eventType: EventType | null,
): ContextTypes {
  const types: Record<string, JsonSchema> = {};
  const problems: ShapeProblem[] = [];
  for (const [index, source] of definition.context_sources.entries()) {
    const path = ['context_sources', index];
    const resolver = resolvers.get(source.type);
    if (!resolver) {
      problems.push({
        path: [...path, 'type'],
        at: 'value',
        message: unknownSourceType(source.type, resolvers),
      });
      continue;
    }
    const trigger = triggerKind(definition);
    if (resolver.triggers && !resolver.triggers.includes(trigger)) {
      const message = `\`${source.type}\` needs a trigger of ${listNames(resolver.triggers)}, found \`${trigger}\``;
      problems.push({ path: [...path, 'type'], at: 'value', message });
    }
    const params = checkShape(resolver.params, source.params);
    const faults = params.ok
      ? []
      : params.problems.filter((problem) => !isRenderedLater(source.params, problem.path));
    for (const fault of faults) problems.push({ ...fault, path: [...path, 'params', ...fault.path] });
    // Where a template stands for a value, what is bound depends on it: known at run time only.
    types[source.bind_to.replace(/^context\./, '')] = params.ok
      ? resolver.output(params.value, eventType)
      : true;
  }
  if (problems.length === 0) return { ok: true, types };
  return { ok: false, message: problems.map(({ message }) => message).join('; '), problems, types };
}

export function unknownSourceType(type: string, resolvers: Resolvers): string {
  const known = [...resolvers.keys()].sort();
  return `unknown context source type \`${type}\`${suggestion(type, known)}; known types: ${listNames(known)}`;
}

/** `{{ }}` is rendered before a run asks the source, and checked then. */
function isRenderedLater(params: Json, path: (string | number)[]): boolean {
  let value: Json | undefined = params;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return false;
    value = Object.entries(value).find(([key]) => key === String(step))?.[1];
  }
  return typeof value === 'string' && isTemplate(value);
}

/** Whether a run of it waits for somebody else. */
export function isRemote({ context_sources, instructions }: Definition, resolvers: Resolvers): boolean {
  return instructions.length > 0 || context_sources.some(({ type }) => resolvers.get(type)?.io === 'remote');
}
