/** What a backtest found: the shape of `--json` (docs/backtest.md). */
import type { RunError, TaskSpec } from '../core/decision.ts';
import type { JsonObject } from '../core/json.ts';
import type { ChangedField } from './compare-specs.ts';

export interface BacktestReport {
  definition_id: string;
  file: string;
  definition_hash: string;
  /** Of the applied revision; null where the definition is not declared. */
  applied_hash: string | null;
  /** `until` is exclusive. */
  since: string;
  until: string;
  /** What was asked for, where what is on record begins later; else null. */
  asked_since: string | null;
  events: number;
  ticks: number;
  compared: number;
  /** By the reason, as in `held`. */
  not_compared: Record<string, number>;
  not_reproducible: number;
  /** Of what was compared. `kept`: of another text only because a retry kept what an earlier run had sent. */
  specs: {
    recorded: number;
    now: number;
    unchanged: number;
    kept: number;
    added: number;
    gone: number;
    changed: number;
  };
  outcomes_changed: number;
  /** Of these, those that would fail now and did not. */
  new_failures: number;
  /** Specs, outcomes, or a pause by the hourly limit. */
  is_changed: boolean;
  /** What the file changes that deciding again does not show, as in `emit`, `trigger.schedule.overlap`. */
  not_compared_fields: string[];
  /** Compared with a run or decision of an earlier revision than the applied one. */
  earlier_revisions: number;
  /**
   * Simulated over the inputs in their order; null without the limit. `is_new`: what was recorded would not have paused the
   * applied definition, or later.
   */
  hourly_limit: { max_tasks_per_hour: number; would_pause_at: string | null; is_new: boolean } | null;
  notes: Note[];
  /** What fails anew first. */
  differences: Difference[];
}

export type Note = 'evaluated_as_if_enabled' | 'would_be_disabled' | 'schedule_changed' | 'never_applied';

export type DifferenceKind = 'failing' | 'outcome' | 'gone' | 'added' | 'changed' | 'not_reproducible';

/** Inputs that differ in the same way. */
export interface Difference {
  kind: DifferenceKind;
  /** Of `gone`, `added`, `changed`, and of what fails in a rule. */
  rule_id: string | null;
  recorded_outcome: string;
  /** Null where it cannot be told. */
  outcome: string | null;
  /** Of `changed`: which fields of the spec. */
  fields: string[];
  /** `rule_new`, `rule_removed`, `failed_elsewhere`; of `not_reproducible`, what the record lacks. */
  reason: string | null;
  /** The source or instruction that cannot be replayed; with `failed_elsewhere`, the rule or instruction that failed then. */
  name: string | null;
  /** The filter or condition, as applied and in the file. */
  recorded_expression: string | null;
  expression: string | null;
  inputs: number;
  specs: { added: number; gone: number; changed: number };
  examples: Example[];
}

export interface Example {
  event: { event_uid: string; id: string; source: string; received_at: string } | null;
  scheduled_for: string | null;
  run_id: string | null;
  /** What the file's expression read. */
  expression: string | null;
  values: JsonObject;
  error: RunError | null;
  added: TaskSpec[];
  gone: TaskSpec[];
  changed: { title: string; fields: ChangedField[] }[];
}
