/** What was pulled and is not recorded yet: bounded, so that memory stays flat whatever waits in the stream. */
import type { JsMsg } from '@nats-io/jetstream';

export interface Inbox {
  add(message: JsMsg): void;
  /** Resolves when something is there, or the inbox is closed. */
  filled(): Promise<void>;
  /** Resolves when there is room for another pull, or the inbox is closed. */
  hasRoom(): Promise<void>;
  take(): JsMsg[];
  waiting(): readonly JsMsg[];
  close(): void;
}

export function createInbox(limits: { messages: number; bytes: number }): Inbox {
  let waiting: JsMsg[] = [];
  let bytes = 0;
  let closed = false;
  const changed = new Set<() => void>();
  const announce = () => {
    for (const wake of changed) wake();
    changed.clear();
  };
  async function until(holds: () => boolean): Promise<void> {
    while (!closed && !holds()) await new Promise<void>((wake) => changed.add(wake));
  }
  return {
    add(message) {
      waiting.push(message);
      bytes += message.data.byteLength;
      announce();
    },
    filled: () => until(() => waiting.length > 0),
    hasRoom: () => until(() => waiting.length < limits.messages && bytes < limits.bytes),
    take() {
      let size = 0;
      let count = 0;
      while (count < waiting.length && count < limits.messages && size < limits.bytes) {
        size += waiting[count]!.data.byteLength;
        count += 1;
      }
      const taken = waiting.slice(0, count);
      waiting = waiting.slice(count);
      bytes -= size;
      announce();
      return taken;
    },
    waiting: () => waiting,
    close() {
      closed = true;
      announce();
    },
  };
}
