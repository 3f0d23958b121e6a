/** The specs of one run: those on record against those that the file makes. */
import type { RecordedTask } from '../clients/activity-core-api-backtest.ts';
import type { TaskDraft, TaskSpec } from '../core/decision.ts';
import { idempotencyKey } from '../core/ids.ts';
import { canonicalJson, type Json } from '../core/json.ts';
import { isSameText } from './same-text.ts';

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
  added: TaskDraft[];
  gone: RecordedTask[];
  changed: ChangedSpec[];
}

type SameTask = (recorded: RecordedTask, now: TaskDraft) => boolean;

/**
 * Equal ones are paired first, wherever they stand in a list. Of the rest, those of one rule with one dedupe key, then those of
 * one place in one rule, which have the same idempotency key, and at last equal ones of different rules.
 */
export function compareSpecs(
  { definitionId, triggerKey }: { definitionId: string; triggerKey: string },
  recorded: readonly RecordedTask[],
  now: readonly TaskDraft[],
): SpecDifference {
  const unpaired = { recorded: [...recorded], now: [...now] };
  const unchanged = pairEqual(unpaired);
  if (unpaired.recorded.length === 0 || unpaired.now.length === 0)
    return { unchanged, added: unpaired.now, gone: unpaired.recorded, changed: [] };
  const keys = new Map(
    unpaired.now.map((draft) => [
      draft,
      idempotencyKey(definitionId, triggerKey, draft.rule_id, draft.position),
    ]),
  );
  const passes: SameTask[] = [
    (before, draft) =>
      before.rule_id === draft.rule_id &&
      draft.dedupe_key !== null &&
      before.spec.dedupe_key === draft.dedupe_key,
    (before, draft) => before.idempotency_key === keys.get(draft),
    (before, draft) => canonicalJson(before.spec) === canonicalJson(draft.spec),
  ];
  const pairs = passes.flatMap((isSame) => pair(unpaired, isSame));
  const changed = pairs.filter(({ fields }) => fields.length > 0);
  const equal = unchanged + pairs.length - changed.length;
  return { unchanged: equal, added: unpaired.now, gone: unpaired.recorded, changed };
}

interface Unpaired {
  recorded: RecordedTask[];
  now: TaskDraft[];
}

const identityOf = ({ rule_id, spec }: { rule_id: string; spec: TaskSpec }): string =>
  `${rule_id} ${canonicalJson(spec)}`;

function pairEqual(unpaired: Unpaired): number {
  const before = new Map<string, RecordedTask[]>();
  for (const task of unpaired.recorded) {
    const identity = identityOf(task);
    const equal = before.get(identity);
    if (equal) equal.push(task);
    else before.set(identity, [task]);
  }
  const paired = new Set<RecordedTask>();
  unpaired.now = unpaired.now.filter((draft) => {
    const equal = before.get(identityOf(draft))?.shift();
    if (equal) paired.add(equal);
    return !equal;
  });
  unpaired.recorded = unpaired.recorded.filter((task) => !paired.has(task));
  return paired.size;
}

function pair(unpaired: Unpaired, isSame: SameTask): ChangedSpec[] {
  const pairs: ChangedSpec[] = [];
  unpaired.now = unpaired.now.filter((draft) => {
    const at = unpaired.recorded.findIndex((task) => isSame(task, draft));
    const [recorded] = at < 0 ? [] : unpaired.recorded.splice(at, 1);
    if (recorded) pairs.push({ recorded, now: draft, fields: changedFields(recorded, draft) });
    return !recorded;
  });
  return pairs;
}

function changedFields(recorded: RecordedTask, now: TaskDraft): ChangedField[] {
  const before: Record<string, Json> = { rule_id: recorded.rule_id, ...recorded.spec };
  const after: Record<string, Json> = { rule_id: now.rule_id, ...now.spec };
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .map((field) => ({ field, recorded: before[field] ?? null, now: after[field] ?? null }))
    .filter((one) => !isSame(one));
}

const isSame = ({ recorded, now }: ChangedField): boolean =>
  canonicalJson(recorded) === canonicalJson(now) ||
  (typeof recorded === 'string' && typeof now === 'string' && isSameText(recorded, now));
