/**
 * Messages whose fate is recorded already, whatever the registry says of them by now: a delivery that is repeated after
 * the schema was mended must not be accepted beside its quarantine row, nor refused beside its event.
 */
import { quarantineId } from '../core/ids.ts';
import { listRecordedMessages } from '../store/event-ids.ts';
import type { Queryable } from '../store/pool.ts';
import { listRefusedAmong } from '../store/quarantined-events.ts';
import type { Candidate, Decoded, Refused } from './decode.ts';
import type { ReceivedMessage } from './message.ts';

export interface Undecided extends Decoded {
  /** Events that came again although they would be refused today: their dispatch may still have to be started. */
  redelivered: string[];
}

export async function withoutKnownFates(
  client: Queryable,
  { candidates, refused }: Decoded,
): Promise<Undecided> {
  const quarantined =
    candidates.length > 0 ? await listRefusedAmong(client, candidates.map(idOf)) : new Set();
  const readable = refused.flatMap((one) =>
    one.event_uid ? [{ ...keyOf(one.message), event_uid: one.event_uid }] : [],
  );
  const recorded = readable.length > 0 ? await listRecordedMessages(client, readable) : new Set();
  const isRecorded = ({ message, event_uid }: Refused) =>
    event_uid !== null && recorded.has(`${event_uid} ${message.stream_seq}`);
  return {
    candidates: candidates.filter((candidate) => !quarantined.has(idOf(candidate))),
    refused: refused.filter((one) => !isRecorded(one)),
    redelivered: refused.filter(isRecorded).flatMap(({ event_uid }) => event_uid ?? []),
  };
}

export const idOf = ({ message }: Candidate | Refused): string =>
  quarantineId(message.stream_seq, message.stream_timestamp);

const keyOf = ({ stream_seq, stream_timestamp }: ReceivedMessage) => ({ stream_seq, stream_timestamp });
