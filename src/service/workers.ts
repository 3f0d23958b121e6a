/** The Temporal workers of this process, with everything that their activities need. */
import type { WorkflowClient } from '@temporalio/client';
import type { NativeConnection, WorkflowBundle } from '@temporalio/worker';
import { createActivities, createEmissionActivities } from '../activities/activities.ts';
import { createStartDispatch } from '../bridge/dispatch.ts';
import { createStartQueued } from '../bridge/start-dispatches.ts';
import type { ServiceConfig } from '../config.ts';
import type { AppliedRegistry } from '../definitions/applied-registry.ts';
import type { PauseExceeded } from '../schedules/pause-exceeded.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import type { Pool } from '../store/pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createCollectEvidence } from '../trust/collect-evidence.ts';
import { createWorkers, type Workers } from '../worker.ts';
import type { ExternalSystems } from './external-systems.ts';

export interface ServiceWorkersDeps {
  config: ServiceConfig;
  namespace: string;
  connection: NativeConnection;
  workflows: WorkflowClient;
  pool: Pool;
  registry: AppliedRegistry;
  external: ExternalSystems;
  sinkMode: DecideSinkMode;
  pauseExceeded: PauseExceeded;
  metrics: Metrics;
  logger: Logger;
  workflowBundle: WorkflowBundle;
}

export function createServiceWorkers(deps: ServiceWorkersDeps): Promise<Workers> {
  const { config, external, workflows, workflowBundle } = deps;
  const { pool, registry, sinkMode, metrics, logger } = deps;
  const { stateHub, resolvers, askModel, reportSinks, sink } = external;
  const shared = { pool, registry, sinkMode, metrics, logger };
  const startDispatch = createStartDispatch(workflows, config.TASK_QUEUE);
  const workingMemoryDir = config.WORKING_MEMORY_DIR;
  return createWorkers({
    connection: deps.connection,
    namespace: deps.namespace,
    taskQueue: config.TASK_QUEUE,
    activities: createActivities({
      ...shared,
      resolvers,
      askModel,
      reportSinks,
      pauseExceeded: deps.pauseExceeded,
      startQueued: createStartQueued({ pool, startDispatch, logger }),
      collectEvidence: createCollectEvidence({ pool, workflows, stateHub, workingMemoryDir, logger }),
    }),
    emissionActivities: createEmissionActivities({
      ...shared,
      sink,
      // A look-up, a post and a comment, and time to spare.
      leaseSeconds: 3 * config.ISSUE_CORE_TIMEOUT_SECONDS + 30,
      giveUpHours: config.EMIT_GIVE_UP_HOURS,
    }),
    workflowBundle,
  });
}
