import pg from 'pg';
import { expect, test } from 'vitest';
import { isPoisonousRow, isTransient } from '../../src/store/failure.ts';
import { rfc3339 } from '../../src/store/pool.ts';

function sqlError(code: string): Error {
  return Object.assign(new pg.DatabaseError('refused', 10, 'error'), { code });
}

test('whatever may be different a moment later delays, and fails nothing for good', () => {
  // Restarting, deadlock, password being rotated, restore running, rights being granted, disk, out of connections.
  for (const code of ['57P01', '40P01', '28P01', '3D000', '42P01', '42501', '58030', '53300', '25P02']) {
    expect(isTransient(sqlError(code)), code).toBe(true);
    expect(isPoisonousRow(sqlError(code)), code).toBe(false);
  }
});

test('an error of the system or of the driver is transient', () => {
  for (const code of ['ECONNREFUSED', 'EAI_AGAIN', 'ERR_SOCKET_CLOSED', 'ERR_STREAM_DESTROYED']) {
    expect(isTransient(Object.assign(new Error('x'), { code })), code).toBe(true);
  }
  expect(isTransient(new AggregateError([], 'connect'))).toBe(false);
  expect(isTransient(new Error('Connection terminated unexpectedly'))).toBe(true);
  expect(isTransient(new Error('Query read timeout'))).toBe(true);
});

test('data, constraints and limits are a row’s fault; a statement that cannot run, and a fault of the code, are ours', () => {
  for (const code of ['22P05', '22P02', '23505', '23514', '54001']) {
    expect(isPoisonousRow(sqlError(code)), code).toBe(true);
    expect(isTransient(sqlError(code)), code).toBe(false);
  }
  const misused = Object.assign(new TypeError('x'), { code: 'ERR_INVALID_ARG_TYPE' });
  const ofTheCode = [new TypeError('x is not a function'), misused, 'text'];
  for (const error of [sqlError('42601'), sqlError('42703'), ...ofTheCode]) {
    expect(isTransient(error)).toBe(false);
    expect(isPoisonousRow(error)).toBe(false);
  }
});

test('a time keeps its microseconds in whatever zone the server speaks, so that no page skips a row', () => {
  expect(rfc3339('2026-11-20 08:15:00.123456+00')).toBe('2026-11-20T08:15:00.123456Z');
  expect(rfc3339('2026-11-20 09:15:00.123456+01')).toBe('2026-11-20T08:15:00.123456Z');
  expect(rfc3339('2026-11-20 13:45:00.5+05:30')).toBe('2026-11-20T08:15:00.5Z');
  expect(rfc3339('2026-11-20 08:15:00+00')).toBe('2026-11-20T08:15:00Z');
  expect(rfc3339('2026-11-20 09:15:00+01')).toBe('2026-11-20T08:15:00Z');
  expect(rfc3339('infinity')).toBe('infinity');
});
