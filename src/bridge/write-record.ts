/** The statements that record a batch, inside the caller's transaction: the bridge commits it, a dry redrive rolls it back. */
import type { Registry } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import { countOpenDispatches, insertDispatch, listOpenDispatchesOf } from '../store/dispatches.ts';
import { type EventDecision, insertDecisions } from '../store/event-decisions.ts';
import { countDuplicates } from '../store/event-ids.ts';
import { insertEvents } from '../store/events.ts';
import type { Queryable } from '../store/pool.ts';
import { type DecidedRun, insertDecidedRuns, NOTHING_DECIDED, newEventRun } from '../store/runs.ts';
import type { Candidate, Refused } from './decode.ts';
import { composeDispatches } from './dispatch.ts';
import { keepPausesOf } from './ended-pause.ts';
import { type Identified, identify } from './identify.ts';
import type { Undecided } from './known-fates.ts';
import { type FilterFailure, type Matched, matchEvents } from './match.ts';
import { type Quarantine, writeQuarantine } from './write-quarantine.ts';

export interface WriteDeps {
  resolvers: Resolvers;
  sinkMode: DecideSinkMode;
  quarantineMaxBytes: number;
}

export interface Recorded extends Quarantine {
  /** What is to be started before the batch is acknowledged. */
  dispatch_ids: string[];
  open_dispatches: number;
  accepted: Candidate[];
  duplicates: number;
  /** Refused for what is on record, not for what they are. */
  conflicts: Refused[];
  decisions: EventDecision[];
}

/** @throws PauseEndedError: the registry is to be read again */
export async function writeRecord(
  deps: WriteDeps,
  client: Queryable,
  registry: Registry,
  undecided: Undecided,
): Promise<Recorded> {
  const identified = await identify(client, undecided.candidates);
  const { accepted, duplicates, redelivered, conflicts } = identified;
  const matched = matchEvents(accepted, registry);
  await keepPausesOf(client, matched.decisions);
  const dispatches = composeDispatches(matched.fired, deps.resolvers);
  await writeAccepted(deps, client, identified, matched);
  for (const dispatch of dispatches) await insertDispatch(client, dispatch);
  const repeated = duplicates.length > 0 ? await countDuplicates(client, duplicates.map(duplicateOf)) : 0;
  const again = [...undecided.redelivered, ...redelivered.map(({ event_uid }) => event_uid)];
  return {
    dispatch_ids: [
      ...dispatches.map(({ dispatch_id }) => dispatch_id),
      ...(again.length > 0 ? await listOpenDispatchesOf(client, again) : []),
    ],
    accepted,
    duplicates: repeated,
    conflicts,
    decisions: matched.decisions,
    ...(await writeQuarantine(client, [...undecided.refused, ...conflicts], deps.quarantineMaxBytes)),
    open_dispatches: await countOpenDispatches(client),
  };
}

async function writeAccepted(
  deps: WriteDeps,
  client: Queryable,
  { accepted, depths }: Identified,
  matched: Matched,
): Promise<void> {
  if (accepted.length === 0) return;
  await insertEvents(
    client,
    accepted.map(({ event_uid, envelope, message: { subject, stream_seq } }) => {
      const fate = matched.unmatched.has(event_uid) ? 'unmatched' : 'accepted';
      return { event_uid, fate, subject, stream_seq, depth: depths.get(event_uid) ?? 0, envelope };
    }),
  );
  if (matched.decisions.length > 0) await insertDecisions(client, matched.decisions);
  if (matched.filterFailures.length === 0) return;
  await insertDecidedRuns(
    client,
    matched.filterFailures.map((failure) => failedRun(failure, deps.sinkMode)),
  );
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
    ...newEventRun(member, candidate.envelope.id, null),
    sink_mode: mode,
    sink_reason: reason,
    ...NOTHING_DECIDED,
    status: 'failed',
    error,
    workflow_id: null,
    workflow_run_id: null,
  };
}
