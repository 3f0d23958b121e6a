/** Connections that break in moments that no real server can be made to hit. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { createPool, transaction } from '../../src/store/pool.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A message of PostgreSQL's protocol, version 3: a letter, the length without it, the content. */
function message(letter: string, content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length + 4);
  return Buffer.concat([Buffer.from(letter), length, content]);
}

const AUTHENTICATED = message('R', Buffer.alloc(4));
const READY = message('Z', Buffer.from('I'));
const GONE = message(
  'E',
  Buffer.from('SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0'),
);

/** Answers what each connection says first with these bytes, in one piece. */
async function poolOn(answer: Buffer) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined).once('data', () => socket.end(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const pool = createPool(`postgres://nobody@127.0.0.1:${port}/none`, pino({ level: 'silent' }));
  closing.push(
    () => pool.end(),
    async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  );
  return pool;
}

test('a server that dies while it hands over a new connection fails who asked for it, and ends nobody', async () => {
  const pool = await poolOn(Buffer.concat([AUTHENTICATED, READY, GONE]));
  await expect(transaction(pool, (client) => client.query('SELECT 1'))).rejects.toThrow();
  await expect(pool.query('SELECT 1')).rejects.toThrow();
  expect(pool.totalCount).toBe(0);
});
