/** A message as the stream holds it. (`stream_seq`, `stream_timestamp`) names it, however often it is delivered. */
import type { JsMsg } from '@nats-io/jetstream';
import { storableText } from '../core/storable.ts';

export interface ReceivedMessage {
  subject: string;
  headers: Record<string, string[]>;
  bytes: Uint8Array;
  stream_seq: number;
  /** Microseconds since 1970. */
  stream_timestamp: number;
}

export function toReceivedMessage(message: JsMsg): ReceivedMessage {
  return {
    subject: storableText(message.subject),
    headers: readHeaders(message),
    bytes: message.data,
    stream_seq: message.info.streamSequence,
    stream_timestamp: Number(message.timestampNanos / 1000n),
  };
}

/** Bytes in memory, with what the headers hold: a message may be nothing but headers. */
export function sizeOf(message: JsMsg): number {
  const headers = Object.entries(readHeaders(message));
  const lengths = headers.map(([key, values]) => key.length + values.join('').length);
  return lengths.reduce((sum, length) => sum + length, message.data.byteLength);
}

/** They are decoded at the first access, and the client throws at some that a server stores: the body decides all the same. */
function readHeaders(message: JsMsg): ReceivedMessage['headers'] {
  const headers: ReceivedMessage['headers'] = {};
  try {
    for (const key of message.headers?.keys() ?? []) {
      headers[storableText(key)] = (message.headers?.values(key) ?? []).map(storableText);
    }
    return headers;
  } catch (error) {
    return { '(unreadable)': [storableText((error as Error).message)] };
  }
}

/** When the stream took it, RFC 3339. */
export const receivedAt = (message: Pick<ReceivedMessage, 'stream_timestamp'>): string =>
  new Date(message.stream_timestamp / 1000).toISOString();
