/** A file's bytes → what goes out: subject, message id, and the bytes as they are. */
import { decodeEnvelope, SUBJECT_PREFIX } from '../core/envelope.ts';
import { eventUid } from '../core/ids.ts';
import { printable } from './printable.ts';
import { UsageError } from './usage-error.ts';

export interface Outgoing {
  /** What messages call it: the event's id, else where it stood. */
  name: string;
  subject: string;
  bytes: Uint8Array;
  /** `Nats-Msg-Id`: the same for the same source and id. */
  msgId: string | undefined;
}

export interface OutgoingOptions {
  place: string;
  /** Where given, anything goes: that is how quarantine is tried out. */
  subject: string | undefined;
  msgId: boolean;
}

/** @throws UsageError where it is no envelope and no subject is given. */
export function readOutgoing(bytes: Uint8Array, { place, subject, msgId }: OutgoingOptions): Outgoing {
  // Only its form matters here: how old an event may be is the service's to say.
  const decoded = decodeEnvelope(bytes, '1970-01-01T00:00:00Z');
  if (decoded.ok) {
    const { id, source, type } = decoded.envelope;
    return {
      name: printable(id),
      subject: subject ?? SUBJECT_PREFIX + type,
      bytes,
      msgId: msgId ? eventUid(source, id) : undefined,
    };
  }
  if (subject) return { name: place, subject, bytes, msgId: undefined };
  const faults = decoded.violations.map(
    ({ pointer, message }) => `  ${printable(pointer) || '(whole)'}: ${printable(message)}`,
  );
  throw new UsageError(
    `${place} is not an envelope (${decoded.reason}), and was not published:\n${faults.join('\n')}\n` +
      '  to see it refused by the service instead, name a subject: --subject activity.<type>',
  );
}

/** Lines without those that are blank; numbers count from 1. */
export function splitLines(bytes: Uint8Array): { line: Uint8Array; number: number }[] {
  const lines: { line: Uint8Array; number: number }[] = [];
  const NEW_LINE = 0x0a;
  for (let start = 0, number = 1; start < bytes.length; number += 1) {
    const found = bytes.indexOf(NEW_LINE, start);
    const end = found < 0 ? bytes.length : found;
    const line = bytes.subarray(start, end);
    if (line.some((byte) => byte > 0x20)) lines.push({ line, number });
    start = end + 1;
  }
  return lines;
}
