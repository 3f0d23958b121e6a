/** How fast the machine itself is meanwhile: a virtual one gets less when its host is busy, and says so nowhere else. */
import { existsSync, readFileSync } from 'node:fs';

const ROUNDS = 10;
const STEPS = 200_000;

/** The same work each time, in ms: the best of ten, so that what else runs here hardly counts. */
export function timeFixedWork(): number {
  return Math.min(...Array.from({ length: ROUNDS }, timeRound));
}

function timeRound(): number {
  const start = performance.now();
  let sum = 1;
  for (let n = 0; n < STEPS; n += 1) sum = (Math.imul(sum, 31) + n) | 0;
  const took = performance.now() - start;
  // Read, so that the loop is not optimised away.
  return Number.isNaN(sum) ? Number.NaN : took;
}

export interface ProcessorTime {
  all: number;
  /** What the host gave to others while this machine had work to do. */
  stolen: number;
}

/** Since the boot, of all processors. Null elsewhere than on Linux. */
export function readProcessorTime(): ProcessorTime | null {
  if (!existsSync('/proc/stat')) return null;
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  // user, nice, system, idle, iowait, irq, softirq, steal; a guest's time is in user's already.
  const times = line.split(/\s+/).slice(1, 9).map(Number);
  return { all: times.reduce((sum, time) => sum + time, 0), stolen: times[7] ?? 0 };
}

export function stolenPercent(before: ProcessorTime | null, after: ProcessorTime | null): number | null {
  if (!before || !after || after.all === before.all) return null;
  return (100 * (after.stolen - before.stolen)) / (after.all - before.all);
}
