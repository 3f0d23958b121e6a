/** Binds what activity-core can see of its own operation: dependencies, schedules, queues, definitions (contract 3). */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { keptText } from '../clients/answer-text.ts';
import { nextFireTimes } from '../core/fire-times.ts';
import { canonicalJson, type JsonObject } from '../core/json.ts';
import type { AppliedSchedule, StoreInventory } from '../store/inventory.ts';
import { OPS_INVENTORY_SCHEMA } from './ops-inventory-schema.ts';
import { type Resolver, ResolverError } from './resolver.ts';

/** In the order in which they are bound. PostgreSQL comes before them. */
export const PROBED_DEPENDENCIES = ['nats', 'temporal', 'state-hub', 'issue-core', 'llm-connect'] as const;
export type ProbedDependency = (typeof PROBED_DEPENDENCIES)[number];

/** `ok` is null where it was not asked: `message` says why. `version` and `latency_ms` are null where nobody says. */
export interface Sighting {
  configured: boolean;
  ok: boolean | null;
  version: string | null;
  message: string;
  latency_ms: number | null;
  /** Messages of the durable consumer that are not acknowledged; NATS alone knows. */
  consumer_lag?: number | undefined;
}

/** Everything in it asks within a bounded time, and changes nothing. */
export interface OpsInventory {
  service: { version: string; node_version: string; roles: readonly string[] };
  /** The run that asks is not counted. @throws where PostgreSQL does not answer */
  readStore(askingRunId: string): Promise<{ store: StoreInventory; latency_ms: number }>;
  probes: Readonly<Record<ProbedDependency, () => Promise<Sighting>>>;
}

export interface OpsInventorySourceDeps {
  opsInventory?: OpsInventory | undefined;
}

const params = z.strictObject({});

const NEXT_RUNS = 20;

export function createOpsInventorySource({
  opsInventory,
}: OpsInventorySourceDeps): Resolver<z.output<typeof params>> {
  return {
    type: 'ops-inventory',
    io: 'remote',
    params,
    output: () => OPS_INVENTORY_SCHEMA,
    async resolve({ run }) {
      if (!opsInventory) {
        throw new ResolverError('resolver_failed', 'ops-inventory is known inside of a running service only');
      }
      return await take(opsInventory, run.run_id);
    },
  };
}

/** `snapshot_hash`: SHA-256 in hex of the canonical JSON of all the rest. */
async function take({ service, readStore, probes }: OpsInventory, askingRunId: string): Promise<JsonObject> {
  const [{ store, latency_ms }, ...seen] = await Promise.all([
    readStore(askingRunId).catch(failAsRetryable),
    ...PROBED_DEPENDENCIES.map((name) => look(probes[name])),
  ]);
  const postgres = { configured: true, ok: true, version: store.server_version, message: 'it answers' };
  const consumerLag = seen[PROBED_DEPENDENCIES.indexOf('nats')]?.consumer_lag ?? null;
  const inventory = {
    service: { ...service, roles: [...service.roles].sort() },
    dependencies: [
      { name: 'postgres', ...postgres, latency_ms },
      ...PROBED_DEPENDENCIES.map((name, index) => ({ name, ...dependencyOf(seen[index]!) })),
    ],
    schedules: schedulesOf(store),
    queues: { consumer_lag: consumerLag, ...store.queues },
    definitions: { ...store.definitions },
  };
  return { ...inventory, snapshot_hash: createHash('sha256').update(canonicalJson(inventory)).digest('hex') };
}

function failAsRetryable(error: unknown): never {
  throw new ResolverError('resolver_failed', `PostgreSQL: ${shown(messageOf(error))}`, {
    cause: error,
    retryable: true,
  });
}

/** What cannot be seen is a finding, not a failure. */
async function look(probe: () => Promise<Sighting>): Promise<Sighting> {
  try {
    return await probe();
  } catch (error) {
    return { configured: true, ok: false, version: null, message: messageOf(error), latency_ms: null };
  }
}

function dependencyOf({ configured, ok, version, message, latency_ms }: Sighting): JsonObject {
  return {
    configured,
    ok,
    version: version === null ? null : shown(version),
    message: shown(message),
    latency_ms,
  };
}

function schedulesOf({ now, schedules }: StoreInventory): JsonObject {
  const after = Date.parse(now);
  const isRunning = ({ enabled, paused }: AppliedSchedule) => enabled && !paused;
  const due = schedules.filter(isRunning).flatMap(({ definition_id, schedule }) => {
    const [at] = nextFireTimes(schedule, after, 1);
    return at === undefined ? [] : [{ definition_id, at }];
  });
  // Already by definition, and the sort is stable.
  due.sort((a, b) => a.at - b.at);
  return {
    applied: schedules.length,
    paused: schedules.filter(({ enabled, paused }) => enabled && paused).length,
    next_runs: due.slice(0, NEXT_RUNS).map(({ definition_id, at }) => ({
      definition_id,
      next_run: new Date(at).toISOString().replace('.000Z', 'Z'),
    })),
  };
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message || error.name : String(error);

/** A message may hold a URL, and a URL a password. */
const shown = (text: string): string =>
  keptText(
    text.replaceAll(/[^/\s]+/g, (part) =>
      part.includes('@') ? `***${part.slice(part.lastIndexOf('@'))}` : part,
    ),
  );
