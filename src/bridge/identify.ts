/** Which candidates are new, which repeat an accepted event, and which are refused for what is on record. */
import { claimEventIds, type KnownIdentity, readEventIds, releaseEventIds } from '../store/event-ids.ts';
import type { Queryable } from '../store/pool.ts';
import { readCausality } from './causality.ts';
import type { Candidate, Refused } from './decode.ts';

export interface Identified {
  accepted: Candidate[];
  /** By `event_uid`, for each that is accepted. */
  depths: Map<string, number>;
  duplicates: Candidate[];
  /** The same stream message again: its fate is recorded already. */
  redelivered: Candidate[];
  /** With content that their id does not have, or at the end of a causal loop. */
  conflicts: Refused[];
}

/** In the order of receipt: an event's cause is among those before it, or stored. `claimed`: by `claimIdentities`, of these. */
export async function identify(
  client: Queryable,
  candidates: Candidate[],
  claimed: Set<string>,
): Promise<Identified> {
  const identified: Identified = {
    accepted: [],
    depths: new Map(),
    duplicates: [],
    redelivered: [],
    conflicts: [],
  };
  if (candidates.length === 0) return identified;
  const taken = candidates.map(({ event_uid }) => event_uid).filter((uid) => !claimed.has(uid));
  const known: Map<string, KnownIdentity> =
    taken.length > 0 ? await readEventIds(client, [...new Set(taken)]) : new Map();
  const causality = await readCausality(
    client,
    candidates.filter(({ event_uid }) => claimed.has(event_uid)),
  );
  const tooDeep: Candidate[] = [];
  for (const candidate of candidates) {
    const { event_uid } = candidate;
    if (known.has(event_uid) || !claimed.has(event_uid)) {
      compare(candidate, known.get(event_uid), identified);
      continue;
    }
    const depth = causality.depthOf(candidate);
    if (depth === null) {
      tooDeep.push(candidate);
      continue;
    }
    causality.accept(candidate, depth);
    known.set(event_uid, { ...candidate.message, content_hash: candidate.content_hash });
    identified.accepted.push(candidate);
    identified.depths.set(event_uid, depth);
  }
  if (tooDeep.length > 0) {
    identified.conflicts.push(...(await causality.refuse(tooDeep)));
    await takeBack(client, tooDeep, identified.accepted);
  }
  return identified;
}

/** Those that were free until now, each for the first candidate that has it. */
export async function claimIdentities(client: Queryable, candidates: Candidate[]): Promise<Set<string>> {
  if (candidates.length === 0) return new Set();
  const first = new Map<string, Candidate>();
  for (const candidate of candidates) {
    if (!first.has(candidate.event_uid)) first.set(candidate.event_uid, candidate);
  }
  return claimEventIds(client, [...first.values()].map(identityOf));
}

function compare(candidate: Candidate, identity: KnownIdentity | undefined, identified: Identified): void {
  // Between the claim that lost and its read, only retention could have removed the row; the next delivery claims it.
  if (!identity) throw new Error(`the identity of event ${candidate.event_uid} vanished`);
  if (isSameMessage(candidate, identity)) identified.redelivered.push(candidate);
  else if (candidate.content_hash.equals(identity.content_hash)) identified.duplicates.push(candidate);
  else identified.conflicts.push(conflictOf(candidate));
}

/** A refused event holds no identity. One that came corrected in the same batch claims it for itself. */
async function takeBack(client: Queryable, tooDeep: Candidate[], accepted: Candidate[]): Promise<void> {
  const eventUids = new Set(tooDeep.map(({ event_uid }) => event_uid));
  await releaseEventIds(client, [...eventUids]);
  const corrected = accepted.filter(({ event_uid }) => eventUids.has(event_uid));
  if (corrected.length > 0) await claimEventIds(client, corrected.map(identityOf));
}

function identityOf(candidate: Candidate) {
  return {
    event_uid: candidate.event_uid,
    content_hash: `\\x${candidate.content_hash.toString('hex')}`,
    stream_seq: candidate.message.stream_seq,
    stream_timestamp: candidate.message.stream_timestamp,
  };
}

function isSameMessage({ message }: Candidate, identity: KnownIdentity): boolean {
  return message.stream_seq === identity.stream_seq && message.stream_timestamp === identity.stream_timestamp;
}

function conflictOf({ message, envelope, event_uid }: Candidate): Refused {
  const what = `event ${event_uid} (id ${envelope.id} from ${envelope.source}) was accepted with another type or other attributes`;
  return {
    message,
    event_uid,
    reason: 'id_conflict',
    violations: [{ pointer: '/id', message: `${what}; send changed content under a new id` }],
  };
}
