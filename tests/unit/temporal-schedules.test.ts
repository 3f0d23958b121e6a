/** What is made of the errors of Temporal's client. */
import { ServiceError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { createTemporalSchedules } from '../../src/schedules/temporal-schedules.ts';

type Schedules = Parameters<typeof createTemporalSchedules>[0]['client']['schedule'];

const grpcError = (code: number) =>
  new ServiceError('Failed to patch schedule', {
    cause: Object.assign(new Error(`${code}`), { code, details: '', metadata: {} }),
  });

/** A client whose calls end with these, in turn. */
function schedulesOf(...errors: (Error | null)[]) {
  const left = [...errors];
  const pause = async () => {
    const error = left.shift();
    if (error) throw error;
  };
  const client = {
    getHandle: () => ({ pause }),
    withDeadline: (_deadline: number, work: () => Promise<unknown>) => work(),
  } as unknown as Schedules;
  return { ...createTemporalSchedules({ client: { schedule: client }, taskQueue: 'q' }), left };
}

test('a call that the server cancelled, as it does while it begins, is repeated', async () => {
  const schedules = schedulesOf(grpcError(1), grpcError(1), null);
  expect(await schedules.pause('nightly', 'a test')).toBe(true);
  expect(schedules.left).toEqual([]);
});

test('any other refusal is told at once', async () => {
  const schedules = schedulesOf(grpcError(7), null);
  await expect(schedules.pause('nightly', 'a test')).rejects.toMatchObject({ code: 'unavailable' });
  expect(schedules.left).toEqual([null]);
});
