import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readOutgoing, splitLines } from '../../src/cli/publish-envelope.ts';
import { captureCli } from '../setup/captured-cli.ts';

const envelope = {
  id: 'e-1',
  type: 'kaizen.metrics.recorded',
  source: 'kaizen-agentic',
  time: '2026-11-20T08:15:00Z',
  attributes: {},
};

function outgoing(value: unknown, change: { subject?: string; msgId?: boolean } = {}) {
  const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  return readOutgoing(bytes, { place: 'file.json', subject: undefined, msgId: true, ...change });
}

test('the subject is made of the type, the bytes stay as they are', () => {
  const message = outgoing(` ${JSON.stringify(envelope)}\n`);
  expect(message).toMatchObject({ name: 'e-1', subject: 'activity.kaizen.metrics.recorded' });
  expect(Buffer.from(message.bytes).toString()).toBe(` ${JSON.stringify(envelope)}\n`);
});

test('a CloudEvent is an envelope too', () => {
  const { id, source, type } = envelope;
  const message = outgoing({ specversion: '1.0', id, source, type, data: {} });
  expect(message.subject).toBe('activity.kaizen.metrics.recorded');
});

test('the message id depends on source and id alone', () => {
  const { msgId } = outgoing(envelope);
  expect(outgoing({ ...envelope, time: '2027-01-01T00:00:00Z' }).msgId).toBe(msgId);
  expect(outgoing({ ...envelope, source: 'other' }).msgId).not.toBe(msgId);
  expect(outgoing(envelope, { msgId: false }).msgId).toBeUndefined();
});

test('what is no envelope is refused with every fault', () => {
  expect(() => outgoing({ ...envelope, id: '', time: 'now' })).toThrow(
    /^file.json is not an envelope \(invalid_envelope\).*\/id: expected 1 to 200 characters.*\/time: expected an RFC 3339/s,
  );
  expect(() => outgoing('{')).toThrow('(not_json)');
});

test('with a subject, anything goes out, without a message id', () => {
  expect(outgoing('{', { subject: 'activity.a.b' })).toMatchObject({
    name: 'file.json',
    subject: 'activity.a.b',
    msgId: undefined,
  });
});

test('lines are numbered as an editor does, and blank ones are left out', () => {
  const lines = splitLines(Buffer.from('a\n\n  \r\nb\r\nc'));
  expect(lines.map(({ line, number }) => [Buffer.from(line).toString().trim(), number])).toEqual([
    ['a', 1],
    ['b', 4],
    ['c', 5],
  ]);
});

test('publish warns before it goes to the server of another instance', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'activity-core-cli-'));
  try {
    const dev = { api_url: 'http://127.0.0.1:9001', nats_url: 'nats://127.0.0.1:1', pid: 1 };
    await writeFile(join(stateDir, 'dev.json'), JSON.stringify(dev));
    const stdin = JSON.stringify(envelope);
    const apiAddress = 'http://127.0.0.1:9009';
    const { err } = await captureCli(['publish', '-'], { stdin, apiAddress, stateDir });
    expect(err).toMatch(/^warning: ACTIVITY_CORE_API is http:\/\/127\.0\.0\.1:9009, and NATS_URL is not set/);
  } finally {
    await rm(stateDir, { recursive: true });
  }
});

test('publish ends with 1 where NATS is away, and says what to do', async () => {
  const stdin = JSON.stringify(envelope);
  const { exitCode, err } = await captureCli(['publish', '-', '--nats', 'nats://127.0.0.1:1'], { stdin });
  expect(exitCode).toBe(1);
  expect(err).toMatch(/^error: no NATS at nats:\/\/127\.0\.0\.1:1 \(--nats\): .*npm run dev/);
});
