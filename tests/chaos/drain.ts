/** After the attack: does what an operator would, and waits until nothing is left to be done. */
import { setTimeout as pause } from 'node:timers/promises';
import { readClock } from '../../src/store/pool.ts';
import { post } from '../setup/schedule-path.ts';
import { type Cut, workLeft } from '../setup/work-left.ts';
import { TICKS } from './definitions.ts';
import type { Ledger } from './ledger.ts';
import { REPLICAS } from './plan.ts';
import type { Subjects } from './subjects.ts';

const BOUND_MS = 240_000;
const LOOK_EVERY_MS = 500;

export interface Drained {
  /** Every tick that was due until then stands in `schedule_ticks`. */
  until: string;
  /** What never came to its end within the bound; empty where all is at rest. */
  left: string[];
}

export async function drain(subjects: Subjects, ledger: Ledger): Promise<Drained> {
  for (const name of REPLICAS) await subjects.replica(name).ready();
  const cut = await readClock(subjects.pool);
  const left = await untilNothingIsLeft(subjects, ledger, { due: cut, begun: cut });
  if (left.length > 0) return { until: cut, left };
  // As long as it ticks there is always something that runs. A paused definition refuses retries: this comes last.
  await post(subjects.replica('replica-1').url, `/definitions/${TICKS}/pause`, { reason: 'chaos is over' });
  ledger.write('operator', TICKS, 'paused');
  const end = await readClock(subjects.pool);
  return { until: end, left: await untilNothingIsLeft(subjects, ledger, { due: end, begun: null }) };
}

async function untilNothingIsLeft(subjects: Subjects, ledger: Ledger, cut: Cut): Promise<string[]> {
  const bound = performance.now() + BOUND_MS;
  for (;;) {
    await hurryReconciler(subjects);
    const repaired = await operate(subjects, ledger);
    const left = await workLeft(subjects, cut);
    if (left.length === 0 && repaired === 0) return [];
    if (performance.now() > bound) return left;
    await pause(LOOK_EVERY_MS);
  }
}

/**
 * An emission that was at work is left alone for three minutes. Here that time has passed: the reconciler may look at once, and
 * finds for itself what goes on and what was terminated.
 */
async function hurryReconciler({ pool }: Subjects): Promise<void> {
  await pool.query(`UPDATE dispatches SET checked_at = now()
                     WHERE closed_at IS NULL AND prepared_at IS NOT NULL AND checked_at > now()`);
}

/** Runs that were terminated with specs that wait are resumed, those without are retried. Returns how many. */
async function operate({ pool, replica }: Subjects, ledger: Ledger): Promise<number> {
  const { rows } = await pool.query(
    `SELECT run_id, EXISTS (SELECT 1 FROM task_spawn_log t WHERE t.run_id = r.run_id AND t.status = 'pending') AS has_pending
       FROM activity_runs r
      WHERE status = 'failed' AND error->>'code' = 'workflow_terminated'
        AND NOT EXISTS (SELECT 1 FROM activity_runs o WHERE o.definition_id = r.definition_id
                           AND o.origin_trigger_key = r.origin_trigger_key AND o.run_id <> r.run_id)`,
  );
  const { url } = replica('replica-1');
  for (const { run_id, has_pending } of rows) {
    const how = has_pending ? 'resumed' : 'retried';
    const asked = has_pending ? post(url, '/tasks/resume', { run_id }) : post(url, `/runs/${run_id}/retry`);
    // An operator who is refused reads why, and asks again.
    const said = await asked.then(
      () => how,
      (error: Error) => `not ${how}: ${error.message}`,
    );
    ledger.write('operator', `run ${run_id}`, said);
  }
  return rows.length;
}
