import type { JsMsg } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { createInbox } from '../../src/bridge/inbox.ts';

const LIMITS = { messages: 3, bytes: 1_000 };

function message(bytes: number, header?: string): JsMsg {
  const carried = headers();
  if (header) carried.set('Trace', header);
  return { data: new Uint8Array(bytes), headers: header ? carried : undefined } as JsMsg;
}

/** Whether a further pull is held back, as it says. */
async function isFull(inbox: ReturnType<typeof createInbox>): Promise<boolean> {
  let hasRoom = false;
  void inbox.hasRoom().then(() => {
    hasRoom = true;
  });
  await new Promise((turn) => setImmediate(turn));
  expect(inbox.isFull()).toBe(!hasRoom);
  inbox.close();
  return !hasRoom;
}

test('it is full with its number of messages', async () => {
  const inbox = createInbox(LIMITS);
  for (let n = 0; n < 3; n += 1) inbox.add(message(1));
  expect(await isFull(inbox)).toBe(true);
});

test('it is full with its bytes, those of headers among them', async () => {
  const inbox = createInbox(LIMITS);
  expect(inbox.add(message(10, 'x'.repeat(990)))).toBe(10 + 'Trace'.length + 990);
  expect(await isFull(inbox)).toBe(true);
});

test('it has room below both', async () => {
  const inbox = createInbox(LIMITS);
  inbox.add(message(10, 'short'));
  expect(await isFull(inbox)).toBe(false);
});

test('a batch ends with the message that crosses the bytes, and the rest stays', async () => {
  const inbox = createInbox(LIMITS);
  const [one, two, three] = [message(600), message(0, 'x'.repeat(600)), message(1)];
  for (const each of [one, two, three]) inbox.add(each);
  expect(inbox.take()).toEqual([one, two]);
  expect(inbox.waiting()).toEqual([three]);
  expect(inbox.take()).toEqual([three]);
  expect(await isFull(inbox)).toBe(false);
});

const NEVER_MS = 2 ** 31 - 1;

test('who waits for a full batch goes on with the message that fills it', async () => {
  const inbox = createInbox(LIMITS);
  const full = inbox.fullWithin(NEVER_MS).then(() => inbox.waiting().length);
  for (let n = 0; n < 3; n += 1) {
    inbox.add(message(1));
    await new Promise((turn) => setImmediate(turn));
  }
  expect(await full).toBe(3);
});

test('who waits for a full batch goes on without it after a while, or when nothing more comes', async () => {
  const inbox = createInbox(LIMITS);
  inbox.add(message(1));
  await inbox.fullWithin(1);
  const closed = inbox.fullWithin(NEVER_MS);
  inbox.close();
  await closed;
  expect(inbox.isFull()).toBe(false);
});
