/** What a run of `ops-inventory` asks: each dependency once, within a bound, and by reading alone. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { NativeConnection } from '@temporalio/worker';
import manifest from '../../package.json' with { type: 'json' };
import { exchange } from '../clients/http-exchange.ts';
import { createIssueCoreClient } from '../clients/issue-core.ts';
import { createAskStateHub } from '../clients/state-hub-request.ts';
import { pageOf, progressSchema } from '../clients/state-hub-shapes.ts';
import type { ServiceConfig } from '../config.ts';
import type { OpsInventory, Sighting } from '../resolvers/ops-inventory.ts';
import { readStoreInventory } from '../store/inventory.ts';
import type { Pool } from '../store/pool.ts';
import { within } from '../telemetry/within.ts';

export interface OpsInventoryDeps {
  pool: Pool;
  roles: readonly string[];
  /** Null while it is not connected. */
  parts: () => { nats: NatsConnection | null; temporal: NativeConnection | null };
}

/** For an answer; the bound is for what does not keep to it. */
const ANSWER_MS = 4_000;
const BOUND_MS = 5_000;

const ISSUE_CORE_KEY = 'activity-core:ops-inventory';
const PROGRESS_TYPE = 'ops_inventory_probe';

export function createOpsInventory(config: ServiceConfig, deps: OpsInventoryDeps): OpsInventory {
  return {
    service: { version: manifest.version, node_version: process.versions.node, roles: deps.roles },
    async readStore(askingRunId) {
      const { found, latency_ms } = await timed(() => readStoreInventory(deps.pool, askingRunId, ANSWER_MS));
      return { store: found, latency_ms };
    },
    probes: {
      nats: () => seeNats(config, deps),
      temporal: () => sighting(() => askTemporal(deps)),
      'state-hub': () => seeStateHub(config),
      'issue-core': () => seeIssueCore(config),
      'llm-connect': () => seeLlmConnect(config),
    },
  };
}

async function seeNats(config: ServiceConfig, { parts, roles }: OpsInventoryDeps): Promise<Sighting> {
  if (!roles.includes('subscriber')) {
    return notAsked(true, 'not seen from here: this process has no connection, for it is no subscriber');
  }
  return await sighting(async () => {
    const { nats: connection } = parts();
    if (!connection) throw new Error('not connected yet');
    // Fails at once while the connection is away, where a request would wait.
    await connection.rtt();
    const manager = await jetstreamManager(connection, { timeout: ANSWER_MS, checkAPI: false });
    const { num_pending, num_ack_pending } = await manager.consumers.info(
      config.NATS_STREAM,
      config.NATS_CONSUMER,
    );
    return { version: connection.info?.version ?? null, consumer_lag: num_pending + num_ack_pending };
  });
}

async function askTemporal({ parts }: OpsInventoryDeps): Promise<Finding> {
  const { temporal: connection } = parts();
  if (!connection) throw new Error('not connected yet');
  const { serverVersion } = await connection.withDeadline(Date.now() + ANSWER_MS, () =>
    connection.workflowService.getSystemInfo({}),
  );
  return { version: serverVersion || null };
}

/** A page that is empty: what was filed since this moment. */
async function seeStateHub({ STATE_HUB_URL, STATE_HUB_TOKEN }: ServiceConfig): Promise<Sighting> {
  if (STATE_HUB_URL === undefined) return notAsked(false, 'STATE_HUB_URL is not set');
  const ask = createAskStateHub({ url: STATE_HUB_URL, token: STATE_HUB_TOKEN, timeoutMs: ANSWER_MS });
  const query = { event_type: PROGRESS_TYPE, since: new Date().toISOString() };
  return await sighting(async () => {
    await ask({ method: 'GET', path: '/progress', query, accepts: [200], schema: pageOf(progressSchema) });
    return {};
  });
}

/** The look-up that comes before a task is posted: it creates nothing. */
async function seeIssueCore({ ISSUE_CORE_URL, ISSUE_CORE_TOKEN }: ServiceConfig): Promise<Sighting> {
  if (ISSUE_CORE_URL === undefined) return notAsked(false, 'ISSUE_CORE_URL is not set');
  const options = { url: ISSUE_CORE_URL, token: ISSUE_CORE_TOKEN, timeoutMs: ANSWER_MS };
  return await sighting(async () => {
    const answer = await createIssueCoreClient(options).findOpenTasks(ISSUE_CORE_KEY);
    if (answer.kind !== 'answered') throw new Error(answer.fault.message);
    return {};
  });
}

async function seeLlmConnect({ LLM_CONNECT_URL }: ServiceConfig): Promise<Sighting> {
  if (LLM_CONNECT_URL === undefined) return notAsked(false, 'LLM_CONNECT_URL is not set');
  return await sighting(async () => {
    const answer = await exchange({
      url: `${LLM_CONNECT_URL}/v1/models`,
      method: 'GET',
      headers: { accept: 'application/json' },
      token: undefined,
      timeoutMs: ANSWER_MS,
      setting: 'LLM_CONNECT_URL',
    });
    if (answer.broken) throw new Error(answer.reason);
    const { status } = answer;
    // Chat completions are all that is asked of it: it need not list its models.
    if (status === 404 || status === 405) return { message: 'it answers, but lists no models' };
    if (status !== 200) throw new Error(`it answered ${status}; is LLM_CONNECT_URL right?`);
    return {};
  });
}

type Finding = Partial<Pick<Sighting, 'version' | 'message' | 'consumer_lag'>>;

async function sighting(ask: () => Promise<Finding>): Promise<Sighting> {
  try {
    const { found, latency_ms } = await timed(ask);
    return { configured: true, ok: true, version: null, message: 'it answers', latency_ms, ...found };
  } catch (error) {
    const message = (error as Error).message || String(error);
    return { configured: true, ok: false, version: null, message, latency_ms: null };
  }
}

function notAsked(configured: boolean, message: string): Sighting {
  return { configured, ok: null, version: null, message, latency_ms: null };
}

async function timed<T>(ask: () => Promise<T>): Promise<{ found: T; latency_ms: number }> {
  const startedAt = performance.now();
  const found = await within(BOUND_MS, `no answer within ${BOUND_MS / 1000} s`, ask);
  return { found, latency_ms: Math.round(performance.now() - startedAt) };
}
