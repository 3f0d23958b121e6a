/** What `/metrics` reads at each scrape: a few questions that an index answers, all at once. What cannot be read in time has no value. */
import type { Gauge } from 'prom-client';
import { QUARANTINE_REASONS } from '../core/envelope.ts';
import type { AppliedRegistry } from '../definitions/applied-registry.ts';
import { countOutbox, readOldestEmissionSeconds } from '../store/outbox-measures.ts';
import type { Pool } from '../store/pool.ts';
import { readQuarantineBytes } from '../store/quarantine-volume.ts';
import { type Expectation, listExpectations } from '../store/watched-definitions.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { within } from '../telemetry/within.ts';

export interface MeasureDeps {
  pool: Pool;
  registry: AppliedRegistry;
  metrics: Metrics;
  /** `postgres`, `nats`, `temporal`, `definitions` → its state. Answers within three seconds, whatever is away. */
  checks: () => Promise<Record<string, { ok: boolean; message: string }>>;
}

/** A connection that cannot be had counts too; Prometheus gives up after ten seconds, and then sees nothing at all. */
const BOUND_MS = 3_000;

export async function measure(deps: MeasureDeps, logger: Pick<Logger, 'warn'>): Promise<void> {
  const { pool, metrics } = deps;
  // Metrics matter most while something is away.
  const read = <T>(question: () => Promise<T>, show: (answer: T | null) => void, fault: string) =>
    within(BOUND_MS, `no answer within ${BOUND_MS} ms`, question).then(show, (error: unknown) => {
      show(null);
      logger.warn({ err: error }, fault);
    });
  await Promise.all([
    read(
      () => countOutbox(pool),
      (counts) => {
        set(metrics.outboxPending, counts?.pending);
        set(metrics.outboxStranded, counts?.stranded);
      },
      'the outbox could not be counted',
    ),
    read(
      () => readOldestEmissionSeconds(pool),
      (seconds) => set(metrics.outboxOldest, seconds),
      'the age of the outbox could not be read',
    ),
    read(
      () => readQuarantineBytes(pool, BOUND_MS),
      (bytes) => set(metrics.quarantineBytes, bytes),
      'the volume of quarantine could not be read',
    ),
    read(
      () => listExpectations(pool),
      (expectations) => setBreached(metrics, expectations ?? []),
      'the expectations could not be read',
    ),
    // Bounded by itself: whose check is late is what it tells.
    deps.checks().then(
      (checks) => setReady(metrics, checks),
      (error: unknown) => {
        setReady(metrics, {});
        logger.warn({ err: error }, 'readiness could not be asked');
      },
    ),
  ]);
  beginAtZero(deps);
}

/** What nobody knows has no value: `absent()` sees that, and no alert rests on what was true some time ago. */
function set(gauge: Gauge, value: number | null | undefined): void {
  if (value === null || value === undefined) gauge.remove();
  else gauge.set(value);
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

/** `increase()` sees no rise of a counter that begins with its first failure. */
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
