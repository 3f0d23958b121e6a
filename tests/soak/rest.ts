/** After the load: waits until nothing is left to be done. */
import { setTimeout as pause } from 'node:timers/promises';
import { readClock } from '../../src/store/pool.ts';
import { post } from '../setup/schedule-path.ts';
import { messagesLeft, workLeft } from '../setup/work-left.ts';
import { TICKS } from './definitions.ts';
import type { SoakSubject } from './subject.ts';

export interface Rested {
  /** Every tick that was due until then stands in `schedule_ticks`; RFC 3339. */
  until: string;
  /** What never came to its end within the bound; empty where all is at rest. */
  left: string[];
}

const BOUND_MS = 300_000;
const LOOK_EVERY_MS = 500;

export async function rest(subject: SoakSubject): Promise<Rested> {
  // As long as it ticks there is always something that runs.
  await post(subject.service.url, `/definitions/${TICKS}/pause`, { reason: 'the soak is over' });
  const bound = performance.now() + BOUND_MS;
  // What is recorded after the cut would not be waited for.
  while ((await messagesLeft(subject)).length > 0 && performance.now() < bound) await pause(LOOK_EVERY_MS);
  const until = await readClock(subject.pool);
  for (;;) {
    const left = await workLeft(subject, { due: until, begun: null });
    if (left.length === 0 || performance.now() > bound) return { until, left };
    await pause(LOOK_EVERY_MS);
  }
}
