import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createOwnDispatches } from '../../src/bridge/own-dispatches.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

test('a dispatch counts until it is known to be decided', () => {
  const own = createOwnDispatches();
  own.add(['a', 'b']);
  own.add(['c']);
  own.keep(['b', 'of-another']);
  expect(own.list()).toEqual(['b']);
});

test('one that takes longer than five seconds holds nobody up', () => {
  const own = createOwnDispatches();
  own.add(['slow']);
  vi.advanceTimersByTime(4_000);
  own.add(['quick']);
  vi.advanceTimersByTime(1_001);
  expect(own.list()).toEqual(['quick']);
});
