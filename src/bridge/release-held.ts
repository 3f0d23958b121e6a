/** What is held → dispatches, oldest first, inside the caller's transaction. Composed as the bridge composes what fires at once. */
import type { Definition } from '../core/definition.ts';
import { runId } from '../core/ids.ts';
import { eventTriggerKey } from '../core/trigger.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { insertDispatches } from '../store/dispatches.ts';
import { discardHeldDecisions, fireHeldDecisions, readHeldEvents } from '../store/event-decisions.ts';
import { readEnvelopeSizes } from '../store/events.ts';
import type { Queryable } from '../store/pool.ts';
import { composeDispatches, type ToStart, toStart } from './dispatch.ts';

/** Two full dispatches; the envelopes of one portion are measured by one statement. */
const EVENTS_AT_ONCE = 1_000;
const DISCARDED_AT_ONCE = 10_000;

export interface Released extends ToStart {
  events: number;
}

/** The revision as it is applied now: the runs start now. */
export interface CurrentRevision {
  definition_id: string;
  definition_hash: string;
  document: Definition;
}

/** The caller has the definition's pause locked, so that nothing more is held meanwhile. `reason` goes on record. */
export async function releaseHeld(
  client: Queryable,
  resolvers: Resolvers,
  revision: CurrentRevision,
  reason: string,
): Promise<Released> {
  const { definition_id, definition_hash, document } = revision;
  const released: Released = { events: 0, dispatch_ids: [], queued_definitions: [] };
  for await (const eventUids of readHeldEvents(client, definition_id, EVENTS_AT_ONCE)) {
    const bytes = await readEnvelopeSizes(client, eventUids);
    const fired = eventUids.map((event_uid) => {
      const run_id = runId(definition_id, eventTriggerKey(event_uid));
      return {
        member: { run_id, definition_id, definition_hash, event_uid },
        decision: { event_uid, run_id, dispatch_id: null },
        definition: { definition: document },
        bytes: bytes.get(event_uid) ?? 0,
      };
    });
    const dispatches = composeDispatches(fired, resolvers);
    await insertDispatches(client, dispatches);
    const decisions = fired.map(({ decision }) => decision);
    await fireHeldDecisions(client, { definition_id, definition_hash }, decisions, reason);
    released.events += eventUids.length;
    const { dispatch_ids, queued_definitions } = toStart(dispatches);
    released.dispatch_ids.push(...dispatch_ids);
    released.queued_definitions = queued_definitions;
  }
  return released;
}

/** They will not run. Returns how many. */
export async function discardHeld(client: Queryable, definitionId: string, reason: string): Promise<number> {
  let discarded = 0;
  for (let last = DISCARDED_AT_ONCE; last === DISCARDED_AT_ONCE; discarded += last) {
    last = await discardHeldDecisions(client, definitionId, reason, DISCARDED_AT_ONCE);
  }
  return discarded;
}
