/**
 * A batch of received messages → one transaction that holds the fate of each (contract 2).
 * Nothing is acknowledged and no workflow is started here: what is committed can be repeated safely.
 */
import type { Violation } from '../core/envelope.ts';
import { quarantineId } from '../core/ids.ts';
import { storableText } from '../core/storable.ts';
import type { AppliedRegistry, Registry } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { countOpenDispatches, insertDispatch, listOpenDispatchesOf } from '../store/dispatches.ts';
import { type EventDecision, insertDecisions } from '../store/event-decisions.ts';
import { countDuplicates } from '../store/event-ids.ts';
import { insertEvents } from '../store/events.ts';
import { isPoisonousRow } from '../store/failure.ts';
import { type Pool, type Queryable, transaction } from '../store/pool.ts';
import { insertQuarantined, listQuarantinedAmong } from '../store/quarantined-events.ts';
import { type DecidedRun, insertDecidedRuns } from '../store/runs.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type Candidate, decodeMessages, type Refused } from './decode.ts';
import { composeDispatches } from './dispatch.ts';
import { identify } from './identify.ts';
import { type FilterFailure, matchEvents } from './match.ts';
import type { ReceivedMessage } from './message.ts';

export interface RecordDeps {
  pool: Pool;
  registry: AppliedRegistry;
  resolvers: Resolvers;
  sinkMode: (definition: { emit: 'audit' | 'live' }) => { mode: 'audit' | 'live'; reason: string | null };
  metrics: Metrics;
  dedupeDays: number;
}

export interface Recorded {
  /** What is to be started before the batch is acknowledged. */
  dispatch_ids: string[];
  open_dispatches: number;
  accepted: Candidate[];
  duplicates: number;
  decisions: EventDecision[];
  quarantined: Refused[];
}

export type RecordBatch = (messages: ReceivedMessage[]) => Promise<Recorded>;

export function createRecordBatch(deps: RecordDeps): RecordBatch {
  return async function recordBatch(messages) {
    const registry = await deps.registry.current();
    const { candidates, refused } = decodeMessages(messages, registry, deps.dedupeDays);
    return recordHalving(deps, registry, candidates, refused);
  };
}

/** A row that PostgreSQL cannot store is found by halving and quarantined; its neighbours are not touched. */
async function recordHalving(
  deps: RecordDeps,
  registry: Registry,
  candidates: Candidate[],
  refused: Refused[],
): Promise<Recorded> {
  try {
    return await transaction(deps.pool, (client) =>
      recordAll(deps, client, registry, candidates, refused),
    ).then((recorded) => {
      countMetrics(deps.metrics, recorded);
      return recorded;
    });
  } catch (error) {
    if (!isPoisonousRow(error) || candidates.length === 0) throw error;
    if (candidates.length === 1 && candidates[0]) {
      const message = `cannot be stored: ${(error as Error).message}`;
      const culprit: Refused = {
        message: candidates[0].message,
        reason: 'unstorable',
        violations: [{ pointer: '', message }],
      };
      return recordHalving(deps, registry, [], [...refused, culprit]);
    }
    const middle = candidates.length >> 1;
    const first = await recordHalving(deps, registry, candidates.slice(0, middle), refused);
    const second = await recordHalving(deps, registry, candidates.slice(middle), []);
    return merge(first, second);
  }
}

/** The statements of one batch, inside the caller's transaction: the bridge commits it, a dry redrive rolls it back. */
export async function recordAll(
  deps: Pick<RecordDeps, 'resolvers' | 'sinkMode'>,
  client: Queryable,
  registry: Registry,
  decoded: Candidate[],
  refused: Refused[],
): Promise<Recorded> {
  const candidates = await withoutQuarantined(client, decoded);
  const { accepted, duplicates, redelivered, conflicts } = await identify(client, candidates);
  const matched = matchEvents(accepted, registry);
  const dispatches = composeDispatches(matched.fired, deps.resolvers);
  if (accepted.length > 0) {
    await insertEvents(
      client,
      accepted.map(({ event_uid, envelope, message: { subject, stream_seq } }) => {
        return {
          event_uid,
          fate: matched.unmatched.has(event_uid) ? 'unmatched' : 'accepted',
          subject,
          stream_seq,
          envelope,
        };
      }),
    );
  }
  if (matched.decisions.length > 0) await insertDecisions(client, matched.decisions);
  if (matched.filterFailures.length > 0) {
    await insertDecidedRuns(
      client,
      matched.filterFailures.map((failure) => failedRun(failure, deps.sinkMode)),
    );
  }
  for (const dispatch of dispatches) await insertDispatch(client, dispatch);
  const repeated = duplicates.length > 0 ? await countDuplicates(client, duplicates.map(duplicateOf)) : 0;
  const newlyQuarantined = await quarantine(client, [...refused, ...conflicts]);
  const restarted =
    redelivered.length > 0
      ? await listOpenDispatchesOf(
          client,
          redelivered.map(({ event_uid }) => event_uid),
        )
      : [];
  return {
    dispatch_ids: [...dispatches.map(({ dispatch_id }) => dispatch_id), ...restarted],
    open_dispatches: await countOpenDispatches(client),
    accepted,
    duplicates: repeated,
    decisions: matched.decisions,
    quarantined: newlyQuarantined,
  };
}

/** A message that was quarantined, was not acknowledged, and comes again after the registry was mended keeps its one fate. */
async function withoutQuarantined(client: Queryable, candidates: Candidate[]): Promise<Candidate[]> {
  const ids = new Map(
    candidates
      .filter(({ message }) => message.redelivered)
      .map((candidate) => [candidate, idOf(candidate.message)]),
  );
  if (ids.size === 0) return candidates;
  const known = await listQuarantinedAmong(client, [...ids.values()]);
  return candidates.filter((candidate) => !known.has(ids.get(candidate) ?? ''));
}

async function quarantine(client: Queryable, refused: Refused[]): Promise<Refused[]> {
  if (refused.length === 0) return [];
  const rows = refused.map(({ message, reason, violations }) => {
    return { ...message, id: idOf(message), reason, violations: violations.slice(0, 100).map(storable) };
  });
  const inserted = await insertQuarantined(client, rows);
  return refused.filter(({ message }) => inserted.has(idOf(message)));
}

/** A message about bytes that cannot be stored quotes them. */
const storable = ({ pointer, message }: Violation): Violation => ({
  pointer: storableText(pointer),
  message: storableText(message),
});

const idOf = (message: ReceivedMessage): string => quarantineId(message.stream_seq, message.stream_timestamp);

function duplicateOf({ event_uid, message: { stream_seq, stream_timestamp } }: Candidate) {
  return { event_uid, stream_seq, stream_timestamp };
}

function failedRun(
  { candidate, definition, run_id, error }: FilterFailure,
  sinkMode: RecordDeps['sinkMode'],
): DecidedRun {
  const triggerKey = `event:${candidate.event_uid}`;
  const { mode, reason } = sinkMode(definition.definition);
  return {
    run_id,
    definition_id: definition.definition_id,
    definition_hash: definition.definition_hash,
    trigger_key: triggerKey,
    origin_trigger_key: triggerKey,
    trigger_kind: 'event',
    event_id: candidate.envelope.id,
    event_uid: candidate.event_uid,
    requested_by: null,
    trigger_reason: null,
    event: null,
    request_hash: null,
    retry_of: null,
    dispatch_id: null,
    sink_mode: mode,
    sink_reason: reason,
    status: 'failed',
    task_count: 0,
    error,
    context: null,
    rules: [],
    workflow_id: null,
    workflow_run_id: null,
  };
}

function merge(first: Recorded, second: Recorded): Recorded {
  return {
    dispatch_ids: [...first.dispatch_ids, ...second.dispatch_ids],
    open_dispatches: second.open_dispatches,
    accepted: [...first.accepted, ...second.accepted],
    duplicates: first.duplicates + second.duplicates,
    decisions: [...first.decisions, ...second.decisions],
    quarantined: [...first.quarantined, ...second.quarantined],
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
  for (const { definition_id, outcome } of recorded.decisions) {
    metrics.decisions.inc({ definition_id, outcome });
    if (outcome === 'filter_error') metrics.runs.inc({ definition_id, status: 'failed' });
  }
  metrics.openDispatches.set(recorded.open_dispatches);
}
