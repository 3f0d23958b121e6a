/** Which candidates are new, which repeat an accepted event, and which only claim its id. */
import { claimEventIds, type KnownIdentity, readEventIds } from '../store/event-ids.ts';
import type { Queryable } from '../store/pool.ts';
import type { Candidate, Refused } from './decode.ts';

export interface Identified {
  accepted: Candidate[];
  duplicates: Candidate[];
  /** The same stream message again: its fate is recorded already. */
  redelivered: Candidate[];
  conflicts: Refused[];
}

export async function identify(client: Queryable, candidates: Candidate[]): Promise<Identified> {
  const identified: Identified = { accepted: [], duplicates: [], redelivered: [], conflicts: [] };
  if (candidates.length === 0) return identified;
  const first = new Map<string, Candidate>();
  for (const candidate of candidates) {
    if (!first.has(candidate.event_uid)) first.set(candidate.event_uid, candidate);
  }
  const claimed = await claimEventIds(client, [...first.values()].map(identityOf));
  const taken = [...first.keys()].filter((uid) => !claimed.has(uid));
  const known = taken.length > 0 ? await readEventIds(client, taken) : new Map<string, KnownIdentity>();
  for (const candidate of candidates) {
    const original = first.get(candidate.event_uid);
    if (original === candidate && claimed.has(candidate.event_uid)) {
      identified.accepted.push(candidate);
      continue;
    }
    const identity =
      known.get(candidate.event_uid) ??
      (original && { ...original.message, content_hash: original.content_hash });
    // Between the claim that lost and this read, only retention could have removed the row; the next delivery claims it.
    if (!identity) throw new Error(`the identity of event ${candidate.event_uid} vanished`);
    if (isSameMessage(candidate, identity)) identified.redelivered.push(candidate);
    else if (candidate.content_hash.equals(identity.content_hash)) identified.duplicates.push(candidate);
    else identified.conflicts.push(conflictOf(candidate));
  }
  return identified;
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
