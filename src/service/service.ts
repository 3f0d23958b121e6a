/**
 * Puts the roles together and takes them down: the only place that knows all rooms.
 * A server that is away delays the start: health is served from the first moment and says what is missing.
 */
import { Client, type WorkflowClient } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { createApp } from '../api/app.ts';
import { startBridge } from '../bridge/bridge.ts';
import { connectNats } from '../bridge/connect.ts';
import { createConsumerLag } from '../bridge/consumer-lag.ts';
import {
  createStartDispatch,
  createStartEmission,
  type StartDispatch,
  type StartEmission,
} from '../bridge/dispatch.ts';
import { createKeepQuarantineRoom } from '../bridge/quarantine-room.ts';
import { createReconcile, startReconciler } from '../bridge/reconcile.ts';
import { createRecordBatch } from '../bridge/record.ts';
import type { ServiceConfig } from '../config.ts';
import { createAppliedRegistry } from '../definitions/applied-registry.ts';
import { createDeleteExpired } from '../retention/delete-expired.ts';
import { startRetention } from '../retention/retention.ts';
import { createAccountForTicks } from '../schedules/account-for-ticks.ts';
import { lateTemporalSchedules } from '../schedules/late-temporal-schedules.ts';
import { createPauseAllExceeded, createPauseExceeded } from '../schedules/pause-exceeded.ts';
import { createTemporalSchedules } from '../schedules/temporal-schedules.ts';
import { createSinkMode } from '../sinks/sink-mode.ts';
import { pendingMigrations } from '../store/migrate.ts';
import { createPool, QUERY_TIMEOUT_MS } from '../store/pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { within } from '../telemetry/within.ts';
import { startExpectations } from '../trust/expectations.ts';
import { startFeedbackReports } from '../trust/feedback.ts';
import { createReadTrust } from '../trust/read-trust.ts';
import { startTrustedMetric } from '../trust/trusted-metric.ts';
import { installTemporalRuntime } from '../worker.ts';
import { createExternalSystems } from './external-systems.ts';
import { listenFault } from './listen-fault.ts';
import { createParts } from './parts.ts';
import { type Check, check, createChecks } from './readiness.ts';
import { freePort, readTemporalMetrics } from './temporal-metrics.ts';
import { createWaiting } from './waiting.ts';
import { createServiceWorkers } from './workers.ts';
import { createWorkflowBundle } from './workflow-bundle.ts';

export const ROLES = ['worker', 'subscriber', 'api'] as const;
export type Role = (typeof ROLES)[number];

export interface ServiceOptions {
  config: ServiceConfig;
  roles: readonly Role[];
  logger: Logger;
  migrationsDir: string;
}

export interface Service {
  /** Where health, metrics and, in the API's role, the API answer. */
  url: string;
  /** Resolves with true when every role works, with false where the stop came first. */
  ready: Promise<boolean>;
  /** Rejects when a role ended by itself and cannot be mended from within. */
  failed: Promise<never>;
  stop(): Promise<void>;
}

const STEP_BOUND_MS = 20_000;
const FLUSH_GRACE_MS = 8_000;
const UNUSED: Check = { ok: true, message: 'not used by this role' };

export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, roles, logger } = options;
  const metricsPort = await freePort();
  installTemporalRuntime(logger, metricsPort);
  const metrics = createMetrics({ roles, emitGiveUpHours: config.EMIT_GIVE_UP_HOURS });
  const pool = createPool(config.DATABASE_URL, logger, { max: 20, queryTimeoutMs: QUERY_TIMEOUT_MS });
  const own = { pool, roles, parts: () => parts };
  const external = createExternalSystems(config, own, logger);
  const { resolvers, stateHub } = external;
  const registry = createAppliedRegistry(pool, resolvers);
  const sinkMode = createSinkMode(config.ISSUE_SINK_TYPE);
  const namespace = config.temporal.namespace ?? 'default';
  const { DEDUPE_DAYS: dedupeDays, QUARANTINE_MAX_BYTES: quarantineMaxBytes } = config;
  const stopping = new AbortController();
  const workflowBundle = createWorkflowBundle(stopping.signal);
  const waiting = createWaiting(stopping.signal, logger);
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const parts = createParts();

  const startDispatch: StartDispatch = async (dispatchId) => {
    if (!parts.startWorkflow) throw new Error('Temporal is not connected yet');
    await parts.startWorkflow(dispatchId);
  };

  const startEmission: StartEmission = async (dispatchId) => {
    if (!parts.startEmission) throw new Error('Temporal is not connected yet');
    await parts.startEmission(dispatchId);
  };

  const temporalSchedules = lateTemporalSchedules(() => parts.temporalSchedules);
  const pauseExceeded = createPauseExceeded({ pool, temporalSchedules, metrics, logger });

  const readTrust = createReadTrust({ pool, stateHub, workingMemoryDir: config.WORKING_MEMORY_DIR });

  const lag = createConsumerLag({
    url: config.NATS_URL,
    credsFile: config.NATS_CREDS_FILE,
    stream: config.NATS_STREAM,
    consumer: config.NATS_CONSUMER,
  });

  const checks = createChecks({
    pool,
    registry,
    isStopping: () => stopping.signal.aborted,
    nats() {
      if (!roles.includes('subscriber')) return UNUSED;
      return parts.bridge?.health() ?? { ok: false, message: waiting.reason() };
    },
    async temporal() {
      const { temporal } = parts;
      if (!temporal) return { ok: false, message: waiting.reason() };
      if (parts.workers?.isPolling() === false) return { ok: false, message: 'the worker does not poll' };
      return check(async () => void (await temporal.workflowService.getSystemInfo({})));
    },
  });

  const recording = { pool, registry, resolvers, sinkMode, metrics, logger, dedupeDays, quarantineMaxBytes };
  const app = createApp({
    ...recording,
    rehearseModel: external.rehearseModel,
    recallModel: external.recallModel,
    readTrust,
    readLag: lag.read,
    temporalUi: { url: config.TEMPORAL_UI_URL ?? null, namespace },
    startDispatch,
    startEmission,
    issueCore: external.issueCore,
    temporalSchedules,
    hasStateHub: stateHub !== null,
    definitionsDir: config.DEFINITIONS_DIR,
    adminToken: config.ADMIN_TOKEN,
    requestsPerMinute: config.ADMIN_REQUESTS_PER_MINUTE,
    roles,
    checks,
    temporalMetrics: () => readTemporalMetrics(metricsPort, logger),
  });
  const url = await app
    .listen({ host: config.ADMIN_HOST, port: config.ADMIN_PORT })
    .catch(async (error: unknown) => {
      await pool.end();
      throw listenFault(error, config);
    });

  async function start(): Promise<boolean> {
    // Whoever waits for it later sees its fault; it is made while the servers are waited for.
    if (roles.includes('worker')) workflowBundle().catch(() => undefined);
    if (!(await waiting.until('PostgreSQL', isMigrated))) return false;
    // Before Temporal and NATS are waited for: silence is an alarm while they are away too.
    if (roles.includes('api'))
      parts.trust = [
        startExpectations({ pool, progress: stateHub, logger }),
        startFeedbackReports({ pool, progress: stateHub, logger }),
        startTrustedMetric({ pool, readTrust, metrics, logger }),
      ];
    if (roles.includes('subscriber')) {
      const periods = { retentionDays: config.RETENTION_DAYS, dedupeDays };
      parts.retention = startRetention(createDeleteExpired({ pool, metrics, logger, ...periods }), logger);
    }
    return (
      (!roles.includes('worker') || (await waiting.until('the bundle of the workflows', bundled))) &&
      (await waiting.until('Temporal', startTemporal)) &&
      (!roles.includes('subscriber') || (await startSubscriber()))
    );
  }

  const bundled = async () => void (await workflowBundle());

  async function isMigrated(): Promise<void> {
    const pending = await pendingMigrations(pool, options.migrationsDir);
    if (pending.length > 0)
      throw new Error(`${pending.length} migrations are not applied; run \`activity-core migrate\``);
  }

  async function startTemporal(): Promise<void> {
    const connection = await NativeConnection.connect(config.temporal.connectionOptions);
    const client = new Client({ connection, namespace });
    const workflows = client.workflow;
    try {
      if (roles.includes('worker')) await startWorker(connection, workflows);
    } catch (error) {
      await connection.close();
      throw error;
    }
    parts.temporal = connection;
    parts.startWorkflow = createStartDispatch(workflows, config.TASK_QUEUE);
    parts.startEmission = createStartEmission(workflows, config.TASK_QUEUE);
    parts.temporalSchedules = createTemporalSchedules({ client, taskQueue: config.TASK_QUEUE });
    if (roles.includes('subscriber')) {
      parts.reconcilers = [
        createReconcile({ pool, workflows, startDispatch, startEmission, metrics, logger }),
        createAccountForTicks({ pool, temporalSchedules, workflows, metrics, logger }),
        createPauseAllExceeded({ pool, logger }, pauseExceeded),
        createKeepQuarantineRoom({ pool, maxBytes: quarantineMaxBytes, logger }),
      ].map((pass) => startReconciler(pass, logger));
    }
  }

  async function startWorker(connection: NativeConnection, workflows: WorkflowClient): Promise<void> {
    parts.workers = await createServiceWorkers({
      config,
      namespace,
      connection,
      workflows,
      pool,
      registry,
      external,
      sinkMode,
      pauseExceeded,
      metrics,
      logger,
      workflowBundle: await workflowBundle(),
    });
    parts.working = parts.workers.run();
    parts.working.catch(failure.reject);
  }

  async function startSubscriber(): Promise<boolean> {
    const connected = await waiting.until('NATS', async () => {
      parts.nats = await connectNats(config.NATS_URL, config.NATS_CREDS_FILE, logger);
    });
    const connection = parts.nats;
    if (!connected || !connection) return false;
    connection.closed().then((error) => {
      if (!stopping.signal.aborted) failure.reject(error ?? new Error('the connection to NATS was closed'));
    });
    const bridge = startBridge({
      connection,
      stream: config.NATS_STREAM,
      consumer: config.NATS_CONSUMER,
      pool,
      record: createRecordBatch(recording),
      startDispatch,
      metrics,
      logger,
    });
    parts.bridge = bridge;
    bridge.failed.catch(failure.reject);
    return waiting.until('the consumer', async () => {
      const health = bridge.health();
      if (!health.ok) throw new Error(health.message);
    });
  }

  const starting = start();
  starting.catch(failure.reject);

  /** The order: not ready, stop consuming, API, worker, NATS, connections, pool. */
  async function stop(): Promise<void> {
    stopping.abort();
    const step = (name: string, work: () => Promise<unknown>) =>
      within(STEP_BOUND_MS, 'it took too long and is left behind', work).catch((error: unknown) =>
        logger.error({ err: error, step: name }, 'a step of the stop failed'),
      );
    await step('consuming', async () => parts.bridge?.stop(FLUSH_GRACE_MS));
    await step('timers', () =>
      Promise.all([...parts.reconcilers, ...parts.trust, parts.retention].map((each) => each?.stop())),
    );
    await step('api', () => app.close());
    await step('worker', async () => {
      parts.workers?.shutdown();
      await parts.working;
    });
    await step('nats', () => Promise.all([parts.nats?.drain(), lag.stop()]));
    await step('temporal', async () => parts.temporal?.close());
    await step('pool', () => pool.end());
  }

  let stopped: Promise<void> | null = null;
  return {
    url,
    ready: Promise.race([starting, failure.promise]),
    failed: failure.promise,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
