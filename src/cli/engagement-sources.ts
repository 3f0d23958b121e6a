/** The sources that `engagement check` compares, each with the repositories that it discovers from here. */
import type { Definition } from '../core/definition.ts';
import type { DiscoveredRepos, ScheduledSource } from '../core/engagement-alignment.ts';
import type { Json } from '../core/json.ts';
import { isTemplate } from '../core/template.ts';
import type { LoadedDefinition } from '../definitions/check.ts';
import { createDiscoverKaizenScheduledRepos } from '../resolvers/discover-kaizen-scheduled-repos.ts';
import {
  type DiscoveryDeps,
  type DiscoveryParams,
  discoverScheduledRepos,
} from '../resolvers/kaizen-discovery.ts';
import { ResolverError } from '../resolvers/resolver.ts';

type Found = ScheduledSource['found'];

/** Those of enabled definitions with a schedule. Repositories are read once for each roster and cadence. */
export async function discoverSources(
  definitions: readonly LoadedDefinition[],
  deps: DiscoveryDeps,
): Promise<ScheduledSource[]> {
  const resolver = createDiscoverKaizenScheduledRepos(deps);
  const discoveries = new Map<string, Promise<Found>>();
  const findOnce = ({ agents: _agents, ...params }: DiscoveryParams): Promise<Found> => {
    const key = JSON.stringify([params.cadence, params.engagement_slug, params.roster_path]);
    const found = discoveries.get(key) ?? discover(deps, params);
    discoveries.set(key, found);
    return found;
  };
  const sources = definitions.flatMap(({ definition, file }) =>
    scheduledSourcesOf(definition).map(async ({ schedule, source }): Promise<ScheduledSource> => {
      const about = { definition_id: definition.id, file, schedule, bind_to: source.bind_to };
      if (hasTemplate(source.params)) return { ...about, agents: null, found: { kind: 'rendered_later' } };
      const params = resolver.params.parse(source.params);
      return { ...about, agents: params.agents ?? null, found: await findOnce(params) };
    }),
  );
  return Promise.all(sources);

  function scheduledSourcesOf({ enabled, trigger, context_sources }: Definition) {
    if (!enabled || !trigger.schedule) return [];
    const { cron = null, every = null, timezone } = trigger.schedule;
    const schedule = { cron, every, timezone };
    return context_sources
      .filter(({ type }) => type === resolver.type)
      .map((source) => ({ schedule, source }));
  }
}

async function discover(deps: DiscoveryDeps, params: DiscoveryParams): Promise<Found> {
  try {
    // Whether something is due now is of no interest here.
    const { roster, entries, repos_scanned, skipped } = await discoverScheduledRepos(deps, params, {
      scheduled_for: null,
    });
    const repos: DiscoveredRepos = {
      roster: roster && { source: roster.source, file: roster.file },
      entries: entries.map(({ repo, agent, cadence, cron, timezone }) => ({
        repo,
        agent,
        cadence,
        cron,
        timezone,
      })),
      repos_scanned,
      skipped,
    };
    return { kind: 'discovered', repos };
  } catch (error) {
    if (!(error instanceof ResolverError)) throw error;
    return { kind: 'failed', message: error.message };
  }
}

function hasTemplate(value: Json): boolean {
  if (typeof value === 'string') return isTemplate(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(hasTemplate);
}
