/** The systems that other teams run, as the configuration names them. */
import { type AskModel, createAskModel } from '../activities/ask-model.ts';
import { createCallJournal, createMemoryCallJournal } from '../activities/call-journal.ts';
import { createLlmConnectClient } from '../clients/llm-connect.ts';
import { createStateHubClient, type StateHubClient } from '../clients/state-hub.ts';
import type { ServiceConfig } from '../config.ts';
import { createOutputCheck } from '../core/output-schema.ts';
import { createReportSinks } from '../reports/registry.ts';
import type { ReportSink } from '../reports/report-sink.ts';
import { createResolvers, type Resolvers } from '../resolvers/registry.ts';
import { createIssueCoreRestSink } from '../sinks/issue-core-rest-sink.ts';
import { createNullSink } from '../sinks/null-sink.ts';
import type { Sink } from '../sinks/sink.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createOpsInventory, type OpsInventoryDeps } from './ops-inventory.ts';

export interface ExternalSystems {
  resolvers: Resolvers;
  /** Also while ISSUE_SINK_TYPE is null: who wants to promote a definition asks it first. Null without ISSUE_CORE_URL. */
  issueCore: Sink | null;
  /** What ISSUE_SINK_TYPE says. */
  sink: Sink;
  /** Null without STATE_HUB_URL. */
  stateHub: StateHubClient | null;
  reportSinks: ReadonlyMap<string, ReportSink>;
  askModel: AskModel;
  /** For dry runs: keeps nothing of what it asks. */
  rehearseModel: () => AskModel;
  /** For dry runs of retries: knows the answers on record, and asks nobody. */
  recallModel: AskModel;
}

/** `own`: what is ours, for the source that looks at it. */
export function createExternalSystems(
  config: ServiceConfig,
  own: OpsInventoryDeps,
  logger: Logger,
): ExternalSystems {
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
  const model = {
    llmConnect:
      config.LLM_CONNECT_URL === undefined
        ? null
        : createLlmConnectClient({
            url: config.LLM_CONNECT_URL,
            timeoutMs: config.LLM_CONNECT_TIMEOUT_SECONDS * 1000,
            model: config.LLM_CONNECT_MODEL,
          }),
    checkOutput: createOutputCheck(),
    logger,
  };
  return {
    resolvers: createResolvers({
      kaizenReposRoot: config.KAIZEN_REPOS_ROOT,
      kaizenEngagementRoster: config.KAIZEN_ENGAGEMENT_ROSTER,
      stateHub,
      opsInventory: createOpsInventory(config, own),
    }),
    stateHub: stateHub ?? null,
    reportSinks: createReportSinks({ stateHub, workingMemoryDir: config.WORKING_MEMORY_DIR }),
    askModel: createAskModel({ ...model, journal: createCallJournal(own.pool) }),
    rehearseModel: () => createAskModel({ ...model, journal: createMemoryCallJournal() }),
    recallModel: createAskModel({
      ...model,
      llmConnect: null,
      whyNobody: 'no answer is on record, and a dry run of a retry asks nobody',
      journal: createCallJournal(own.pool),
    }),
    issueCore,
    sink: config.ISSUE_SINK_TYPE === 'issue-core' && issueCore ? issueCore : createNullSink(),
  };
}
