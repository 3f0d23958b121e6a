/** What applying declared definitions would change in PostgreSQL and Temporal. Nothing here changes anything. */
import type { EventType } from '../core/event-type.ts';
import { nextFireTimes } from '../core/fire-times.ts';
import type { JsonObject } from '../core/json.ts';
import { reviewedContentHash } from '../core/reviewed-content.ts';
import type { Loaded } from '../definitions/load.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import type { DefinitionRow } from '../store/definitions.ts';
import type { ScheduleRow } from '../store/schedules.ts';
import { type AppliedState, contentKey } from './applied-state.ts';
import { type Drift, driftOf } from './drift.ts';
import { diffFields, type Field } from './fields.ts';
import { isPausedByHand } from './pause-note.ts';
import { isBehind, isEditedByHand, type WantedSchedule, wantedSchedule } from './schedule-state.ts';
import { scheduleIdOf } from './temporal-schedules.ts';

export type ChangeAction = 'create' | 'update' | 'enable' | 'disable' | 'prune' | 'drift';

export interface Change {
  definition_id: string;
  action: ChangeAction;
  fields: Field[];
  /** RFC 3339 in UTC, at most five; none where nothing will fire. */
  next_fire_times: string[];
  /** Of the schedule; null without one. */
  timezone: string | null;
  /** What the definition says; null where nothing will run. */
  emit: 'audit' | 'live' | null;
  /** What its runs will be, and why where that is `audit`. */
  sink_mode: 'audit' | 'live' | null;
  sink_reason: string | null;
}

export interface EventTypeChange {
  type: string;
  action: 'create' | 'update' | 'prune';
  fields: Field[];
}

export interface Plan {
  changes: Change[];
  event_types: EventTypeChange[];
}

export type Declared = Pick<Loaded, 'definitions' | 'eventTypes'>;
type DeclaredDefinition = Declared['definitions'][number];

const FIRE_TIMES = 5;

/** `now`: ms since 1970. One change for each definition, and a drift beside it where there is one. */
export function comparePlan(
  declared: Declared,
  applied: AppliedState,
  sinkMode: DecideSinkMode,
  now: number,
): Plan {
  const definitions = new Map(declared.definitions.map((each) => [each.definition.id, each]));
  const ids = new Set([
    ...definitions.keys(),
    ...applied.definitions.keys(),
    ...applied.schedules.keys(),
    ...applied.orphans,
  ]);
  return {
    changes: [...ids].sort().flatMap((id) => {
      const wanted = definitions.get(id);
      return wanted ? changesOf(wanted, applied, sinkMode, now) : [pruned(id)];
    }),
    event_types: eventTypeChanges(declared.eventTypes, applied.eventTypes),
  };
}

/** What of a planned drift an apply will leave as it is: a pause by hand. */
export function driftFor(declared: DeclaredDefinition, applied: AppliedState): Drift {
  const { id, trigger } = declared.definition;
  const current = applied.definitions.get(id);
  const row = applied.schedules.get(id);
  if (!trigger.schedule || !current?.document.trigger.schedule || !row) return { restored: [], kept: [] };
  return driftOf(row, applied.found.get(id) ?? null, trigger.schedule, current.pause_reason);
}

const NO_SINK = { emit: null, sink_mode: null, sink_reason: null } as const;

const pruned = (id: string): Change => ({
  definition_id: id,
  action: 'prune',
  fields: [],
  next_fire_times: [],
  timezone: null,
  ...NO_SINK,
});

function changesOf(
  declared: DeclaredDefinition,
  applied: AppliedState,
  sinkMode: DecideSinkMode,
  now: number,
): Change[] {
  const { id: definition_id, trigger } = declared.definition;
  const facts = {
    next_fire_times: fireTimes(declared, applied, now),
    timezone: trigger.schedule?.timezone ?? null,
    ...(declared.definition.enabled ? sinkOf(declared, applied, sinkMode) : NO_SINK),
  };
  const changes: Change[] = [];
  const change = mainChange(declared, applied);
  if (change) changes.push({ definition_id, ...change, ...facts });
  const { kept, restored } = driftFor(declared, applied);
  const fields = [...restored, ...kept];
  if (fields.length > 0) changes.push({ definition_id, action: 'drift', fields, ...facts });
  return changes;
}

function sinkOf(
  { definition }: DeclaredDefinition,
  { approved }: AppliedState,
  sinkMode: DecideSinkMode,
): Pick<Change, 'emit' | 'sink_mode' | 'sink_reason'> {
  const content = { definition_id: definition.id, content_hash: reviewedContentHash(definition) };
  const { mode, reason } = sinkMode({ definition, approved: approved.has(contentKey(content)) });
  return { emit: definition.emit, sink_mode: mode, sink_reason: reason };
}

function mainChange(
  declared: DeclaredDefinition,
  applied: AppliedState,
): Pick<Change, 'action' | 'fields'> | null {
  const { definition, definition_hash, document } = declared;
  const current = applied.definitions.get(definition.id);
  if (!current) return { action: 'create', fields: takenFields(definition.id, applied) };
  if (current.definition_hash !== definition_hash)
    return changed(documentFields(current, document), declared);
  const wanted = wantedSchedule({ definition_hash, document: definition });
  const fields = lateFields(definition.id, wanted, applied);
  if (fields.length === 0) return null;
  return wanted && !applied.schedules.has(definition.id)
    ? { action: 'create', fields }
    : changed(fields, declared);
}

/** An apply will refuse it. */
function takenFields(id: string, { found, schedules }: AppliedState): Field[] {
  const other = found.get(id);
  if (!other || other.is_ours || schedules.has(id)) return [];
  return [
    { path: 'temporal.schedule', from: 'a schedule that is not ours has this id', to: scheduleIdOf(id) },
  ];
}

function changed(fields: Field[], { definition }: DeclaredDefinition): Pick<Change, 'action' | 'fields'> {
  const isSwitched = fields.some(({ path }) => path === 'enabled');
  if (!isSwitched) return { action: 'update', fields };
  return { action: definition.enabled ? 'enable' : 'disable', fields };
}

function documentFields(current: DefinitionRow, document: JsonObject): Field[] {
  const before: JsonObject = JSON.parse(JSON.stringify(current.document));
  return diffFields(before, document);
}

/** The revision is applied, its schedule is not: an earlier apply did not come to its end, or TASK_QUEUE is another. */
function lateFields(id: string, wanted: WantedSchedule | null, applied: AppliedState): Field[] {
  const row = applied.schedules.get(id) ?? null;
  const found = applied.found.get(id) ?? null;
  if (!wanted) {
    if (row) return [{ path: 'trigger.schedule', from: { ...row.schedule }, to: null }];
    return applied.orphans.has(id) ? [{ path: 'temporal.schedule', from: scheduleIdOf(id), to: null }] : [];
  }
  if (!row) return [{ path: 'trigger.schedule', from: null, to: { ...wanted.schedule } }];
  if (isBehind(wanted, row)) {
    const fields = diffFields(scheduleDocument(row), scheduleDocument(wanted));
    if (fields.length > 0) return fields;
    return [{ path: 'definition_hash', from: row.definition_hash, to: wanted.definition_hash }];
  }
  if (found && !found.is_ours && !isEditedByHand(row, found)) {
    return [
      { path: 'temporal.action.task_queue', from: taskQueueOf(found.applied), to: 'TASK_QUEUE as it is now' },
    ];
  }
  return [];
}

const scheduleDocument = ({ enabled, schedule }: Pick<ScheduleRow, 'enabled' | 'schedule'>): JsonObject => ({
  enabled,
  trigger: { schedule: { ...schedule } },
});

function taskQueueOf({ action }: JsonObject): string | null {
  const isObject = typeof action === 'object' && action !== null && !Array.isArray(action);
  return isObject && typeof action.task_queue === 'string' ? action.task_queue : null;
}

function fireTimes({ definition }: DeclaredDefinition, applied: AppliedState, now: number): string[] {
  const { enabled, id, trigger } = definition;
  if (!trigger.schedule || !enabled) return [];
  const found = applied.found.get(id);
  if (applied.paused.has(id) || (found && isPausedByHand(found))) return [];
  return nextFireTimes(trigger.schedule, now, FIRE_TIMES).map((at) =>
    new Date(at).toISOString().replace('.000Z', 'Z'),
  );
}

function eventTypeChanges(
  declared: readonly EventType[],
  applied: ReadonlyMap<string, EventType>,
): EventTypeChange[] {
  const changes = declared.flatMap((eventType): EventTypeChange[] => {
    const before = applied.get(eventType.type);
    if (!before) return [{ type: eventType.type, action: 'create', fields: [] }];
    const fields = diffFields(before, eventType);
    return fields.length > 0 ? [{ type: eventType.type, action: 'update', fields }] : [];
  });
  const kept = new Set(declared.map(({ type }) => type));
  const pruned = [...applied.keys()].filter((type) => !kept.has(type));
  return [...changes, ...pruned.map((type): EventTypeChange => ({ type, action: 'prune', fields: [] }))].sort(
    (a, b) => (a.type < b.type ? -1 : 1),
  );
}
