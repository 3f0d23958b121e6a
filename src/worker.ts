/** The Temporal worker's set-up. */
import {
  DefaultLogger,
  type LogMetadata,
  type NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
  type WorkflowBundle,
} from '@temporalio/worker';
import type { Logger } from './telemetry/logger.ts';
import {
  type Activities,
  type EmissionActivities,
  emissionTaskQueue,
  type ModelActivities,
  modelTaskQueue,
} from './workflows/contract.ts';

/** The grace and the bound of a stop: a local activity may finish its transaction, a hung one is left behind. */
const SHUTDOWN_GRACE = '10 seconds';
const SHUTDOWN_FORCE = '15 seconds';

/** What the SDK warns of where a worker has activities alone. */
const NO_WORKFLOWS = 'No workflows registered';

export interface WorkerDeps {
  connection: NativeConnection;
  namespace: string;
  taskQueue: string;
  activities: Activities;
  emissionActivities: EmissionActivities;
  workflowBundle: WorkflowBundle;
}

/**
 * Once a process, before anything else of the SDK: it would take the signals otherwise.
 * `metricsPort`: where the SDK serves its own metrics, on loopback.
 */
export function installTemporalRuntime(logger: Logger, metricsPort: number | null): void {
  const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  const child = logger.child({ component: 'temporal' });
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      const known = message.startsWith(NO_WORKFLOWS) ? 'debug' : levels[level];
      child[known]({ ...withoutPayloads(meta) }, message);
    }),
    telemetryOptions: {
      logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} },
      ...(metricsPort === null
        ? {}
        : { metrics: { prometheus: { bindAddress: `127.0.0.1:${metricsPort}` } } }),
    },
  });
}

/** Emissions that go on at one time in this process; each sends several specs at once. */
export const MAX_EMISSIONS = 12;
/** Runs whose model is asked at one time in this process. */
const MAX_ASKING = 20;

/** Runs whose remote sources are asked, reports and evidence: they wait for somebody most of the time. Four definitions' worth. */
const MAX_WAITING = 64;

/** What ends together: the worker, one for emissions alone, and one for runs whose model is asked. */
export interface Workers {
  /** Resolves when all of them have stopped, rejects where one fails. */
  run(): Promise<void>;
  isPolling(): boolean;
  shutdown(): void;
}

export async function createWorkers(deps: WorkerDeps): Promise<Workers> {
  const { taskQueue, emissionActivities, activities } = deps;
  const { prepareRemote } = activities;
  const workers = [
    await createWorker(deps),
    await createSideWorker(deps, {
      taskQueue: emissionTaskQueue(taskQueue),
      activities: { ...emissionActivities },
      maxConcurrentActivityTaskExecutions: MAX_EMISSIONS,
    }),
    await createSideWorker(deps, {
      taskQueue: modelTaskQueue(taskQueue),
      activities: { prepareRemote } satisfies ModelActivities,
      maxConcurrentActivityTaskExecutions: MAX_ASKING,
    }),
  ];
  return {
    async run() {
      await Promise.all(workers.map((worker) => worker.run()));
    },
    isPolling: () => workers.every((worker) => worker.getState() === 'RUNNING'),
    shutdown() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    },
  };
}

/** For activities alone. */
function createSideWorker(
  { connection, namespace }: WorkerDeps,
  side: Required<Pick<WorkerOptions, 'taskQueue' | 'activities' | 'maxConcurrentActivityTaskExecutions'>>,
): Promise<Worker> {
  return Worker.create({
    connection,
    namespace,
    shutdownGraceTime: SHUTDOWN_GRACE,
    shutdownForceTime: SHUTDOWN_FORCE,
    ...side,
  });
}

function createWorker(deps: WorkerDeps): Promise<Worker> {
  const { connection, namespace, taskQueue, activities, workflowBundle } = deps;
  return Worker.create({
    connection,
    namespace,
    taskQueue,
    activities: { ...activities },
    workflowBundle,
    shutdownGraceTime: SHUTDOWN_GRACE,
    shutdownForceTime: SHUTDOWN_FORCE,
    maxConcurrentLocalActivityExecutions: 8,
    maxConcurrentActivityTaskExecutions: MAX_WAITING,
    maxConcurrentWorkflowTaskExecutions: 20,
    maxCachedWorkflows: 200,
    reuseV8Context: true,
  });
}

function withoutPayloads(meta: LogMetadata | undefined): Record<string, unknown> {
  const { error, ...rest } = meta ?? {};
  return error ? { ...rest, err: error } : rest;
}
