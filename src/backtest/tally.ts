/** Inputs, one after the other → the report. What it keeps grows with the kinds of difference, not with the inputs. */
import type { RecordedTask } from '../clients/activity-core-api-backtest.ts';
import type { RuleTrace, RunError, TaskDraft } from '../core/decision.ts';
import type { Definition } from '../core/definition.ts';
import { idempotencyKey } from '../core/ids.ts';
import type { LoadedDefinition } from '../definitions/check.ts';
import { type ChangedSpec, compareSpecs, type SpecDifference } from './compare-specs.ts';
import { createHourlyLimit, hourlyLimitReport } from './hourly-limit.ts';
import type { Input, Recorded } from './recorded-outcome.ts';
import { FILTER, type Now, type Obstacle } from './replay.ts';
import type { BacktestReport, Difference, DifferenceKind, Example } from './report.ts';

export type Counts = Pick<
  BacktestReport,
  | 'compared'
  | 'not_compared'
  | 'not_reproducible'
  | 'specs'
  | 'outcomes_changed'
  | 'new_failures'
  | 'is_changed'
  | 'earlier_revisions'
  | 'hourly_limit'
  | 'differences'
>;

export interface Tally {
  /** `keptRules`: where the specs of a retry can only differ because they were kept. */
  compare(input: Input, now: Now, keptRules: ReadonlySet<string>): void;
  passOver(reason: string): void;
  cannotTell(input: Input, obstacle: Obstacle): void;
  counts(): Counts;
}

export interface TallyOptions {
  loaded: LoadedDefinition;
  applied: { definition_hash: string; document: Definition } | null;
  /** For each difference. */
  examples: number;
}

/** Nothing fails. */
const QUIET = new Set([
  ...['completed', 'filtered', 'disabled', 'not_triggered', 'not_due'],
  ...['held', 'discarded', 'not_decided'],
]);
const ORDER: DifferenceKind[] = ['failing', 'outcome', 'gone', 'added', 'changed', 'not_reproducible'];
const NO_SPECS: SpecDifference = { unchanged: 0, kept: 0, added: [], gone: [], changed: [] };

export function createTally({ loaded, applied, examples }: TallyOptions): Tally {
  const { definition, compiled } = loaded;
  const before = applied?.document;
  const ruleIds = new Set([
    ...definition.rules.map(({ id }) => id),
    ...compiled.instructions.flatMap(({ tasks }) => tasks.map(({ rule_id }) => rule_id)),
  ]);
  const hourly = definition.limits.max_tasks_per_hour;
  const limits = {
    now: createHourlyLimit(hourly),
    applied: createHourlyLimit(before?.limits.max_tasks_per_hour),
  };
  const specs = { recorded: 0, now: 0, unchanged: 0, kept: 0, added: 0, gone: 0, changed: 0 };
  const differences = new Map<string, Difference>();
  const notCompared: Record<string, number> = {};
  let [compared, notReproducible, outcomesChanged, newFailures, earlier] = [0, 0, 0, 0, 0];

  return { compare, passOver, cannotTell, counts };

  function compare(input: Input, now: Now, keptRules: ReadonlySet<string>): void {
    const { recorded } = input;
    compared += 1;
    const hash = recorded.definition_hash;
    if (hash !== null && applied && hash !== applied.definition_hash) earlier += 1;
    const tasks = recorded.run?.tasks ?? [];
    limits.now.add(input.at, now.tasks.length);
    limits.applied.add(input.at, tasks.length);
    const of = { definitionId: definition.id, triggerKey: input.trigger_key, keptRules };
    const found = compareSpecs(of, tasks, now.tasks);
    specs.recorded += tasks.length;
    specs.now += now.tasks.length;
    specs.unchanged += found.unchanged;
    specs.kept += found.kept;
    for (const kind of ['added', 'gone', 'changed'] as const) specs[kind] += found[kind].length;
    const isSame = recorded.outcome === now.outcome;
    const elsewhere = isSame ? failedElsewhere(recorded, now) : null;
    if (isSame && elsewhere === null) {
      addSpecs(input, now, found);
      return;
    }
    outcomesChanged += 1;
    const isFailing = !QUIET.has(now.outcome) && QUIET.has(recorded.outcome);
    if (isFailing) newFailures += 1;
    const other = elsewhere === null ? {} : { reason: 'failed_elsewhere', name: elsewhere };
    add(input, now, found, { kind: isFailing ? 'failing' : 'outcome', ...whereIn(now), ...other });
  }

  /** Each rule's difference is one of its own. */
  function addSpecs(input: Input, now: Now, { added, gone, changed }: SpecDifference): void {
    for (const [rule_id, tasks] of Map.groupBy(gone, (task) => task.rule_id))
      add(input, now, { ...NO_SPECS, gone: tasks }, { kind: 'gone', rule_id });
    for (const [rule_id, tasks] of Map.groupBy(added, (task) => task.rule_id))
      add(input, now, { ...NO_SPECS, added: tasks }, { kind: 'added', rule_id });
    const named = (one: ChangedSpec) =>
      JSON.stringify([one.now.rule_id, one.fields.map(({ field }) => field)]);
    for (const [key, ofFields] of Map.groupBy(changed, named)) {
      const [rule_id, fields]: [string, string[]] = JSON.parse(key);
      add(input, now, { ...NO_SPECS, changed: ofFields }, { kind: 'changed', rule_id, fields });
    }
  }

  function passOver(reason: string): void {
    notCompared[reason] = (notCompared[reason] ?? 0) + 1;
  }

  function cannotTell(input: Input, { reason, name }: Obstacle): void {
    notReproducible += 1;
    add(input, null, NO_SPECS, { kind: 'not_reproducible', reason, name });
  }

  function add(input: Input, now: Now | null, found: SpecDifference, about: About): void {
    const { kind, rule_id = null, fields = [], reason = reasonOf(kind, rule_id), name = null } = about;
    const recorded_outcome = input.recorded.outcome;
    const outcome = now?.outcome ?? null;
    const key = JSON.stringify([kind, rule_id, fields, reason, name, recorded_outcome, outcome]);
    let difference = differences.get(key);
    if (!difference) {
      difference = {
        ...{ kind, rule_id, recorded_outcome, outcome, fields, reason, name },
        ...expressionsOf(kind, rule_id, [recorded_outcome, outcome]),
        ...{ inputs: 0, specs: { added: 0, gone: 0, changed: 0 }, examples: [] },
      };
      differences.set(key, difference);
    }
    difference.inputs += 1;
    for (const side of ['added', 'gone', 'changed'] as const) difference.specs[side] += found[side].length;
    if (difference.examples.length < examples)
      difference.examples.push(exampleOf(input, now, found, rule_id));
  }

  function reasonOf(kind: DifferenceKind, rule_id: string | null): string | null {
    if (rule_id === null) return null;
    if (kind === 'gone' && !ruleIds.has(rule_id)) return 'rule_removed';
    const isKnown = before?.rules.some(({ id }) => id === rule_id) ?? true;
    const isOfInstruction = !definition.rules.some(({ id }) => id === rule_id);
    return kind === 'added' && !isKnown && !isOfInstruction ? 'rule_new' : null;
  }

  function expressionsOf(
    kind: DifferenceKind,
    rule_id: string | null,
    outcomes: (string | null)[],
  ): Pick<Difference, 'recorded_expression' | 'expression'> {
    const isOfFilter = outcomes.some((outcome) => outcome === 'filtered' || outcome === 'filter_error');
    if (kind === 'not_reproducible' || kind === 'changed' || (rule_id === null && !isOfFilter))
      return { recorded_expression: null, expression: null };
    const expressionIn = (document: Definition | undefined): string | null =>
      (rule_id === null
        ? document?.trigger.event?.filter
        : document?.rules.find(({ id }) => id === rule_id)?.condition) ?? null;
    return { recorded_expression: expressionIn(before), expression: expressionIn(definition) };
  }

  function exampleOf(
    { at, event, event_uid, scheduled_for, trigger_key, recorded }: Input,
    now: Now | null,
    found: SpecDifference,
    rule_id: string | null,
  ): Example {
    const trace =
      now && traceOf(now, rule_id, (task) => idempotencyKey(definition.id, trigger_key, ...task), found);
    const some = <T>(all: T[]): T[] => all.slice(0, Math.max(examples, 1));
    return {
      event: event && {
        ...{ event_uid: event_uid ?? '', id: event.id, source: event.source, received_at: at },
      },
      scheduled_for,
      run_id: recorded.run?.run_id ?? null,
      expression: trace?.expression ?? null,
      values: trace?.values ?? {},
      error: now?.error ?? null,
      added: some(found.added).map(({ spec }) => spec),
      gone: some(found.gone).map(({ spec }) => spec),
      changed: some(found.changed).map((one) => ({ title: one.recorded.spec.title, fields: one.fields })),
    };
  }

  function counts(): Counts {
    const byOrder = (a: Difference, b: Difference) =>
      ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || b.inputs - a.inputs;
    const { added, gone, changed } = specs;
    const hourly_limit = hourlyLimitReport(hourly, limits);
    return {
      compared,
      not_compared: notCompared,
      not_reproducible: notReproducible,
      specs,
      outcomes_changed: outcomesChanged,
      new_failures: newFailures,
      is_changed: added + gone + changed + outcomesChanged > 0 || hourly_limit?.is_new === true,
      earlier_revisions: earlier,
      hourly_limit,
      differences: [...differences.values()].sort(byOrder),
    };
  }
}

type About = Pick<Difference, 'kind'> & Partial<Pick<Difference, 'rule_id' | 'fields' | 'reason' | 'name'>>;

/** The rule or instruction that failed then, where another one fails now. */
function failedElsewhere({ run }: Recorded, now: Now): string | null {
  const [before, after] = [placeOf(run?.error ?? null), placeOf(now.error)];
  return after === null || before === after ? null : before;
}

/** Where a run fails. */
function whereIn({ outcome, error }: Now): Partial<About> {
  const rule = error?.details.rule_id;
  return outcome === 'rule_error' && typeof rule === 'string' ? { rule_id: rule } : {};
}

function placeOf(error: RunError | null): string | null {
  const place = error?.details.rule_id ?? error?.details.instruction_id;
  return typeof place === 'string' ? place : null;
}

/** The evaluation that an example is told with: of the spec's own place in its list, where there is one. */
function traceOf(
  { rules }: Now,
  rule_id: string | null,
  keyOf: (task: [ruleId: string, position: number]) => string,
  { added, gone }: { added: TaskDraft[]; gone: RecordedTask[] },
): RuleTrace | undefined {
  if (rule_id === null) return rules.find((trace) => trace.rule_id === FILTER);
  const ofRule = rules.filter((trace) => trace.rule_id === rule_id);
  const [goneOne] = gone;
  if (goneOne) {
    const place = ofRule.findIndex((_, position) => keyOf([rule_id, position]) === goneOne.idempotency_key);
    return place < 0 ? undefined : ofRule[place];
  }
  const [addedOne] = added;
  if (addedOne) return ofRule[addedOne.position];
  return ofRule.find(({ result }) => result === null) ?? ofRule[0];
}
