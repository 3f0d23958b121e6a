/** What deciding gives: the trace of each rule and the task specs that came of it. Shapes as in contract 5. */
import type { Json, JsonObject } from './json.ts';

/** What a sink takes. Never a `review_required`: that is metadata of the run (M10). */
export interface TaskSpec {
  title: string;
  description: string;
  labels: string[];
  priority: 'low' | 'medium' | 'high' | 'urgent';
  target_repo: string | null;
  dedupe_key: string | null;
}

export interface TaskDraft {
  rule_id: string;
  /** Position in the `for_each` list, 0 without one; part of the idempotency key. */
  position: number;
  dedupe_key: string | null;
  spec: TaskSpec;
  /** Of the instruction that it came from; a rule's needs none. Metadata: it is never sent (M10). */
  review_required?: boolean;
}

/** `values`: each path that the expression reads, with the value found; a missing one is told by `"(missing)"`. */
export interface RuleTrace {
  rule_id: string;
  item?: Json;
  /** What the rule calls the element, where that is not `item`. */
  as?: string;
  expression: string;
  values: JsonObject;
  result: boolean | null;
}

export type RunErrorCode =
  | 'rule_error'
  | 'filter_error'
  | 'task_limit_exceeded'
  | 'resolver_failed'
  | 'instruction_invalid'
  | 'instruction_failed'
  | 'definition_invalid'
  | 'definition_disabled'
  | 'event_missing'
  | 'started_too_late'
  | 'unstorable'
  | 'task_rejected'
  | 'tasks_discarded'
  | 'sink_unauthorized'
  | 'sink_disabled'
  | 'sink_unavailable'
  | 'report_failed'
  | 'worker_crashed'
  | 'workflow_terminated'
  | 'workflow_cancelled'
  | 'workflow_timed_out'
  | 'workflow_failed'
  | 'internal_error';

export interface RunError {
  code: RunErrorCode;
  message: string;
  details: JsonObject;
}

export interface Decision {
  rules: RuleTrace[];
  tasks: TaskDraft[];
  /** Where set, none of the tasks goes out (contract 3). */
  error: RunError | null;
}

/** What expressions see as `run`. */
export interface RunFacts {
  run_id: string;
  definition_id: string;
  scheduled_for: string | null;
  /** YYYY-MM-DD: the day of `scheduled_for`, else the day the run started, in UTC. */
  date: string;
}

export interface Bindings {
  event: JsonObject | null;
  context: JsonObject;
  run: RunFacts;
}

/** What prompts and reports see beyond that: the output of each instruction so far, by its id. */
export interface BindingsWithOutputs extends Bindings {
  instructions: JsonObject;
}
