/** What `/metrics` reads at each scrape: a few questions that an index answers, each with a bound; a gauge whose question fails keeps its value. */
import { QUARANTINE_REASONS } from '../core/envelope.ts';
import type { AppliedRegistry } from '../definitions/applied-registry.ts';
import type { Pool } from '../store/pool.ts';
import { readQuarantineBytes } from '../store/quarantine-volume.ts';
import { countPendingTasks, readOldestPendingSeconds } from '../store/task-spawn-log.ts';
import { type Expectation, listExpectations } from '../store/watched-definitions.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface MeasureDeps {
  pool: Pool;
  registry: AppliedRegistry;
  metrics: Metrics;
  /** `postgres`, `nats`, `temporal`, `definitions` → its state. */
  checks: () => Promise<Record<string, { ok: boolean; message: string }>>;
}

export async function measure(deps: MeasureDeps, logger: Pick<Logger, 'warn'>): Promise<void> {
  const { pool, metrics } = deps;
  // Metrics matter most while something is away.
  const read = <T>(question: Promise<T>, set: (answer: T) => void, fault: string) =>
    question.then(set, (error: unknown) => logger.warn({ err: error }, fault));
  await Promise.all([
    read(
      countPendingTasks(pool),
      (pending) => metrics.outboxPending.set(pending),
      'the outbox could not be counted',
    ),
    read(
      readOldestPendingSeconds(pool),
      (seconds) => metrics.outboxOldest.set(seconds),
      'the age of the outbox could not be read',
    ),
    read(
      readQuarantineBytes(pool),
      (bytes) => metrics.quarantineBytes.set(bytes),
      'the volume of quarantine could not be read',
    ),
    read(
      listExpectations(pool),
      (expectations) => setBreached(metrics, expectations),
      'the expectations could not be read',
    ),
    read(deps.checks(), (checks) => setReady(metrics, checks), 'readiness could not be asked'),
  ]);
  beginAtZero(deps);
}

/** All at once: a definition that has no expectation any more has no value either. */
function setBreached({ expectationBreached }: Metrics, expectations: Expectation[]): void {
  expectationBreached.reset();
  for (const { definition_id, breached } of expectations)
    expectationBreached.set({ definition_id }, breached ? 1 : 0);
}

function setReady({ ready }: Metrics, checks: Record<string, { ok: boolean }>): void {
  ready.reset();
  for (const [check, { ok }] of Object.entries(checks)) ready.set({ check }, ok ? 1 : 0);
}

const FATES = ['accepted', 'unmatched', 'duplicate', 'quarantined'];

/** A counter that begins with its first failure never rises from 0, and `increase()` does not see it. */
function beginAtZero({ registry, metrics }: MeasureDeps): void {
  for (const fate of FATES) metrics.events.inc({ fate }, 0);
  for (const reason of QUARANTINE_REASONS) {
    metrics.quarantined.inc({ reason }, 0);
    metrics.quarantineOverflow.inc({ reason }, 0);
  }
  for (const { definition_id, definition } of registry.held()?.definitions ?? []) {
    for (const status of ['completed', 'failed', 'missed']) metrics.runs.inc({ definition_id, status }, 0);
    if (!definition.trigger.schedule) continue;
    for (const outcome of ['fired', 'overlapped', 'missed', 'paused'])
      metrics.ticks.inc({ definition_id, outcome }, 0);
  }
}
