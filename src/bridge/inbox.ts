/** What was pulled and is not recorded yet: bounded, so that memory stays flat whatever waits in the stream. */
import type { JsMsg } from '@nats-io/jetstream';
import { sizeOf } from './message.ts';

export interface Inbox {
  /** Returns its size in bytes. */
  add(message: JsMsg): number;
  /** Resolves when something is there, or the inbox is closed. */
  filled(): Promise<void>;
  /** The next batch cannot be larger. */
  isFull(): boolean;
  /** Resolves when the inbox is full or closed, at the latest after `ms`. */
  fullWithin(ms: number): Promise<void>;
  /** Resolves when there is room for another pull, or the inbox is closed. */
  hasRoom(): Promise<void>;
  take(): JsMsg[];
  waiting(): JsMsg[];
  close(): void;
}

export function createInbox(limits: { messages: number; bytes: number }): Inbox {
  let waiting: { message: JsMsg; size: number }[] = [];
  let bytes = 0;
  let closed = false;
  const changed = new Set<() => void>();
  const announce = () => {
    for (const wake of changed) wake();
    changed.clear();
  };
  const isFull = () => waiting.length >= limits.messages || bytes >= limits.bytes;
  async function until(holds: () => boolean): Promise<void> {
    while (!closed && !holds()) await new Promise<void>((wake) => changed.add(wake));
  }
  return {
    add(message) {
      const size = sizeOf(message);
      waiting.push({ message, size });
      bytes += size;
      announce();
      return size;
    },
    filled: () => until(() => waiting.length > 0),
    isFull,
    async fullWithin(ms) {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        announce();
      }, ms);
      await until(() => late || isFull());
      clearTimeout(timer);
    },
    hasRoom: () => until(() => !isFull()),
    take() {
      let taken = 0;
      let count = 0;
      for (const { size } of waiting) {
        if (count >= limits.messages || taken >= limits.bytes) break;
        taken += size;
        count += 1;
      }
      const batch = waiting.slice(0, count);
      waiting = waiting.slice(count);
      bytes -= taken;
      announce();
      return batch.map(({ message }) => message);
    },
    waiting: () => waiting.map(({ message }) => message),
    close() {
      closed = true;
      announce();
    },
  };
}
