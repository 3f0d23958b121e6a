/** Binds the scheduled agents of an engagement's repositories, out of each one's `.kaizen/schedule.yml`. */
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import { quote } from '../core/wording.ts';
import { type DiscoveryDeps, type DiscoveryParams, discoverScheduledRepos } from './kaizen-discovery.ts';
import { CADENCES } from './kaizen-schedule.ts';
import type { Resolver } from './resolver.ts';

const params = z.strictObject({
  cadence: z.enum(CADENCES).describe('Which entries of the schedules'),
  engagement_slug: z
    .string()
    // It becomes a part of a URL's path, where `..` would lead elsewhere.
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/, 'a slug of letters, digits, `.`, `_` and `-`')
    .optional()
    .describe('Whose roster: State Hub knows its path, else KAIZEN_ENGAGEMENT_ROSTER'),
  roster_path: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('The roster, relative to KAIZEN_REPOS_ROOT and in it'),
  agents: z
    .array(z.string().min(1))
    .min(1)
    .superRefine((agents, context) => {
      for (const [index, agent] of agents.entries()) {
        if (agents.indexOf(agent) === index) continue;
        const message = `the agent ${quote(agent)} stands here a second time`;
        context.addIssue({ code: 'custom', path: [index], message });
      }
    })
    .optional()
    .describe('Only these agents'),
});

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };

const OUTPUT = objectOf({
  runs: listOf({
    repo: text,
    agent: text,
    cadence: { type: 'string', enum: [...CADENCES] },
    cron: textOrNull,
    engagement: textOrNull,
    due: { type: 'boolean' },
  }),
  repos_scanned: { type: 'integer' },
  skipped: listOf({ repo: text, reason: text }),
});

export function createDiscoverKaizenScheduledRepos(deps: DiscoveryDeps): Resolver<DiscoveryParams> {
  return {
    type: 'discover_kaizen_scheduled_repos',
    io: 'remote',
    params,
    output: () => OUTPUT,
    async resolve({ params, run }) {
      const { entries, repos_scanned, skipped } = await discoverScheduledRepos(deps, params, run);
      const runs = entries.map(({ repo, agent, cadence, cron, engagement, due }) => ({
        repo,
        agent,
        cadence,
        cron,
        engagement,
        due,
      }));
      return { runs, repos_scanned, skipped: skipped.map(({ repo, reason }) => ({ repo, reason })) };
    },
  };
}

function objectOf(properties: JsonObject): JsonObject {
  return { type: 'object', required: Object.keys(properties), additionalProperties: false, properties };
}

function listOf(properties: JsonObject): JsonObject {
  return { type: 'array', items: objectOf(properties) };
}
