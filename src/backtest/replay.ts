/**
 * A recorded input → what the file would have made of it, through the code that the service decides with. What a source
 * or a model answered is taken from the record, and only where the file asks for the very same; nobody is asked again.
 */

import type { AskModel } from '../activities/ask-model.ts';
import { decideRun } from '../activities/decide-run.ts';
import type { CompiledSource } from '../core/compile.ts';
import type { RuleTrace, RunError, RunFacts, TaskDraft } from '../core/decision.ts';
import type { Definition } from '../core/definition.ts';
import { runId } from '../core/ids.ts';
import { canonicalJson, type JsonObject } from '../core/json.ts';
import { matchEvent } from '../core/match.ts';
import type { LoadedDefinition } from '../definitions/check.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { resolveContext } from '../resolvers/resolve-context.ts';
import type { Input } from './recorded-outcome.ts';

/** What the file makes of an input. */
export interface Now {
  /** `completed`, `filtered`, `filter_error` or the code that the run would fail with. */
  outcome: string;
  rules: RuleTrace[];
  tasks: TaskDraft[];
  error: RunError | null;
}

/** Why it cannot be told. `name`: as in `context.repos`, or the instruction's id. */
export interface Obstacle {
  reason:
    | 'context_source_new'
    | 'context_source_changed'
    | 'context_not_recorded'
    | 'instruction_new'
    | 'instruction_changed'
    | 'prompt_changed'
    | 'answer_not_recorded';
  name: string;
}

/** `uncomparable`: what was recorded, which says nothing of what the file makes: it never ran, or a source or model did not answer. */
export type Replayed = { now: Now } | { obstacle: Obstacle } | { uncomparable: string };

export type Replay = (input: Input) => Promise<Replayed>;

/** Null where it was never applied. */
export type Revisions = (hash: string) => Promise<Definition | null>;

export interface ReplayDeps {
  loaded: LoadedDefinition;
  resolvers: Resolvers;
  revision: Revisions;
}

export const FILTER = 'trigger.event.filter';

/** Whether the record of sources and models is needed at all. */
export function needsContext({ definition }: LoadedDefinition, resolvers: Resolvers): boolean {
  const { instructions, context_sources } = definition;
  return instructions.length > 0 || context_sources.some(({ type }) => !isReplayable(type, resolvers));
}

export function createReplay({ loaded, resolvers, revision }: ReplayDeps): Replay {
  const { definition, definition_hash, compiled } = loaded;
  const definition_id = definition.id;
  const again = compiled.sources.filter(({ type }) => isReplayable(type, resolvers));
  const recorded = compiled.sources.filter(({ type }) => !isReplayable(type, resolvers));
  const asRevision = {
    ...{ definition_id, definition_hash, definition, compiled },
    ...{ problem: null, approved: false },
  };

  return async function replay(input) {
    if (input.event) {
      const refused = filter(input.event);
      if (refused) return { now: refused };
    }
    const { compares, outcome } = input.recorded;
    if (compares === 'filter') return { uncomparable: outcome };
    const replayed = await decide(input);
    const isCompleted = 'now' in replayed && replayed.now.error === null;
    return compares === 'failure' && isCompleted ? { uncomparable: outcome } : replayed;
  };

  async function decide(input: Input): Promise<Replayed> {
    const run = factsOf(definition_id, input);
    const bound = await contextOf(input, run);
    if (!('context' in bound)) return bound;
    try {
      const { context } = bound;
      const modelRun = {
        run_id: run.run_id,
        definition_id,
        origin_trigger_key: input.trigger_key,
        definition_hash,
      };
      const model = { ask: recalled(input), run: modelRun, pinned: context, pin: async () => context };
      const decided = await decideRun(
        { revision: asRevision, event: input.event, run },
        { resolvers, model },
      );
      const { rules, tasks, error, reports } = decided;
      if (error) return { now: { outcome: error.code, rules, tasks: [], error } };
      const unrenderable = reports.find((report) => report.error !== null);
      if (!unrenderable) return { now: { outcome: 'completed', rules, tasks, error } };
      const { sink, error: message } = unrenderable;
      const failure: RunError = { code: 'report_failed', message: `${sink}: ${message}`, details: { sink } };
      return { now: { outcome: failure.code, rules, tasks, error: failure } };
    } catch (error) {
      if (error instanceof NotOnRecord) return error.replayed;
      throw error;
    }
  }

  function filter(event: JsonObject): Now | null {
    const match = matchEvent(compiled, event);
    if (match.outcome === 'matched') return null;
    const { outcome, expression, values } = match;
    const result = outcome === 'filtered' ? false : null;
    const rules = [{ rule_id: FILTER, expression, values, result }];
    if (match.outcome === 'filtered') return { outcome, rules, tasks: [], error: null };
    const error: RunError = { code: 'filter_error', message: match.message, details: { expression, values } };
    return { outcome, rules, tasks: [], error };
  }

  async function contextOf(input: Input, run: RunFacts): Promise<{ context: JsonObject } | Replayed> {
    const { run: recordedRun } = input.recorded;
    for (const source of recorded) {
      const reason = await whyNotRecorded(source, input);
      if (reason) return { obstacle: { reason, name: `context.${source.name}` } };
      if (!recordedRun?.context) return unbound(input, source);
    }
    const resolved = await resolveContext({ sources: again }, resolvers, { event: input.event, run });
    if (!resolved.ok) {
      const { error } = resolved;
      return { now: { ...NOTHING, outcome: error.code, error } };
    }
    const { context } = resolved;
    for (const { name } of recorded) context[name] = recordedRun?.context?.[name] ?? null;
    return { context };
  }

  /** Null where the revision that it was recorded with asked the same. */
  async function whyNotRecorded(
    { name }: CompiledSource,
    { recorded }: Input,
  ): Promise<Obstacle['reason'] | null> {
    if (recorded.definition_hash === null) return 'context_source_new';
    if (recorded.definition_hash === definition_hash) return null;
    const then = (await revision(recorded.definition_hash))?.context_sources ?? [];
    const isOf = (source: { bind_to: string }) => source.bind_to === `context.${name}`;
    const before = then.find(isOf);
    if (!before) return 'context_source_new';
    const file = definition.context_sources.find(isOf);
    return canonicalJson(before) === canonicalJson(file) ? null : 'context_source_changed';
  }

  /** Takes the answers of the recorded run, and what its schema refused, where the question was the same. */
  function recalled({ recorded }: Input): AskModel {
    return async ({ instruction: { id }, prompt }) => {
      const hash = recorded.definition_hash;
      const then = hash === null ? null : await revision(hash);
      const isOf = (instruction: { id: string }) => instruction.id === id;
      const before = then?.instructions.find(isOf);
      if (!before) throw notOnRecord({ reason: 'instruction_new', name: id });
      if (canonicalJson(before) !== canonicalJson(definition.instructions.find(isOf)))
        throw notOnRecord({ reason: 'instruction_changed', name: id });
      const record = recorded.run?.instructions.find(({ instruction_id }) => instruction_id === id);
      if (!record) throw notOnRecord({ reason: 'answer_not_recorded', name: id });
      if (record.status === 'failed') throw new NotOnRecord({ uncomparable: 'instruction_failed' });
      if (record.prompt_hash !== prompt.prompt_hash)
        throw notOnRecord({ reason: 'prompt_changed', name: id });
      if (record.status === 'answered') return { kind: 'answered', record, output: record.output };
      const message = `instruction ${id}: the answer was refused twice`;
      const error = recorded.run?.error ?? { code: 'instruction_invalid', message, details: {} };
      return { kind: 'failed', record, error };
    };
  }
}

const NOTHING = { rules: [], tasks: [], error: null };

/** Ends deciding where the record has no answer of the model. */
class NotOnRecord extends Error {
  readonly replayed: Replayed;

  constructor(replayed: Replayed) {
    super('not on record');
    this.replayed = replayed;
  }
}

const notOnRecord = (obstacle: Obstacle): NotOnRecord => new NotOnRecord({ obstacle });

const isReplayable = (type: string, resolvers: Resolvers): boolean =>
  resolvers.get(type)?.deterministic === true;

function unbound({ recorded }: Input, { name }: CompiledSource): Replayed {
  if (recorded.outcome === 'resolver_failed') return { uncomparable: 'resolver_failed' };
  return { obstacle: { reason: 'context_not_recorded', name: `context.${name}` } };
}

/** As the recorded run had them, where there is one. */
function factsOf(
  definitionId: string,
  { at, trigger_key, scheduled_for, recorded: { run } }: Input,
): RunFacts {
  return {
    run_id: run?.run_id ?? runId(definitionId, trigger_key),
    definition_id: definitionId,
    scheduled_for,
    date: (scheduled_for ?? run?.started_at ?? at).slice(0, 10),
  };
}
