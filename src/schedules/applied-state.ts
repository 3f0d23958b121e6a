/** What PostgreSQL and Temporal hold now. */
import type { EventType } from '../core/event-type.ts';
import { listPaused } from '../store/definition-pauses.ts';
import { type DefinitionRow, listCurrentDefinitions } from '../store/definitions.ts';
import { listEventTypes } from '../store/event-types.ts';
import { type Pool, transaction } from '../store/pool.ts';
import { type ApprovedContent, listApprovedContents } from '../store/run-reviews.ts';
import { listSchedules, type ScheduleRow } from '../store/schedules.ts';
import type { DescribedSchedule } from './described-schedule.ts';
import type { TemporalSchedules } from './temporal-schedules.ts';

export interface AppliedState {
  definitions: ReadonlyMap<string, DefinitionRow>;
  eventTypes: ReadonlyMap<string, EventType>;
  schedules: ReadonlyMap<string, ScheduleRow>;
  /** By our API. A pause outlives the removal of its definition. */
  paused: ReadonlySet<string>;
  /** The contents that may be emitted: `<definition_id>@<content_hash>`. */
  approved: ReadonlySet<string>;
  /** Of those that have, or will have, a schedule. */
  found: ReadonlyMap<string, DescribedSchedule>;
  /** Schedules of ours in Temporal that no definition asks for and no row knows. */
  orphans: ReadonlySet<string>;
}

const DESCRIBED_AT_ONCE = 20;

/** `declared`: ids of definitions whose schedules may be there without a row. @throws TemporalUnavailableError */
export async function readAppliedState(
  pool: Pool,
  temporal: TemporalSchedules,
  declared: readonly string[],
): Promise<AppliedState> {
  const { definitions, eventTypes, schedules, paused, approved } = await transaction(pool, async (client) => {
    // One snapshot: what an apply changes in between would look like a difference.
    await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return {
      definitions: await listCurrentDefinitions(client),
      eventTypes: await listEventTypes(client),
      schedules: await listSchedules(client),
      paused: await listPaused(client),
      approved: await listApprovedContents(client),
    };
  });
  const expected = new Set([
    ...declared,
    ...schedules.map(({ definition_id }) => definition_id),
    ...definitions
      .filter(({ document }) => document.trigger.schedule)
      .map(({ definition_id }) => definition_id),
  ]);
  return {
    definitions: new Map(definitions.map((row) => [row.definition_id, row])),
    eventTypes: new Map(eventTypes.map((eventType) => [eventType.type, eventType])),
    schedules: new Map(schedules.map((row) => [row.definition_id, row])),
    paused: new Set(paused),
    approved: new Set(approved.map(contentKey)),
    found: await describeAll(temporal, [...expected]),
    orphans: new Set(await temporal.list(expected)),
  };
}

export const contentKey = ({ definition_id, content_hash }: ApprovedContent): string =>
  `${definition_id}@${content_hash}`;

async function describeAll(
  temporal: TemporalSchedules,
  ids: readonly string[],
): Promise<Map<string, DescribedSchedule>> {
  const found = new Map<string, DescribedSchedule>();
  for (let at = 0; at < ids.length; at += DESCRIBED_AT_ONCE) {
    await Promise.all(
      ids.slice(at, at + DESCRIBED_AT_ONCE).map(async (id) => {
        const described = await temporal.describe(id);
        if (described) found.set(id, described);
      }),
    );
  }
  return found;
}
