/** What a file changes that no spec and no outcome shows. */
import type { Definition } from '../core/definition.ts';
import type { EventType } from '../core/event-type.ts';
import { canonicalJson } from '../core/json.ts';

export interface Compared {
  /** Null where it was never applied. */
  applied: Definition | null;
  file: Definition;
  /** The event type as applied, and as it stands beside the file; null where there is none. */
  appliedType: Pick<EventType, 'type' | 'attributes_schema'> | null;
  fileType: Pick<EventType, 'type' | 'attributes_schema'> | null;
}

/** Members that deciding again shows the change of, and those that are looked into below. */
const SHOWN = new Set(['id', 'enabled', 'trigger', 'context_sources', 'rules', 'instructions', 'limits']);
const SHOWN_OF_SCHEDULE = new Set(['cron', 'every', 'timezone']);
const SHOWN_OF_LIMITS = new Set(['max_tasks_per_run', 'max_tasks_per_hour']);

/** As in `emit`, `trigger.schedule.overlap`; `event_type.attributes_schema` for the schema of its event type. */
export function notComparedFields({ applied, file, appliedType, fileType }: Compared): string[] {
  return [
    ...(applied ? fieldsOf(applied, file) : []),
    ...(appliedType && fileType?.type === appliedType.type && isOtherSchema(appliedType, fileType)
      ? ['event_type.attributes_schema']
      : []),
  ];
}

const isOtherSchema = (one: Pick<EventType, 'attributes_schema'>, other: typeof one): boolean =>
  canonicalJson(one.attributes_schema) !== canonicalJson(other.attributes_schema);

function fieldsOf(applied: Definition, file: Definition): string[] {
  const [scheduled, schedule] = [applied.trigger.schedule, file.trigger.schedule];
  const [before, after] = [applied.limits.max_tasks_per_hour, file.limits.max_tasks_per_hour];
  // What an hourly limit held is not on record as specs: a wider one cannot be tried.
  const isWiderLimit = before !== undefined && (after === undefined || after > before);
  return [
    ...changedMembers(applied, file, SHOWN),
    ...(file.enabled && !applied.enabled ? ['enabled'] : []),
    ...(scheduled && schedule
      ? changedMembers(scheduled, schedule, SHOWN_OF_SCHEDULE).map((name) => `trigger.schedule.${name}`)
      : []),
    ...changedMembers(applied.limits, file.limits, SHOWN_OF_LIMITS).map((name) => `limits.${name}`),
    ...(isWiderLimit ? ['limits.max_tasks_per_hour'] : []),
  ].sort();
}

function changedMembers(before: object, after: object, shown: ReadonlySet<string>): string[] {
  const members = new Map(Object.entries(before));
  const others = new Map(Object.entries(after));
  return [...new Set([...members.keys(), ...others.keys()])].filter(
    (name) => !shown.has(name) && canonicalJson(members.get(name)) !== canonicalJson(others.get(name)),
  );
}
