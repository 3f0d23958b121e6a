/**
 * A batch of received messages → one transaction that holds the fate of each (contract 2).
 * Nothing is acknowledged and no workflow is started here: what is committed can be repeated safely.
 */
import type { AppliedRegistry, Registry } from '../definitions/applied-registry.ts';
import { isTransient } from '../store/failure.ts';
import { type Pool, pipelined, transaction } from '../store/pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type Decoded, decodeMessages, type Refused } from './decode.ts';
import { claimUndecided } from './known-fates.ts';
import type { ReceivedMessage } from './message.ts';
import { expectVersion, StaleRegistryError, withCurrentRegistry } from './stale-registry.ts';
import { tellOfFaults } from './tell-of-faults.ts';
import { type Recorded, type WriteDeps, writeRecord } from './write-record.ts';

export interface RecordDeps extends WriteDeps {
  pool: Pool;
  registry: AppliedRegistry;
  metrics: Metrics;
  logger: Logger;
  dedupeDays: number;
}

export type RecordBatch = (messages: ReceivedMessage[]) => Promise<Recorded>;

const ALARM_INTERVAL_MS = 60_000;

export function createRecordBatch(deps: RecordDeps): RecordBatch {
  let quietUntil = 0;
  return async function recordBatch(messages) {
    const begunAt = performance.now();
    const recorded = await withCurrentRegistry(
      deps.registry,
      (registry) => recordHalving(deps, registry, decodeMessages(messages, registry, deps.dedupeDays)),
      { expectsVersion: true },
    );
    deps.metrics.flushMessages.observe(messages.length);
    deps.metrics.flushSeconds.observe((performance.now() - begunAt) / 1000);
    tellOfFaults(deps.logger, recorded);
    if (recorded.overflowed.length > 0 && performance.now() >= quietUntil) {
      quietUntil = performance.now() + ALARM_INTERVAL_MS;
      deps.logger.error(
        { quarantine_max_bytes: deps.quarantineMaxBytes, counted: recorded.overflowed.length },
        'quarantine is full: refused messages are counted and not kept; redrive or discard, or raise QUARANTINE_MAX_BYTES',
      );
    }
    return recorded;
  };
}

/** What cannot be recorded is found by halving and quarantined; its neighbours are not touched. */
async function recordHalving(deps: RecordDeps, registry: Registry, decoded: Decoded): Promise<Recorded> {
  const { candidates, refused } = decoded;
  try {
    const recorded = await transaction(deps.pool, async (client, end) => {
      const [undecided] = await pipelined([claimUndecided(client, decoded), expectVersion(client, registry)]);
      return writeRecord(deps, client, registry, undecided, end);
    });
    countMetrics(deps.metrics, recorded);
    return recorded;
  } catch (error) {
    if (isTransient(error) || error instanceof StaleRegistryError) throw error;
    // A good event must not be blamed for those that are kept with it.
    if (candidates.length > 0 && refused.length > 0)
      return inTurn(deps, registry, [
        { candidates, refused: [] },
        { candidates: [], refused },
      ]);
    if (candidates.length === 0) {
      if (refused.length <= 1) throw error;
      // Each of them can be kept, but not all in one statement: PostgreSQL takes 256 MiB.
      const half = refused.length >> 1;
      return inTurn(deps, registry, [
        { candidates: [], refused: refused.slice(0, half) },
        { candidates: [], refused: refused.slice(half) },
      ]);
    }
    const [culprit] = candidates;
    if (candidates.length === 1 && culprit) {
      deps.logger.warn(
        { err: error, event_uid: culprit.event_uid, stream_seq: culprit.message.stream_seq },
        'an event cannot be recorded and is quarantined',
      );
      const violations = [{ pointer: '', message: `cannot be recorded: ${(error as Error).message}` }];
      const alone: Refused = { message: culprit.message, event_uid: null, reason: 'unstorable', violations };
      return recordHalving(deps, registry, { candidates: [], refused: [alone] });
    }
    const middle = candidates.length >> 1;
    return inTurn(deps, registry, [
      { candidates: candidates.slice(0, middle), refused: [] },
      { candidates: candidates.slice(middle), refused: [] },
    ]);
  }
}

async function inTurn(
  deps: RecordDeps,
  registry: Registry,
  [one, other]: [Decoded, Decoded],
): Promise<Recorded> {
  const first = await recordHalving(deps, registry, one);
  return merge(first, await recordHalving(deps, registry, other));
}

function merge(first: Recorded, second: Recorded): Recorded {
  return {
    dispatch_ids: [...first.dispatch_ids, ...second.dispatch_ids],
    queued_definitions: [...first.queued_definitions, ...second.queued_definitions],
    open_dispatches: second.open_dispatches,
    accepted: [...first.accepted, ...second.accepted],
    duplicates: first.duplicates + second.duplicates,
    conflicts: [...first.conflicts, ...second.conflicts],
    decisions: [...first.decisions, ...second.decisions],
    quarantined: [...first.quarantined, ...second.quarantined],
    overflowed: [...first.overflowed, ...second.overflowed],
  };
}

export function countMetrics(metrics: Metrics, recorded: Recorded): void {
  const triggering = new Set(recorded.decisions.map(({ event_uid }) => event_uid));
  const accepted = recorded.accepted.filter(({ event_uid }) => triggering.has(event_uid)).length;
  metrics.events.inc({ fate: 'accepted' }, accepted);
  metrics.events.inc({ fate: 'unmatched' }, recorded.accepted.length - accepted);
  metrics.events.inc({ fate: 'duplicate' }, recorded.duplicates);
  metrics.events.inc({ fate: 'quarantined' }, recorded.quarantined.length);
  for (const { reason } of recorded.quarantined) metrics.quarantined.inc({ reason });
  for (const { reason } of recorded.overflowed) metrics.quarantineOverflow.inc({ reason });
  for (const { definition_id, outcome } of recorded.decisions) {
    metrics.decisions.inc({ definition_id, outcome });
    if (outcome === 'filter_error') metrics.runs.inc({ definition_id, status: 'failed' });
  }
  metrics.openDispatches.set(recorded.open_dispatches);
}
