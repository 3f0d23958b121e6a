/** Declared files → applied revisions. One writer at a time; one invalid file applies nothing. */
import { canonicalJson } from '../core/json.ts';
import {
  advanceRegistryVersion,
  listCurrentDefinitions,
  lockRegistry,
  makeRevisionCurrent,
  pruneDefinitions,
} from '../store/definitions.ts';
import { listEventTypes, pruneEventTypes, upsertEventType } from '../store/event-types.ts';
import { type Pool, transaction } from '../store/pool.ts';
import type { Loaded } from './load.ts';

export interface Applied {
  changes: { definition_id: string; action: 'create' | 'update' | 'prune'; definition_hash: string | null }[];
  event_types: string[];
}

/** Applied twice, the second time changes nothing and no reader has to read again. */
export async function applyDefinitions(
  pool: Pool,
  declared: Pick<Loaded, 'definitions' | 'eventTypes'>,
): Promise<Applied> {
  return transaction(pool, async (client) => {
    await lockRegistry(client);
    const currentTypes = new Map(
      (await listEventTypes(client)).map((eventType) => [eventType.type, canonicalJson(eventType)]),
    );
    const current = new Map(
      (await listCurrentDefinitions(client)).map((row) => [row.definition_id, row.definition_hash]),
    );
    const applied: Applied = { changes: [], event_types: [] };
    for (const eventType of declared.eventTypes) {
      if (currentTypes.get(eventType.type) === canonicalJson(eventType)) continue;
      await upsertEventType(client, eventType);
      applied.event_types.push(eventType.type);
    }
    for (const { definition, definition_hash } of declared.definitions) {
      const before = current.get(definition.id);
      if (before === definition_hash) continue;
      await makeRevisionCurrent(client, definition, definition_hash);
      applied.changes.push({
        definition_id: definition.id,
        action: before ? 'update' : 'create',
        definition_hash,
      });
    }
    const pruned = await pruneDefinitions(
      client,
      declared.definitions.map(({ definition }) => definition.id),
    );
    for (const definition_id of pruned)
      applied.changes.push({ definition_id, action: 'prune', definition_hash: null });
    applied.event_types.push(
      ...(await pruneEventTypes(
        client,
        declared.eventTypes.map(({ type }) => type),
      )),
    );
    if (applied.changes.length > 0 || applied.event_types.length > 0) await advanceRegistryVersion(client);
    return applied;
  });
}
