/**
 * Messages whose fate is recorded already, whatever the registry says of them by now: a delivery that is repeated after
 * the schema was mended must not be accepted beside its quarantine row, nor refused beside its event.
 */
import { quarantineId } from '../core/ids.ts';
import { listRecordedMessages, releaseEventIds } from '../store/event-ids.ts';
import { pipelined, type Queryable } from '../store/pool.ts';
import { listRefusedAmong } from '../store/quarantined-events.ts';
import type { Candidate, Decoded, Refused } from './decode.ts';
import { claimIdentities } from './identify.ts';
import type { ReceivedMessage } from './message.ts';

export interface Undecided extends Decoded {
  /** Identities of the candidates that were free. */
  claimed: Set<string>;
  /** Events that came again although they would be refused today: their dispatch may still have to be started. */
  redelivered: string[];
}

/** Claims at one time with the look at what is on record: a message that was refused before is rare. */
export async function claimUndecided(client: Queryable, decoded: Decoded): Promise<Undecided> {
  const { candidates, refused } = decoded;
  const [quarantined, recorded, claimed] = await pipelined([
    candidates.length > 0 ? listRefusedAmong(client, candidates.map(idOf)) : new Set<string>(),
    listRecordedAmong(client, refused),
    claimIdentities(client, candidates),
  ]);
  const undecided = candidates.filter((candidate) => !quarantined.has(idOf(candidate)));
  const isRecorded = ({ message, event_uid }: Refused) =>
    event_uid !== null && recorded.has(`${event_uid} ${message.stream_seq}`);
  return {
    candidates: undecided,
    claimed: undecided.length === candidates.length ? claimed : await claimAnew(client, claimed, undecided),
    refused: refused.filter((one) => !isRecorded(one)),
    redelivered: refused.filter(isRecorded).flatMap(({ event_uid }) => event_uid ?? []),
  };
}

/** What was refused holds no identity; another message in the batch may have the same one. */
async function claimAnew(
  client: Queryable,
  claimed: Set<string>,
  candidates: Candidate[],
): Promise<Set<string>> {
  await releaseEventIds(client, [...claimed]);
  return claimIdentities(client, candidates);
}

async function listRecordedAmong(client: Queryable, refused: Refused[]): Promise<Set<string>> {
  const readable = refused.flatMap((one) =>
    one.event_uid ? [{ ...keyOf(one.message), event_uid: one.event_uid }] : [],
  );
  return readable.length > 0 ? listRecordedMessages(client, readable) : new Set();
}

export const idOf = ({ message }: Candidate | Refused): string =>
  quarantineId(message.stream_seq, message.stream_timestamp);

const keyOf = ({ stream_seq, stream_timestamp }: ReceivedMessage) => ({ stream_seq, stream_timestamp });
