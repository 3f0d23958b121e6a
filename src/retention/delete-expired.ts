/**
 * One pass over everything that has an age, in an order in which nothing loses what it still needs: ticks keep runs, verdicts
 * keep runs, runs keep events, events keep identities.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { deleteExpiredEvents, deleteExpiredIdentities } from '../store/expired-events.ts';
import {
  deleteExpiredBreaches,
  deleteExpiredDispatches,
  deleteExpiredOverflow,
  deleteExpiredPinnedContexts,
  deleteExpiredQuarantine,
  deleteExpiredReviews,
  deleteExpiredTicks,
} from '../store/expired-rows.ts';
import { deleteExpiredRuns } from '../store/expired-runs.ts';
import { type Pool, type Queryable, transaction } from '../store/pool.ts';
import {
  BEGINNING,
  beginPass,
  type Cutoffs,
  type DeletedRows,
  endPass,
  holdPass,
  type Place,
  type Walk,
  type Walked,
} from '../store/retention.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface DeleteExpiredDeps {
  pool: Pool;
  retentionDays: number;
  dedupeDays: number;
  metrics: Pick<Metrics, 'retentionDeleted'>;
  logger: Logger;
  /** Rows that one transaction looks at. */
  batchRows?: number;
}

/**
 * `evenIfNotDue`: also within an hour of the last pass. False where none is due, another replica is at it, or it was aborted.
 * Rejects with the first failure, after it has tried the other tables.
 */
export type DeleteExpired = (signal: AbortSignal, how?: { evenIfNotDue: boolean }) => Promise<boolean>;

const EVERY_SECONDS = 3_600;
/** Longer than a batch may take, whose statements are given up after a minute. */
const LEASE_SECONDS = 150;
const BATCH_ROWS = 1_000;
const LEAST_PAUSE_MS = 50;

type Step = (client: Queryable, batch: { cutoffs: Cutoffs; after: Place; limit: number }) => Promise<Walked>;

const STEPS: Step[] = [
  untilNoneIsFound(deleteExpiredTicks),
  untilNoneIsFound(deleteExpiredReviews),
  (client, batch) => deleteExpiredRuns(client, walkOf(batch)),
  (client, batch) =>
    deleteExpiredEvents(client, { ...walkOf(batch), identitiesBefore: batch.cutoffs.identities }),
  untilNoneIsFound(deleteExpiredDispatches),
  untilNoneIsFound(deleteExpiredPinnedContexts),
  untilNoneIsFound(deleteExpiredQuarantine),
  untilNoneIsFound(deleteExpiredOverflow),
  untilNoneIsFound(deleteExpiredBreaches),
  untilNoneIsFound(deleteExpiredIdentities),
];

export function createDeleteExpired(deps: DeleteExpiredDeps): DeleteExpired {
  const { pool, logger } = deps;
  return async function deleteExpired(signal, { evenIfNotDue } = { evenIfNotDue: false }) {
    const { retentionDays, dedupeDays } = deps;
    const lease = randomUUID();
    const began = performance.now();
    const periods = { retentionDays, dedupeDays, everySeconds: EVERY_SECONDS };
    const request = { lease, leaseSeconds: LEASE_SECONDS, evenIfNotDue, ...periods };
    const cutoffs = await beginPass(pool, request);
    if (!cutoffs) return false;
    const pass: Pass = { lease, cutoffs, signal, deleted: {} };
    const failures: unknown[] = [];
    for (const step of STEPS)
      await takeStep(deps, pass, step).catch((error: unknown) => failures.push(error));
    const finished = failures.length === 0 && !signal.aborted;
    const { deleted } = pass;
    await endPass(pool, { lease, deleted, finished });
    const duration_ms = Math.round(performance.now() - began);
    logger.info({ deleted, before: cutoffs.rows, duration_ms, finished }, 'what is old was deleted');
    if (failures.length > 0) throw failures[0];
    return finished;
  };
}

interface Pass {
  lease: string;
  cutoffs: Cutoffs;
  signal: AbortSignal;
  deleted: DeletedRows;
}

async function takeStep(deps: DeleteExpiredDeps, pass: Pass, step: Step): Promise<void> {
  const { signal } = pass;
  let after: Place | null = BEGINNING;
  while (after && !signal.aborted) {
    const began = performance.now();
    const { deleted, next }: Walked = await takeBatch(deps, pass, step, after);
    count(deps.metrics, pass, deleted);
    after = next;
    // At least half of the time belongs to everybody else.
    if (after) await pause(Math.max(LEAST_PAUSE_MS, performance.now() - began), signal);
  }
}

function takeBatch(deps: DeleteExpiredDeps, pass: Pass, step: Step, after: Place): Promise<Walked> {
  const { lease, cutoffs, deleted } = pass;
  const limit = deps.batchRows ?? BATCH_ROWS;
  return transaction(deps.pool, async (client) => {
    // What a power cut brings back is deleted again; nobody has to wait for the disk.
    await client.query("SELECT set_config('synchronous_commit', 'off', true)");
    if (!(await holdPass(client, { lease, leaseSeconds: LEASE_SECONDS, deleted })))
      throw new Error('another replica has taken over the deletion of what is old');
    return step(client, { cutoffs, after, limit });
  });
}

function count(metrics: DeleteExpiredDeps['metrics'], pass: Pass, deleted: DeletedRows): void {
  for (const [table, rows = 0] of Object.entries(deleted)) {
    if (rows === 0) continue;
    metrics.retentionDeleted.inc({ table }, rows);
    pass.deleted[table] = (pass.deleted[table] ?? 0) + rows;
  }
}

const walkOf = ({ cutoffs, after, limit }: Parameters<Step>[1]): Walk => ({
  before: cutoffs.rows,
  after,
  limit,
});

/** Of a statement that deletes all that it picks: there may be more where it found as many as it may. */
function untilNoneIsFound(
  statement: (db: Queryable, cutoffs: Cutoffs, limit: number) => Promise<DeletedRows>,
): Step {
  return async (client, { cutoffs, after, limit }) => {
    const deleted = await statement(client, cutoffs, limit);
    const [first = 0] = Object.values(deleted);
    return { deleted, next: first >= limit ? after : null };
  };
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  sleep(milliseconds, undefined, { signal }).catch(() => undefined);
