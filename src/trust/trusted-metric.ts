/** `activity_core_trusted`: every definition with a schedule is asked about at once and then on a plain timer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { listCurrentDefinitions } from '../store/definitions.ts';
import { isTransient } from '../store/failure.ts';
import type { Pool } from '../store/pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Trust } from './evidence.ts';
import { tellingOnce } from './telling-once.ts';

const INTERVAL_MS = 60_000;
/** How many clean ticks the metric asks for: what the API and the CLI ask for unless told otherwise. */
const REQUIRED = 3;

export interface SetTrustedDeps {
  pool: Pool;
  /** Null where no definition has this id. */
  readTrust: (definitionId: string, required: number) => Promise<Pick<Trust, 'trusted'> | null>;
  metrics: Pick<Metrics, 'trusted'>;
}

export interface TrustedMetricDeps extends SetTrustedDeps {
  logger: Logger;
}

/** `stop` does not wait for a look that is under way: State Hub may hang. What that look finds is dropped. */
export function startTrustedMetric({ logger, ...deps }: TrustedMetricDeps): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const setTrusted = createSetTrusted(deps);
  const look = tellingOnce(
    () => setTrusted(signal),
    (error) => {
      // What was left behind by the stop fails on a pool that is closed.
      if (signal.aborted) return;
      const level = isTransient(error) ? 'warn' : 'error';
      logger[level]({ err: error }, 'trust could not be read, and counts as not given; it is tried again');
    },
  );

  async function keepLooking(): Promise<void> {
    while (!signal.aborted) {
      await look();
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  void keepLooking();
  return { stop: async () => stopping.abort() };
}

/**
 * One look at all of them. What cannot be read is 0, never what it was: an old 1 would hide what the metric is there to show.
 * Rejects with the first failure, after it has looked at the others.
 */
export function createSetTrusted(deps: SetTrustedDeps): (signal?: AbortSignal) => Promise<void> {
  const { pool, readTrust, metrics } = deps;
  const shown = new Set<string>();

  return async function setTrusted(signal) {
    const definitionIds = await listScheduled(pool).catch((error: unknown) => {
      for (const definitionId of shown) show(definitionId, false);
      throw error;
    });
    for (const definitionId of shown) if (!definitionIds.includes(definitionId)) hide(definitionId);
    const failures: unknown[] = [];
    for (const definitionId of definitionIds) {
      if (signal?.aborted) return;
      const trust = await readTrust(definitionId, REQUIRED).catch((error: unknown) => {
        failures.push(error);
        return { trusted: false };
      });
      if (signal?.aborted) return;
      if (trust) show(definitionId, trust.trusted);
      else hide(definitionId);
    }
    if (failures.length > 0) throw failures[0];
  };

  function show(definition_id: string, isTrusted: boolean): void {
    metrics.trusted.set({ definition_id }, isTrusted ? 1 : 0);
    shown.add(definition_id);
  }

  function hide(definition_id: string): void {
    metrics.trusted.remove({ definition_id });
    shown.delete(definition_id);
  }
}

async function listScheduled(pool: Pool): Promise<string[]> {
  const definitions = await listCurrentDefinitions(pool);
  return definitions
    .filter(({ enabled, document }) => enabled && document.trigger.schedule !== undefined)
    .map(({ definition_id }) => definition_id);
}
