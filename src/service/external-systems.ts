/** The systems that other teams run, as the configuration names them. */
import { createStateHubClient } from '../clients/state-hub.ts';
import type { ServiceConfig } from '../config.ts';
import { createResolvers, type Resolvers } from '../resolvers/registry.ts';
import { createIssueCoreRestSink } from '../sinks/issue-core-rest-sink.ts';
import { createNullSink } from '../sinks/null-sink.ts';
import type { Sink } from '../sinks/sink.ts';
import type { ProgressSink } from '../trust/breach-progress.ts';
import { createOpsInventory, type OpsInventoryDeps } from './ops-inventory.ts';

export interface ExternalSystems {
  resolvers: Resolvers;
  /** Also while ISSUE_SINK_TYPE is null: who wants to promote a definition asks it first. Null without ISSUE_CORE_URL. */
  issueCore: Sink | null;
  /** What ISSUE_SINK_TYPE says. */
  sink: Sink;
  /** Null without STATE_HUB_URL. */
  progress: ProgressSink | null;
}

/** `own`: what is ours, for the source that looks at it. */
export function createExternalSystems(config: ServiceConfig, own: OpsInventoryDeps): ExternalSystems {
  const { STATE_HUB_URL, STATE_HUB_TOKEN, ISSUE_CORE_URL, ISSUE_CORE_TOKEN } = config;
  const stateHub =
    STATE_HUB_URL === undefined
      ? undefined
      : createStateHubClient({ url: STATE_HUB_URL, token: STATE_HUB_TOKEN });
  const issueCore =
    ISSUE_CORE_URL === undefined
      ? null
      : createIssueCoreRestSink({
          url: ISSUE_CORE_URL,
          token: ISSUE_CORE_TOKEN,
          timeoutMs: config.ISSUE_CORE_TIMEOUT_SECONDS * 1000,
        });
  return {
    resolvers: createResolvers({
      kaizenReposRoot: config.KAIZEN_REPOS_ROOT,
      kaizenEngagementRoster: config.KAIZEN_ENGAGEMENT_ROSTER,
      stateHub,
      opsInventory: createOpsInventory(config, own),
    }),
    progress: stateHub ?? null,
    issueCore,
    sink: config.ISSUE_SINK_TYPE === 'issue-core' && issueCore ? issueCore : createNullSink(),
  };
}
