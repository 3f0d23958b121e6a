/** `engagement check`: are the definitions' crons and the repositories' crons in step? Needs no server of activity-core. */
import { relative } from 'node:path';
import { createStateHubClient } from '../clients/state-hub.ts';
import { alignEngagement } from '../core/engagement-alignment.ts';
import { formatError } from '../definitions/errors.ts';
import { loadDefinitions } from '../definitions/load.ts';
import type { DiscoveryDeps } from '../resolvers/kaizen-discovery.ts';
import { createResolvers } from '../resolvers/registry.ts';
import { type Cli, type ExitCode, printJson } from './cli.ts';
import { printAlignment } from './engagement-report.ts';
import { discoverSources } from './engagement-sources.ts';
import { UsageError } from './usage-error.ts';

/** The exit code: 1 where anything is out of step, 2 where repositories could not be discovered. */
export async function engagementCheckCommand(cli: Cli, { json }: { json: boolean }): Promise<ExitCode> {
  const deps = await discoveryDeps(cli);
  const definitionsDir = relative(process.cwd(), cli.readConfig().DEFINITIONS_DIR) || '.';
  const loaded = await loadDefinitions(definitionsDir, createResolvers());
  if (!loaded.ok) {
    const { errors } = loaded;
    if (json) printJson(cli.terminal, { definitions: [], in_step: 0, findings: [], notes: [], errors });
    for (const error of errors) cli.terminal.warn(formatError(error));
    cli.terminal.warn('The definitions are invalid; nothing was compared.');
    return 1;
  }
  if (loaded.definitions.length === 0) {
    throw new UsageError(
      `the folder ${definitionsDir} has no definitions, so nothing can be compared; set DEFINITIONS_DIR to the folder that holds them`,
    );
  }
  const alignment = alignEngagement(await discoverSources(loaded.definitions, deps), cli.now().getTime());
  if (json) printJson(cli.terminal, alignment);
  else printAlignment(cli.terminal, alignment);
  if (alignment.findings.some(({ kind }) => kind === 'not_discovered')) return 2;
  return alignment.findings.length > 0 ? 1 : 0;
}

/** What the environment names, else what the running dev instance uses. @throws UsageError */
async function discoveryDeps(cli: Cli): Promise<DiscoveryDeps> {
  const { KAIZEN_REPOS_ROOT, KAIZEN_ENGAGEMENT_ROSTER, STATE_HUB_URL, STATE_HUB_TOKEN } = cli.readConfig();
  const dev = KAIZEN_REPOS_ROOT ? null : await cli.readDevFile();
  const kaizenReposRoot = KAIZEN_REPOS_ROOT ?? dev?.kaizen_repos_root;
  if (!kaizenReposRoot) {
    throw new UsageError(
      'KAIZEN_REPOS_ROOT is not set, and no dev instance runs here; set it to the folder that holds the repositories, or start `npm run dev`, which has a sample',
    );
  }
  const url = STATE_HUB_URL ?? dev?.state_hub_url;
  return {
    kaizenReposRoot,
    kaizenEngagementRoster: KAIZEN_ENGAGEMENT_ROSTER ?? dev?.kaizen_engagement_roster,
    ...(url ? { stateHub: createStateHubClient({ url, token: STATE_HUB_TOKEN }) } : {}),
  };
}
