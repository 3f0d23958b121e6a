/** Received messages → events that may be accepted, and refusals. Needs the registry, not the database. */
import { checkEvent, decodeEnvelope, type Envelope, type Refusal } from '../core/envelope.ts';
import { contentHash, eventUid } from '../core/ids.ts';
import type { Registry } from '../definitions/applied-registry.ts';
import { type ReceivedMessage, receivedAt } from './message.ts';

/** A well-formed event of a registered type; whether it is new is not known yet. */
export interface Candidate {
  message: ReceivedMessage;
  envelope: Envelope;
  event_uid: string;
  content_hash: Buffer;
}

export interface Refused extends Refusal {
  message: ReceivedMessage;
}

export interface Decoded {
  candidates: Candidate[];
  refused: Refused[];
}

export function decodeMessages(messages: ReceivedMessage[], registry: Registry, dedupeDays: number): Decoded {
  const decoded: Decoded = { candidates: [], refused: [] };
  for (const message of messages) {
    const outcome = decodeMessage(message, registry, dedupeDays);
    if ('reason' in outcome) decoded.refused.push(outcome);
    else decoded.candidates.push(outcome);
  }
  return decoded;
}

export function decodeMessage(
  message: ReceivedMessage,
  registry: Registry,
  dedupeDays: number,
): Candidate | Refused {
  const decoded = decodeEnvelope(message.bytes, receivedAt(message));
  if (!decoded.ok) return { message, reason: decoded.reason, violations: decoded.violations };
  const { envelope } = decoded;
  const refusal = checkEvent(envelope, {
    subject: message.subject,
    attributesCheck: registry.attributesCheck,
    now: Date.now(),
    dedupeDays,
  });
  if (refusal) return { message, ...refusal };
  return {
    message,
    envelope,
    event_uid: eventUid(envelope.source, envelope.id),
    content_hash: contentHash(envelope.type, envelope.attributes),
  };
}
