/** The field that an author means by a name that is none. */
import { nearestName } from './wording.ts';

/** Names that others have for a field, and where it stands: as seen from the object in which it was looked for. */
const OTHER_NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ['cron', ['schedule.cron', 'trigger.schedule.cron']],
  ['each', ['for_each']],
  ['event_type', ['event.type', 'trigger.event.type']],
  ['loop', ['for_each']],
  ['parameters', ['params']],
  ['repo', ['target_repo', 'task.target_repo', 'rules[].task.target_repo']],
  ['schema', ['attributes_schema', 'output_schema']],
  ['sources', ['context_sources']],
]);

/** As in `title`, or `trigger.event.type`; null where none is near. `known`: the fields that the object may have. */
export function fieldMeant(name: string, known: readonly string[]): string | null {
  const elsewhere = OTHER_NAMES.get(name.toLowerCase()) ?? [];
  const other = elsewhere.find((place) => known.some((field) => place.split(/[.[]/)[0] === field));
  return other ?? nearestName(name, known);
}
