/** The statements that record a batch, inside the caller's transaction: the bridge commits it, a dry redrive rolls it back. */
import type { Registry } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import { countOpenDispatches, insertDispatch, listOpenDispatchesOf } from '../store/dispatches.ts';
import { type EventDecision, insertDecisions } from '../store/event-decisions.ts';
import { countDuplicates } from '../store/event-ids.ts';
import { insertEvents, type NewEvent } from '../store/events.ts';
import { type EndTransaction, pipelined, type Queryable } from '../store/pool.ts';
import { type DecidedRun, insertDecidedRuns, NOTHING_DECIDED, newEventRun } from '../store/runs.ts';
import type { Candidate, Refused } from './decode.ts';
import { composeDispatches, type ToStart, toStart } from './dispatch.ts';
import { type Identified, identify } from './identify.ts';
import type { Undecided } from './known-fates.ts';
import { type FilterFailure, type Matched, matchEvents } from './match.ts';
import { keepPausesOf } from './stale-registry.ts';
import { type Quarantine, writeQuarantine } from './write-quarantine.ts';

export interface WriteDeps {
  resolvers: Resolvers;
  sinkMode: DecideSinkMode;
  quarantineMaxBytes: number;
}

/** What is to be started is started before the batch is acknowledged. */
export interface Recorded extends Quarantine, ToStart {
  open_dispatches: number;
  accepted: Candidate[];
  duplicates: number;
  /** Refused for what is on record, not for what they are. */
  conflicts: Refused[];
  decisions: EventDecision[];
}

/**
 * `end`: where nothing else is to be written, ends the transaction with the last of these.
 * @throws StaleRegistryError: the registry is to be read again
 */
export async function writeRecord(
  deps: WriteDeps,
  client: Queryable,
  registry: Registry,
  undecided: Undecided,
  end: EndTransaction | null = null,
): Promise<Recorded> {
  const identified = await identify(client, undecided.candidates, undecided.claimed);
  const { accepted, duplicates, redelivered, conflicts } = identified;
  const matched = matchEvents(accepted, registry);
  await keepPausesOf(client, matched.decisions);
  const dispatches = composeDispatches(matched.fired, deps.resolvers);
  const refused = [...undecided.refused, ...conflicts];
  const again = [...undecided.redelivered, ...redelivered.map(({ event_uid }) => event_uid)];
  const written = [
    ...writeAccepted(deps, client, identified, matched),
    ...dispatches.map((dispatch) => insertDispatch(client, dispatch)),
  ];
  const [, repeated, reopened, open] = await pipelined([
    pipelined(written),
    duplicates.length > 0 ? countDuplicates(client, duplicates.map(duplicateOf)) : 0,
    again.length > 0 ? listOpenDispatchesOf(client, again) : [],
    countOpenDispatches(client),
    refused.length === 0 ? end?.() : null,
  ]);
  const { dispatch_ids, queued_definitions } = toStart(dispatches);
  return {
    dispatch_ids: [...dispatch_ids, ...reopened],
    queued_definitions,
    accepted,
    duplicates: repeated,
    conflicts,
    decisions: matched.decisions,
    ...(await writeQuarantine(client, refused, deps.quarantineMaxBytes)),
    open_dispatches: open,
  };
}

function writeAccepted(
  deps: WriteDeps,
  client: Queryable,
  { accepted, depths }: Identified,
  { unmatched, decisions, filterFailures }: Matched,
): Promise<unknown>[] {
  const events = accepted.map((candidate): NewEvent => {
    const { event_uid, envelope, traceparent, message } = candidate;
    const { subject, stream_seq } = message;
    const fate = unmatched.has(event_uid) ? 'unmatched' : 'accepted';
    return { event_uid, fate, subject, stream_seq, depth: depths.get(event_uid) ?? 0, traceparent, envelope };
  });
  const failed = filterFailures.map((failure) => failedRun(failure, deps.sinkMode));
  return [
    ...(events.length > 0 ? [insertEvents(client, events)] : []),
    ...(decisions.length > 0 ? [insertDecisions(client, decisions)] : []),
    ...(failed.length > 0 ? [insertDecidedRuns(client, failed)] : []),
  ];
}

function duplicateOf({ event_uid, message: { stream_seq, stream_timestamp } }: Candidate) {
  return { event_uid, stream_seq, stream_timestamp };
}

/** No workflow ever ran it: `temporal` is null (contract 2). */
function failedRun(
  { candidate, definition, run_id, error }: FilterFailure,
  sinkMode: DecideSinkMode,
): DecidedRun {
  const { definition_id, definition_hash } = definition;
  const member = { run_id, definition_id, definition_hash, event_uid: candidate.event_uid };
  const { mode, reason } = sinkMode(definition);
  return {
    ...newEventRun(member, candidate, null),
    sink_mode: mode,
    sink_reason: reason,
    ...NOTHING_DECIDED,
    status: 'failed',
    error,
    workflow_id: null,
    workflow_run_id: null,
  };
}
