/** Tells State Hub of each breach, then of its healing, until it has accepted each once. */
import {
  type Breach,
  type HealedBreach,
  leaseUnposted,
  markBreachPosted,
  markHealingPosted,
  returnUnposted,
} from '../store/expectation-breaches.ts';
import type { Pool } from '../store/pool.ts';
import { breachProgress, healingProgress, type ProgressSink } from './breach-progress.ts';

/** Longer than a post takes: one that died on the way is made again by the next. */
const LEASE_SECONDS = 60;

export interface ReportBreachesDeps {
  pool: Pool;
  progress: ProgressSink;
}

/** Posts what is due; rejects with the first failure, and what is left waits for the next call. */
export function createReportBreaches({
  pool,
  progress,
}: ReportBreachesDeps): (signal?: AbortSignal) => Promise<void> {
  return async function reportBreaches(signal) {
    while (!signal?.aborted) {
      const breach = await leaseUnposted(pool, LEASE_SECONDS);
      if (!breach) return;
      try {
        await report(breach);
      } catch (error) {
        await returnUnposted(pool, breach.breach_id);
        throw error;
      }
    }
  };

  async function report(breach: Breach | HealedBreach): Promise<void> {
    if (breach.breach_posted_at === null) {
      await progress.postProgress(breachProgress(breach));
      await markBreachPosted(pool, breach.breach_id);
    } else if ('healed_at' in breach) {
      await progress.postProgress(healingProgress(breach));
      await markHealingPosted(pool, breach.breach_id);
    }
  }
}
