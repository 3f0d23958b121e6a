/** How long some of the events take from their publish to the commit of their run, as PostgreSQL shows it to others. */
import type { Pool } from '../../src/store/pool.ts';
import { quantile } from '../setup/statistics.ts';
import { abortablePause } from './abortable-pause.ts';
import { alwaysRuns, MAIN } from './definitions.ts';
import { metricsId } from './messages.ts';

export interface Latencies {
  /** To be told of each event before it is sent; it follows some of them. */
  watch(n: number): void;
  /** Milliseconds of those that came back since the last call; null where none did. */
  take(): { p50: number; p95: number } | null;
  /** Looks until aborted. */
  run(signal: AbortSignal): Promise<void>;
}

const PROBE_EVERY_MS = 100;
const LOOK_EVERY_MS = 25;
const MOST_FOLLOWED = 100;

export function createLatencies(pool: Pool): Latencies {
  const sent = new Map<string, number>();
  let taken: number[] = [];
  let next = 0;
  return {
    watch(n) {
      const now = performance.now();
      if (now < next || !alwaysRuns(n) || sent.size >= MOST_FOLLOWED) return;
      next = now + PROBE_EVERY_MS;
      sent.set(metricsId(n), now);
    },
    take() {
      const all = taken;
      taken = [];
      return all.length === 0 ? null : { p50: quantile(all, 0.5), p95: quantile(all, 0.95) };
    },
    async run(signal) {
      while (!signal.aborted) {
        if (sent.size > 0) {
          const { rows } = await pool.query(
            `SELECT event_id FROM activity_runs WHERE event_id = ANY($1) AND definition_id = $2`,
            [[...sent.keys()], MAIN],
          );
          const now = performance.now();
          for (const { event_id } of rows) {
            const since = sent.get(event_id);
            if (since !== undefined) taken.push(now - since);
            sent.delete(event_id);
          }
        }
        await abortablePause(LOOK_EVERY_MS, signal);
      }
    },
  };
}
