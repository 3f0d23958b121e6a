/** Where the log of `dev` goes. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDevLog } from '../../src/cli/dev-log.ts';

let stateDir: string;
let file: string;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'activity-core-log-'));
  await mkdir(join(stateDir, 'logs'));
  file = join(stateDir, 'logs', 'activity-core.log');
});
afterEach(() => rm(stateDir, { recursive: true }));

function open(isTTY: boolean, level = 'info') {
  let shown = '';
  const write = (text: string | Uint8Array) => {
    shown += text;
    return true;
  };
  return { ...openDevLog({ level, stateDir, stderr: { isTTY, write } }), shown: () => shown };
}

test('on a terminal, what is wrong is told in words, and a file has every line', async () => {
  const { logger, place, shown } = open(true);
  logger.info({ token: 'secret' }, 'created the stream');
  logger.warn({ name: 'nats', code: null, tail: 'one\n\u001b[31mtwo' }, 'a server ended');
  logger.error({ err: new Error('connection refused') }, 'cannot go on');
  expect(shown()).toMatch(
    /^\d\d:\d\d:\d\d warning: a server ended \(name nats, tail one two\)\n\d\d:\d\d:\d\d error: cannot go on: connection refused\n$/,
  );
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    'created the stream',
    'a server ended',
    'cannot go on',
  ]);
  expect(lines.join()).not.toContain('secret');
  expect(place).toContain(file);
});

test('what was thrown and is no error is told too', () => {
  const { logger, shown } = open(true);
  logger.error({ err: 'a text' }, 'cannot go on');
  expect(shown()).toContain('error: cannot go on: a text\n');
});

test('a long log is put aside at the next start, once', async () => {
  for (const kept of ['older', 'newer']) {
    await writeFile(file, kept);
    await truncate(file, 64 * 1_048_576 + 1);
    open(true).logger.info('begun');
    expect((await readFile(`${file}.1`, 'utf8')).slice(0, 5)).toBe(kept);
    expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toHaveLength(1);
  }
});

test('what the level leaves out is nowhere', async () => {
  const { logger, shown } = open(true, 'error');
  logger.warn('a warning');
  expect([shown(), await readFile(file, 'utf8')]).toEqual(['', '']);
});

test('anywhere else it stays JSON lines on standard error', () => {
  const { place } = open(false);
  expect([place, existsSync(file)]).toEqual(['standard error, as JSON lines', false]);
});
