/**
 * Puts the roles together and takes them down: the only place that knows all rooms.
 * A server that is away delays the start: health is served from the first moment and says what is missing.
 */
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { Client } from '@temporalio/client';
import { NativeConnection, type Worker, type WorkflowBundle } from '@temporalio/worker';
import { createActivities } from './activities/activities.ts';
import { createApp } from './api/app.ts';
import { type Bridge, startBridge } from './bridge/bridge.ts';
import { connectNats } from './bridge/connect.ts';
import { createStartDispatch, type StartDispatch } from './bridge/dispatch.ts';
import { createReconcile, startReconciler } from './bridge/reconcile.ts';
import { createRecordBatch } from './bridge/record.ts';
import type { ServiceConfig } from './config.ts';
import { createAppliedRegistry } from './definitions/applied-registry.ts';
import { createResolvers } from './resolvers/registry.ts';
import { createSinkMode } from './sinks/sink-mode.ts';
import { pendingMigrations } from './store/migrate.ts';
import { createPool } from './store/pool.ts';
import type { Logger } from './telemetry/logger.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { createWorker, installTemporalRuntime } from './worker.ts';

export const ROLES = ['worker', 'subscriber', 'api'] as const;
export type Role = (typeof ROLES)[number];

export interface ServiceOptions {
  config: ServiceConfig;
  roles: readonly Role[];
  logger: Logger;
  migrationsDir: string;
  workflowBundle?: WorkflowBundle;
}

export interface Service {
  /** Where health, metrics and, in the API's role, the API answer. */
  url: string;
  /** Resolves when every role works. */
  ready: Promise<void>;
  /** Rejects when a role ended by itself and cannot be mended from within. */
  failed: Promise<never>;
  stop(): Promise<void>;
}

type Check = { ok: boolean; message: string };

const STEP_BOUND_MS = 20_000;
const FLUSH_GRACE_MS = 8_000;
const RETRY_MS = 200;
const NEWS_MS = 2_000;

export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, roles, logger } = options;
  const metricsPort = await freePort();
  installTemporalRuntime(logger, metricsPort);
  const metrics = createMetrics();
  const pool = createPool(config.DATABASE_URL, logger, 20);
  const resolvers = createResolvers();
  const registry = createAppliedRegistry(pool, resolvers);
  const sinkMode = createSinkMode(config.ISSUE_SINK_TYPE);
  const namespace = config.temporal.namespace ?? 'default';
  const stopping = new AbortController();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);

  let temporal: NativeConnection | null = null;
  let workflowStart: StartDispatch | null = null;
  let nats: NatsConnection | null = null;
  let worker: Worker | null = null;
  let working: Promise<void> = Promise.resolve();
  let bridge: Bridge | null = null;
  let reconciler: { stop(): Promise<void> } | null = null;
  let waitingFor = 'starting';

  const startDispatch: StartDispatch = async (dispatchId) => {
    if (!workflowStart) throw new Error('Temporal is not connected yet');
    await workflowStart(dispatchId);
  };

  async function checks(): Promise<Record<string, Check>> {
    const [postgres, definitions] = await Promise.all([
      check(async () => void (await pool.query('SELECT 1'))),
      check(async () => {
        const broken = (await registry.current()).definitions.filter(({ compiled }) => !compiled);
        if (broken.length > 0)
          throw new Error(
            broken.map(({ definition_id, problem }) => `${definition_id}: ${problem}`).join('; '),
          );
      }),
    ]);
    const unused: Check = { ok: true, message: 'not used by this role' };
    const starting: Check = { ok: false, message: waitingFor };
    const subscribed = bridge?.health() ?? starting;
    const temporalCheck = temporal
      ? await check(async () => void (await temporal?.workflowService.getSystemInfo({})))
      : starting;
    const workerRuns = !roles.includes('worker') || worker?.getState() === 'RUNNING';
    return {
      postgres,
      nats: roles.includes('subscriber') ? subscribed : unused,
      temporal:
        temporalCheck.ok && !workerRuns
          ? { ok: false, message: 'the worker does not poll yet' }
          : temporalCheck,
      definitions,
      ...(stopping.signal.aborted ? { service: { ok: false, message: 'stopping' } } : {}),
    };
  }

  const app = createApp({
    pool,
    registry,
    resolvers,
    sinkMode,
    startDispatch,
    metrics,
    logger,
    adminToken: config.ADMIN_TOKEN,
    dedupeDays: config.DEDUPE_DAYS,
    roles,
    checks,
    temporalMetrics: () => readTemporalMetrics(metricsPort, logger),
  });
  const url = await app.listen({ host: config.ADMIN_HOST, port: config.ADMIN_PORT });

  async function start(): Promise<void> {
    waitingFor = 'waiting for PostgreSQL';
    await untilDone('PostgreSQL', async () => {
      const pending = await pendingMigrations(pool, options.migrationsDir);
      if (pending.length > 0)
        throw new Error(`${pending.length} migrations are not applied; run \`activity-core migrate\``);
    });
    waitingFor = 'waiting for Temporal';
    await untilDone('Temporal', async () => {
      const connection = await NativeConnection.connect(config.temporal.connectionOptions);
      const workflows = new Client({ connection, namespace }).workflow;
      if (roles.includes('worker')) {
        const activities = createActivities({ pool, registry, resolvers, sinkMode, metrics, logger });
        worker = await createWorker({
          ...options,
          connection,
          namespace,
          taskQueue: config.TASK_QUEUE,
          activities,
        }).catch(async (error) => {
          await connection.close();
          throw error;
        });
        working = worker.run();
        working.catch((error: unknown) => failure.reject(error));
      }
      temporal = connection;
      workflowStart = createStartDispatch(workflows, config.TASK_QUEUE);
      if (roles.includes('subscriber')) {
        reconciler = startReconciler(createReconcile({ pool, workflows, startDispatch, logger }), logger);
      }
    });
    if (!roles.includes('subscriber')) return;
    waitingFor = 'waiting for NATS';
    nats = await connectNats(config.NATS_URL, config.NATS_CREDS_FILE, logger);
    bridge = startBridge({
      connection: nats,
      stream: config.NATS_STREAM,
      consumer: config.NATS_CONSUMER,
      pool,
      record: createRecordBatch({
        pool,
        registry,
        resolvers,
        sinkMode,
        metrics,
        dedupeDays: config.DEDUPE_DAYS,
      }),
      startDispatch,
      metrics,
      logger,
    });
    await untilDone('the consumer', async () => {
      const health = bridge?.health();
      if (!health?.ok) throw new Error(health?.message);
    });
  }

  async function untilDone(what: string, work: () => Promise<void>): Promise<void> {
    const since = performance.now();
    for (let told = ''; !stopping.signal.aborted; ) {
      try {
        await work();
        return;
      } catch (error) {
        waitingFor = `waiting for ${what}: ${(error as Error).message}`;
        // A moment's wait is no news; what lasts is told once for each reason.
        if (performance.now() - since > NEWS_MS && told !== waitingFor) {
          logger.warn({ err: error }, `waiting for ${what}`);
          told = waitingFor;
        }
        await sleep(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
  }

  const starting = start();
  starting.catch((error: unknown) => failure.reject(error));

  let stopped: Promise<void> | null = null;
  async function stop(): Promise<void> {
    stopping.abort();
    const bounded = (step: string, work: () => Promise<unknown>) => withBound(step, work, logger);
    await bounded('consuming', async () => bridge?.stop(FLUSH_GRACE_MS));
    await bounded('reconciler', async () => reconciler?.stop());
    await bounded('api', () => app.close());
    await bounded('worker', async () => {
      if (worker?.getState() === 'RUNNING') worker.shutdown();
      await working.catch((error: unknown) => logger.warn({ err: error }, 'the worker had failed'));
    });
    await bounded('nats', async () => nats?.drain());
    await bounded('temporal', async () => temporal?.close());
    await bounded('pool', () => pool.end());
  }

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

async function check(work: () => Promise<void>): Promise<Check> {
  try {
    await Promise.race([work(), sleep(3_000).then(() => Promise.reject(new Error('no answer within 3 s')))]);
    return { ok: true, message: 'ok' };
  } catch (error) {
    return { ok: false, message: (error as Error).message || String(error) };
  }
}

async function withBound(step: string, work: () => Promise<unknown>, logger: Logger): Promise<void> {
  const bound = new AbortController();
  const late = sleep(STEP_BOUND_MS, undefined, { signal: bound.signal }).then(
    () => logger.error({ step }, 'a step of the stop took too long and is left behind'),
    () => undefined,
  );
  try {
    await Promise.race([work(), late]);
  } catch (error) {
    logger.error({ err: error, step }, 'a step of the stop failed');
  } finally {
    bound.abort();
  }
}

async function readTemporalMetrics(port: number, logger: Logger): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(2_000) });
    return response.ok ? await response.text() : '';
  } catch (error) {
    logger.warn({ err: error }, 'the Temporal SDK’s metrics could not be read');
    return '';
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
