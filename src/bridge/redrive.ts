/** A quarantined message once more, as if it had just come: decoded against the registry as it is now, and recorded. */
import type { Refusal } from '../core/envelope.ts';
import type { AppliedRegistry, Registry } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import { type DecisionView, listDecisions } from '../store/event-decisions.ts';
import { isPoisonousRow } from '../store/failure.ts';
import { type Pool, type Queryable, rehearsal, transaction } from '../store/pool.ts';
import {
  closeQuarantined,
  type LockedQuarantined,
  lockQuarantined,
  updateRefusal,
} from '../store/quarantined-events.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { decodeMessage } from './decode.ts';
import type { StartDispatch } from './dispatch.ts';
import { claimIdentities } from './identify.ts';
import type { ReceivedMessage } from './message.ts';
import { countMetrics } from './record.ts';
import { withCurrentRegistry } from './stale-registry.ts';
import { createStartQueued, startDispatches } from './start-dispatches.ts';
import { tellOfFaults } from './tell-of-faults.ts';
import { type Recorded, writeRecord } from './write-record.ts';

export interface RedriveDeps {
  pool: Pool;
  registry: AppliedRegistry;
  resolvers: Resolvers;
  sinkMode: DecideSinkMode;
  startDispatch: StartDispatch;
  metrics: Metrics;
  logger: Logger;
  dedupeDays: number;
  quarantineMaxBytes: number;
}

/** `quarantined`: refused again, with the reason as it is now. `decisions` are those that this redrive made. */
export type Redriven =
  | { outcome: 'not_found' }
  | { outcome: 'wrong_state'; state: 'redriven' | 'discarded' }
  | { outcome: 'redriven'; fate: 'accepted' | 'unmatched'; decisions: DecisionView[] }
  | { outcome: 'redriven'; fate: 'duplicate'; decisions: [] }
  | ({ outcome: 'redriven'; fate: 'quarantined'; decisions: [] } & Refusal);

export type Redrive = (id: string, options: { dryRun: boolean }) => Promise<Redriven>;

interface Attempt {
  redriven: Redriven;
  recorded: Recorded | null;
}

/** Dry, everything is done and then undone: nothing is started, nothing is counted. */
export function createRedrive(deps: RedriveDeps): Redrive {
  const startQueued = createStartQueued(deps);
  return async function redrive(id, { dryRun }) {
    const within = dryRun ? rehearsal : transaction;
    // The registry is read first: inside, it would wait for a second connection while it holds one.
    const { redriven, recorded } = await withCurrentRegistry(deps.registry, (registry) =>
      within(deps.pool, (client) => attempt(deps, client, registry, id)),
    ).catch((error: unknown) => {
      if (!isPoisonousRow(error)) throw error;
      const violations = [{ pointer: '', message: `cannot be stored: ${(error as Error).message}` }];
      return within(deps.pool, (client) => refuseAgain(client, id, { reason: 'unstorable', violations }));
    });
    if (recorded && !dryRun) {
      countMetrics(deps.metrics, recorded);
      tellOfFaults(deps.logger, recorded);
      await startDispatches(deps, recorded.dispatch_ids);
      await startQueued(recorded.queued_definitions);
    }
    return redriven;
  };
}

async function attempt(
  deps: RedriveDeps,
  client: Queryable,
  registry: Registry,
  id: string,
): Promise<Attempt> {
  const row = await lockQuarantined(client, id);
  const fault = faultOf(row);
  if (fault || !row) return { redriven: fault ?? { outcome: 'not_found' }, recorded: null };
  const decoded = decodeMessage(messageOf(row), registry, deps.dedupeDays);
  if ('reason' in decoded) return refuse(client, id, decoded);
  const recorded = await writeRecord(deps, client, registry, {
    candidates: [decoded],
    claimed: await claimIdentities(client, [decoded]),
    refused: [],
    redelivered: [],
  });
  const [conflict] = recorded.conflicts;
  if (conflict) return refuse(client, id, conflict);
  await closeQuarantined(client, id, { state: 'redriven', reason: null, event_uid: decoded.event_uid });
  if (recorded.accepted.length === 0)
    return { redriven: { outcome: 'redriven', fate: 'duplicate', decisions: [] }, recorded };
  const decisions = await listDecisions(client, decoded.event_uid);
  const fate = decisions.length > 0 ? 'accepted' : 'unmatched';
  return { redriven: { outcome: 'redriven', fate, decisions }, recorded };
}

/** The first attempt was undone: what stood then may not stand any more. */
async function refuseAgain(client: Queryable, id: string, refusal: Refusal): Promise<Attempt> {
  const fault = faultOf(await lockQuarantined(client, id));
  return fault ? { redriven: fault, recorded: null } : refuse(client, id, refusal);
}

function faultOf(row: LockedQuarantined | null): Redriven | null {
  if (!row) return { outcome: 'not_found' };
  return row.state === 'open' ? null : { outcome: 'wrong_state', state: row.state };
}

async function refuse(client: Queryable, id: string, { reason, violations }: Refusal): Promise<Attempt> {
  await updateRefusal(client, id, reason, violations);
  const redriven: Redriven = {
    outcome: 'redriven',
    fate: 'quarantined',
    decisions: [],
    reason,
    violations,
  };
  return { redriven, recorded: null };
}

function messageOf({
  subject,
  headers,
  bytes,
  stream_seq,
  stream_timestamp,
}: LockedQuarantined): ReceivedMessage {
  return { subject, headers, bytes, stream_seq, stream_timestamp };
}
