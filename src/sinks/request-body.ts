/** What is posted for a spec (contract 7). Its members are named one by one: nothing else of a run leaves the house. */
import type { TaskSpec } from '../core/decision.ts';

/** Where a task comes from. `event_id` is null where no event triggered its run. */
export interface TaskSource {
  definition_id: string;
  definition_hash: string;
  run_id: string;
  rule_id: string;
  event_id: string | null;
  /** W3C; left out where it is null. */
  traceparent: string | null;
}

/** JSON text. Never a `review_required` (M10). */
export function requestBody(spec: TaskSpec, source: TaskSource): string {
  const { title, description, labels, priority, target_repo, dedupe_key } = spec;
  const { definition_id, definition_hash, run_id, rule_id, event_id, traceparent } = source;
  const trace = traceparent === null ? {} : { traceparent };
  return JSON.stringify({
    title,
    description,
    labels,
    priority,
    target_repo,
    dedupe_key,
    source: { system: 'activity-core', definition_id, definition_hash, run_id, rule_id, event_id, ...trace },
  });
}
