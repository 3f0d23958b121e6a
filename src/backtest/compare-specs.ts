/** The specs of one run: those on record against those that the file makes. */
import type { RecordedTask } from '../clients/activity-core-api-backtest.ts';
import type { TaskDraft, TaskSpec } from '../core/decision.ts';
import { idempotencyKey } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import { comparableJson } from './same-text.ts';

export interface ChangedSpec {
  recorded: RecordedTask;
  now: TaskDraft;
  /** `rule_id` too, where another rule makes it: then it would be sent as a new task. */
  fields: ChangedField[];
}

export interface ChangedField {
  field: string;
  recorded: Json;
  now: Json;
}

export interface SpecDifference {
  unchanged: number;
  /** Of another text only because a retry kept what an earlier run had sent. */
  kept: number;
  added: TaskDraft[];
  gone: RecordedTask[];
  changed: ChangedSpec[];
}

export interface SpecsOf {
  definitionId: string;
  triggerKey: string;
  /** Where a retry's text can only differ because it was kept. */
  keptRules: ReadonlySet<string>;
}

/**
 * Equal ones are paired first, wherever they stand in a list. Of the rest, those that a retry kept with what has their
 * idempotency key, those of one rule with one dedupe key, those of one place in one rule, which have the same idempotency
 * key, and at last equal ones of different rules.
 */
export function compareSpecs(
  { definitionId, triggerKey, keptRules }: SpecsOf,
  recorded: readonly RecordedTask[],
  now: readonly TaskDraft[],
): SpecDifference {
  const before = recorded.map((task) => ({ task, text: textOf(task.spec) }));
  const after = now.map((draft) => ({ draft, text: textOf(draft.spec) }));
  const unpaired: Unpaired = { recorded: before, now: after };
  const unchanged = pairEqual(unpaired);
  const keys = new Map<TaskDraft, string>();
  const keyOf = (draft: TaskDraft): string => {
    const key = keys.get(draft) ?? idempotencyKey(definitionId, triggerKey, draft.rule_id, draft.position);
    keys.set(draft, key);
    return key;
  };
  const hasItsKey: SameTask = ({ task }, { draft }) => task.idempotency_key === keyOf(draft);
  const wasMoved: SameTask = (one, other) => one.task.moved && hasItsKey(one, other);
  const moved = pair(unpaired, wasMoved);
  const kept = moved.filter(({ now: draft, fields }) => fields.length > 0 && keptRules.has(draft.rule_id));
  const passes: SameTask[] = [
    ({ task }, { draft }) =>
      task.rule_id === draft.rule_id &&
      draft.dedupe_key !== null &&
      task.spec.dedupe_key === draft.dedupe_key,
    hasItsKey,
    (one, other) => one.text === other.text,
  ];
  const pairs = [...moved, ...passes.flatMap((isSame) => pair(unpaired, isSame))];
  const changed = pairs.filter((one) => one.fields.length > 0 && !kept.includes(one));
  return {
    unchanged: unchanged + pairs.length - changed.length - kept.length,
    kept: kept.length,
    added: unpaired.now.map(({ draft }) => draft),
    gone: unpaired.recorded.map(({ task }) => task),
    changed,
  };
}

interface Unpaired {
  recorded: { task: RecordedTask; text: string }[];
  now: { draft: TaskDraft; text: string }[];
}

type SameTask = (recorded: Unpaired['recorded'][number], now: Unpaired['now'][number]) => boolean;

const textOf = (spec: TaskSpec): string => comparableJson({ ...spec });

function pairEqual(unpaired: Unpaired): number {
  const before = Map.groupBy(unpaired.recorded, ({ task, text }) => `${task.rule_id} ${text}`);
  const paired = new Set<RecordedTask>();
  unpaired.now = unpaired.now.filter(({ draft, text }) => {
    const equal = before.get(`${draft.rule_id} ${text}`)?.shift();
    if (equal) paired.add(equal.task);
    return !equal;
  });
  unpaired.recorded = unpaired.recorded.filter(({ task }) => !paired.has(task));
  return paired.size;
}

function pair(unpaired: Unpaired, isSame: SameTask): ChangedSpec[] {
  const pairs: ChangedSpec[] = [];
  unpaired.now = unpaired.now.filter((one) => {
    const at = unpaired.recorded.findIndex((before) => isSame(before, one));
    const [before] = at < 0 ? [] : unpaired.recorded.splice(at, 1);
    if (before) {
      const { task: recorded } = before;
      pairs.push({ recorded, now: one.draft, fields: changedFields(recorded, one.draft) });
    }
    return !before;
  });
  return pairs;
}

function changedFields(recorded: RecordedTask, now: TaskDraft): ChangedField[] {
  const before: Record<string, Json> = { rule_id: recorded.rule_id, ...recorded.spec };
  const after: Record<string, Json> = { rule_id: now.rule_id, ...now.spec };
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((field) => ({ field, recorded: before[field] ?? null, now: after[field] ?? null }))
    .filter((one) => comparableJson(one.recorded) !== comparableJson(one.now));
}
