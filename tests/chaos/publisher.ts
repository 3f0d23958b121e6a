/** A publisher that does as it must: it sends again until it has an answer, and knows what it does not know. */
import { setTimeout as pause } from 'node:timers/promises';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { eventBody, malformedBody } from './definitions.ts';
import type { PlannedMessage } from './plan.ts';

/** Of one event, or of one malformed payload. */
export interface Sent {
  /** Messages that the stream acknowledged. */
  acknowledged: number;
  /** Sent and not answered: each may have been stored besides. */
  unanswered: number;
}

export interface Publications {
  events: Map<number, Sent>;
  malformed: Map<number, Sent>;
}

const SUBJECT = 'activity.kaizen.metrics.recorded';
const ANSWER_WITHIN_MS = 2_000;
const AGAIN_MS = 100;
const GIVE_UP_MS = 180_000;

/** Resolves when each message is acknowledged. */
export async function publishAll(nats: NatsConnection, messages: PlannedMessage[]): Promise<Publications> {
  const publications: Publications = { events: new Map(), malformed: new Map() };
  const start = performance.now();
  const stream = jetstream(nats);
  const publishing = messages.map(async (message, place) => {
    await pause(message.at_ms);
    const { kind, n } = message;
    const of = kind === 'malformed' ? publications.malformed : publications.events;
    const sent = of.get(n) ?? { acknowledged: 0, unanswered: 0 };
    of.set(n, sent);
    // Read once: what is sent again is the same message.
    const body = kind === 'malformed' ? malformedBody(n) : eventBody(n);
    for (;;) {
      try {
        await stream.publish(SUBJECT, body, { msgID: `message-${place}`, timeout: ANSWER_WITHIN_MS });
        sent.acknowledged += 1;
        return;
      } catch (error) {
        sent.unanswered += 1;
        if (performance.now() - start > message.at_ms + GIVE_UP_MS)
          throw new Error(`message ${place} is not taken`, { cause: error });
        await pause(AGAIN_MS);
      }
    }
  });
  await Promise.all(publishing);
  return publications;
}
