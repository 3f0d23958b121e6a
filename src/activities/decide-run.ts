/** One run, decided: filter (for retries), context, rules, instructions, reports. A dry run calls the same. */
import type { CompiledDefinition } from '../core/compile.ts';
import { renderReport } from '../core/compile-report.ts';
import type { Bindings, Decision, RunFacts } from '../core/decision.ts';
import type { Envelope } from '../core/envelope.ts';
import { evaluate } from '../core/evaluate.ts';
import type { InstructionRecord } from '../core/instruction-record.ts';
import type { JsonObject } from '../core/json.ts';
import { matchEvent } from '../core/match.ts';
import type { ReportRecord } from '../core/report.ts';
import type { Revision } from '../definitions/applied-registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { resolveContext } from '../resolvers/resolve-context.ts';
import { instruct, type Model } from './instruct.ts';

export interface DecidedDecision extends Decision {
  context: JsonObject | null;
  instructions: InstructionRecord[];
  /** Rendered, not filed. */
  reports: ReportRecord[];
  /** A context source or the model did not answer and may later: the same decision may turn out otherwise then. */
  retryable?: boolean;
  retry_after_ms?: number | null;
}

export interface DecideInput {
  revision: Revision;
  event: Envelope | null;
  run: RunFacts;
  /** The retry of an event's run asks the current revision's filter. The bridge has asked it already; a run by hand never does. */
  applyFilter?: boolean;
}

export interface DecideDeps {
  resolvers: Resolvers;
  /** Without it instructions are passed over, and reports too where there are any. */
  model?: RunModel | undefined;
}

export interface RunModel extends Model {
  /** What the sources answered before, while the same run was decided. */
  pinned: JsonObject | null;
  /** Keeps what the sources answered, before the model is asked; gives back what is kept. */
  pin(context: JsonObject): Promise<JsonObject>;
}

const nothing = { context: null, rules: [], tasks: [], instructions: [], reports: [] };

export async function decideRun(
  input: DecideInput,
  { resolvers, model }: DecideDeps,
): Promise<DecidedDecision> {
  const { revision, event, run } = input;
  const { compiled, definition } = revision;
  if (!compiled) {
    const message = `this version cannot run the revision: ${revision.problem}`;
    const details = { definition_id: revision.definition_id, definition_hash: revision.definition_hash };
    return { ...nothing, error: { code: 'definition_invalid', message, details } };
  }
  if (input.applyFilter && event && definition.trigger.event) {
    const match = matchEvent(compiled, event);
    if (match.outcome === 'filter_error') {
      const details = { expression: match.expression, values: match.values };
      return { ...nothing, error: { code: 'filter_error', message: match.message, details } };
    }
    if (match.outcome === 'filtered') {
      const trace = {
        rule_id: 'trigger.event.filter',
        expression: match.expression,
        values: match.values,
        result: false,
      };
      return { ...nothing, rules: [trace], error: null };
    }
  }
  const resolved = model?.pinned
    ? { ok: true as const, context: model.pinned }
    : await resolveContext(compiled, resolvers, { event, run });
  if (!resolved.ok) return { ...nothing, error: resolved.error, retryable: resolved.retryable };
  return decideWith(compiled, { event, context: resolved.context, run }, model);
}

async function decideWith(
  compiled: CompiledDefinition,
  resolved: Bindings,
  model: RunModel | undefined,
): Promise<DecidedDecision> {
  const hasInstructions = compiled.instructions.length > 0;
  const context = hasInstructions && model ? await model.pin(resolved.context) : resolved.context;
  const bindings = { ...resolved, context };
  const decision = { ...evaluate(compiled, bindings), context };
  if (decision.error || !hasInstructions) {
    const reports = decision.error ? [] : reportsOf(compiled, bindings, {});
    return { ...decision, instructions: [], reports };
  }
  if (!model) return { ...decision, instructions: [], reports: [] };
  const { outputs, ...instructed } = await instruct(compiled, bindings, decision.tasks, model);
  if (instructed.error) return { ...decision, ...instructed, tasks: [], reports: [] };
  return { ...decision, ...instructed, reports: reportsOf(compiled, bindings, outputs) };
}

/** One that cannot be rendered has failed for good; the run does the rest first (contract 8). */
function reportsOf(compiled: CompiledDefinition, bindings: Bindings, outputs: JsonObject): ReportRecord[] {
  return compiled.reports.map((report) => {
    const rendered = renderReport(report, { ...bindings, instructions: outputs });
    const unfiled = { sink: report.sink, attempts: 0, failing_since: null, filed: null, filed_at: null };
    return rendered.ok
      ? { ...unfiled, report: rendered.report, status: 'pending', error: null }
      : { ...unfiled, report: {}, status: 'failed', error: rendered.message };
  });
}
