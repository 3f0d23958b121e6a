/** Received messages → events that may be accepted, and refusals. Needs the registry, not the database. */
import { checkEvent, decodeEnvelope, type Envelope, type Refusal } from '../core/envelope.ts';
import { contentHash, eventUid } from '../core/ids.ts';
import { traceparentOf } from '../core/trace-context.ts';
import type { Registry } from '../definitions/applied-registry.ts';
import { type ReceivedMessage, receivedAt } from './message.ts';

/** A well-formed event of a registered type; whether it is new is not known yet. */
export interface Candidate {
  message: ReceivedMessage;
  envelope: Envelope;
  event_uid: string;
  content_hash: Buffer;
  /** The envelope's, which tells where the event began; else the message's, which tells its last hop. */
  traceparent: string | null;
}

export interface Refused extends Refusal {
  message: ReceivedMessage;
  /** Where the envelope could be read: the message may be on record already, from a time when it was valid. */
  event_uid: string | null;
}

export interface Decoded {
  candidates: Candidate[];
  refused: Refused[];
}

export function decodeMessages(messages: ReceivedMessage[], registry: Registry, dedupeDays: number): Decoded {
  const decoded: Decoded = { candidates: [], refused: [] };
  for (const message of messages) {
    const outcome = decodeIsolated(message, registry, dedupeDays);
    if ('reason' in outcome) decoded.refused.push(outcome);
    else decoded.candidates.push(outcome);
  }
  return decoded;
}

/** A fault of ours in one message must not hold up the stream: it is kept, with the fault, and can be redriven. */
function decodeIsolated(
  message: ReceivedMessage,
  registry: Registry,
  dedupeDays: number,
): Candidate | Refused {
  try {
    return decodeMessage(message, registry, dedupeDays);
  } catch (error) {
    const violation = { pointer: '', message: `could not be handled: ${(error as Error).message}` };
    return { message, event_uid: null, reason: 'unstorable', violations: [violation] };
  }
}

export function decodeMessage(
  message: ReceivedMessage,
  registry: Registry,
  dedupeDays: number,
): Candidate | Refused {
  const decoded = decodeEnvelope(message.bytes, receivedAt(message));
  if (!decoded.ok)
    return { message, event_uid: null, reason: decoded.reason, violations: decoded.violations };
  const { envelope } = decoded;
  const event_uid = eventUid(envelope.source, envelope.id);
  const refusal = checkEvent(envelope, {
    subject: message.subject,
    attributesCheck: registry.attributesCheck,
    eventTypes: registry.eventTypes,
    now: Date.now(),
    dedupeDays,
  });
  if (refusal) return { message, event_uid, ...refusal };
  return {
    message,
    envelope,
    event_uid,
    content_hash: contentHash(envelope.type, envelope.attributes),
    traceparent: decoded.traceparent ?? traceparentOf(message.headers),
  };
}
