/** A short soak; `npm run soak` is the long one (docs/performance.md). Whether anything grows is not judged in so short a time. */
import { expect, test } from 'vitest';
import { verdictLines } from '../setup/checks.ts';
import { KINDS_OF_CHANGE } from '../soak/changes.ts';
import { pointsOf } from '../soak/report.ts';
import { runSoak } from '../soak/run-soak.ts';

test('while definitions are changed under load, nothing is lost and nothing doubled', async () => {
  const { checks, changes, samples, published, log } = await runSoak({
    seconds: 15,
    rate: 25,
    changeEveryMs: 1_500,
    leastChanges: KINDS_OF_CHANGE,
    sampleEveryMs: 1_000,
    onSample: () => undefined,
    tell: () => undefined,
  });
  if (checks.some(({ faults }) => faults.length > 0))
    throw new Error(`${verdictLines(checks).join('\n')}\n${log}`);
  expect(published.metrics).toBeGreaterThan(100);
  expect(published.wanted).toBeGreaterThan(10);
  expect(new Set(changes.map(({ what }) => what)).size).toBe(KINDS_OF_CHANGE);
  for (const key of [
    'lag',
    'heap_used_mib',
    'connections',
    'history_events',
    'history_kib',
    'latency_p50_ms',
  ] as const)
    expect(Math.max(...pointsOf(samples, key).map(({ value }) => value)), key).toBeGreaterThanOrEqual(0);
});
