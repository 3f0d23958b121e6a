/** One short seed of the chaos suite; `npm run chaos -- --seed N` runs any, and longer (docs/survival.md). */
import { expect, test } from 'vitest';
import { reportOf, runSeed } from '../chaos/run-seed.ts';

test('whatever is killed, frozen, filled up, deleted or terminated: nothing is lost and nothing doubled', async () => {
  const result = await runSeed({ seed: 7, seconds: 8 });
  if (!result.passed) throw new Error(reportOf(result));
  expect(result.kills).toBeGreaterThan(5);
  expect(result.tasks).toBeGreaterThan(100);
});
