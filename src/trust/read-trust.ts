/** The verdict on a definition as it stands now (contract 5): PostgreSQL first, then what can be looked at again. */
import { newestDueTicks } from '../core/due-ticks.ts';
import { readPause } from '../store/definition-pauses.ts';
import { type DefinitionRow, findCurrentDefinition } from '../store/definitions.ts';
import { type Pool, type Queryable, readClock, transaction } from '../store/pool.ts';
import { listNewestFeedback } from '../store/run-feedback.ts';
import { listNewestTicks, type TickFacts } from '../store/schedule-ticks.ts';
import { findSchedule, type ScheduleRow } from '../store/schedules.ts';
import type { Trust, TrustFeedback } from './evidence.ts';
import { type RecheckDeps, recheckEvidence } from './recheck-evidence.ts';
import { newestCounted, verdictOf } from './verdict.ts';

export interface ReadTrustDeps extends RecheckDeps {
  pool: Pool;
}

/** `required`: clean ticks in a row, at least 1. Null where no such definition is declared. */
export type ReadTrust = (definitionId: string, required: number) => Promise<Trust | null>;

const LEAST_LISTED = 10;
/** Room for those whose run or evidence is still under way, and for what is due and not recorded. */
const UNDER_WAY = 100;

export function createReadTrust(deps: ReadTrustDeps): ReadTrust {
  return async function readTrust(definitionId, required) {
    const counted = Math.max(required, LEAST_LISTED);
    const known = await transaction(deps.pool, async (client) => {
      // One snapshot: a tick is recorded, or still to be computed.
      await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
      return readKnown(client, definitionId, counted);
    });
    if (!known) return null;
    const ticks = await recheckEvidence(deps, known.ticks);
    return verdictOf({ ...known, definition_id: definitionId, required, ticks });
  };
}

interface Known {
  obstacle: string | null;
  scheduled: boolean;
  now: number;
  ticks: TickFacts[];
  feedback: TrustFeedback[];
  counts_from: string | null;
}

async function readKnown(db: Queryable, definitionId: string, counted: number): Promise<Known | null> {
  const definition = await findCurrentDefinition(db, definitionId);
  if (!definition) return null;
  const schedule = await findSchedule(db, definitionId);
  const clock = await readClock(db);
  const now = Date.parse(clock);
  const recorded = await listNewestTicks(db, definitionId, { now: clock, closed: counted + UNDER_WAY });
  const unrecorded = schedule ? await notRecorded(db, schedule, now, counted) : [];
  // What it did before somebody stopped it, or gave it other times, is no sign that it works now.
  const counts_from = schedule?.in_force_since ?? null;
  const inForce = newestFirst(unrecorded, recorded).filter(
    ({ scheduled_for }) => counts_from === null || Date.parse(scheduled_for) >= Date.parse(counts_from),
  );
  const ticks = newestCounted(inForce, now, counted);
  const runIds = ticks.flatMap(({ run_id }) => run_id ?? []);
  const feedback = await listNewestFeedback(db, runIds);
  const scheduled = definition.document.trigger.schedule !== undefined;
  return { obstacle: obstacleOf(definition, schedule), scheduled, now, ticks, feedback, counts_from };
}

function obstacleOf({ document, enabled }: DefinitionRow, schedule: ScheduleRow | null): string | null {
  if (!document.trigger.schedule)
    return 'it has no schedule: only runs that start by the clock show that nobody has to watch';
  if (!enabled) return 'it is disabled: nothing is due';
  return schedule ? null : 'its schedule is not applied: `activity-core definitions apply`';
}

/** What was due since a subscriber or a worker recorded the grid last. */
async function notRecorded(
  db: Queryable,
  { definition_id, schedule, enabled, recorded_until }: ScheduleRow,
  now: number,
  counted: number,
): Promise<TickFacts[]> {
  if (!enabled) return [];
  const pause = await readPause(db, definition_id);
  const span = { after: Date.parse(recorded_until), until: now, count: counted + UNDER_WAY };
  return newestDueTicks(schedule, pause, span).map((due) => ({
    ...due,
    definition_id,
    scheduled_for: due.scheduled_for.replace('.000Z', 'Z'),
    deadline: due.deadline.replace('.000Z', 'Z'),
    run_id: null,
    run: null,
    evidence: null,
  }));
}

/** A tick that stands in the table is known better. */
function newestFirst(unrecorded: TickFacts[], recorded: TickFacts[]): TickFacts[] {
  const byTime = new Map(
    [...unrecorded, ...recorded].map((tick) => [Date.parse(tick.scheduled_for), tick] as const),
  );
  return [...byTime].sort(([a], [b]) => b - a).map(([, tick]) => tick);
}
