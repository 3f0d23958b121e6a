/** What a run would decide, through the code that decides runs. Nothing is written, sent or started. */
import { z } from 'zod';
import type { AskModel } from '../activities/ask-model.ts';
import { type DecideInput, decideRun } from '../activities/decide-run.ts';
import type { RunFacts } from '../core/decision.ts';
import type { JsonObject } from '../core/json.ts';
import { matchEvent } from '../core/match.ts';
import type { ReportRecord } from '../core/report.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { jsonObject, ruleTrace, runError } from './outputs.ts';
import { instructionRecord, reportRecord } from './run-outputs.ts';

export const taskSpec = z.object({
  title: z.string(),
  description: z.string(),
  labels: z.array(z.string()),
  priority: z.enum(['low', 'medium', 'high', 'urgent']),
  target_repo: z.string().nullable(),
  dedupe_key: z.string().nullable(),
});

export const specExample = {
  title: 'Review coach in kaizen-agentic',
  description: 'Success rate 0.62',
  labels: ['kaizen', 'quality'],
  priority: 'medium',
  target_repo: 'kaizen-agentic',
  dedupe_key: 'low-success-rate:kaizen-agentic:coach',
};

export const ruleExample = {
  rule_id: 'low-success-rate',
  expression: 'context.metrics.summary.success_rate < 0.8',
  values: { 'context.metrics.summary.success_rate': 0.62 },
  result: true,
};

export const dryRunAnswer = z
  .object({
    context: jsonObject.nullable().describe('null where it could not be resolved'),
    rules: z.array(ruleTrace),
    tasks: z.array(z.object({ rule_id: z.string(), dedupe_key: z.string().nullable(), spec: taskSpec })),
    instructions: z.array(instructionRecord).describe('Empty without `model`: nobody was asked'),
    reports: z
      .array(reportRecord.pick({ sink: true, report: true, error: true }))
      .describe('What would be filed; empty where it depends on instructions and nobody was asked'),
    errors: z.array(runError),
    filter: z
      .object({
        expression: z.string(),
        values: jsonObject,
        result: z.boolean().nullable().describe('null where it fails; its run would'),
        message: z.string().nullable().describe('Why it fails'),
      })
      .nullable()
      .describe(
        'What the trigger’s filter says of this event, which a run by hand does not ask: published, the event ' +
          'would start a run only where the result is true. null without an event or a filter',
      ),
  })
  .meta({
    description: 'What the run would do',
    examples: [
      {
        context: { metrics: { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: 0.62 } } },
        rules: [ruleExample],
        tasks: [{ rule_id: 'low-success-rate', dedupe_key: specExample.dedupe_key, spec: specExample }],
        instructions: [],
        reports: [],
        errors: [],
        filter: {
          expression: 'event.attributes.project != "sandbox"',
          values: { 'event.attributes.project': 'kaizen-agentic' },
          result: true,
          message: null,
        },
      },
    ],
  });

export type DryRun = z.output<typeof dryRunAnswer>;

export interface RehearseDeps {
  resolvers: Resolvers;
  /** Asks the model and keeps nothing of it. Null: instructions are passed over. */
  askModel: AskModel | null;
  /** Of a retry whose chain has answers: what they were given for. */
  answered?: { origin_trigger_key: string; context: JsonObject };
}

export async function rehearseRun(
  input: DecideInput,
  { resolvers, askModel, answered }: RehearseDeps,
): Promise<DryRun> {
  const { run_id, definition_id } = input.run;
  const { definition_hash } = input.revision;
  const model = askModel && {
    ask: askModel,
    run: {
      run_id,
      definition_id,
      definition_hash,
      origin_trigger_key: answered?.origin_trigger_key ?? `dry-run:${run_id}`,
    },
    pinned: answered?.context ?? null,
    pin: async (context: JsonObject) => context,
  };
  const decided = await decideRun(input, { resolvers, ...(model && { model }) });
  const { context, rules, tasks, instructions, reports, error } = decided;
  return {
    context,
    rules,
    tasks: error ? [] : tasks.map(({ rule_id, dedupe_key, spec }) => ({ rule_id, dedupe_key, spec })),
    instructions,
    reports: reports.map(({ sink, report, error: fault }) => ({ sink, report, error: fault })),
    errors: [...(error ? [error] : []), ...reports.flatMap(unrenderable)],
    filter: filterOf(input),
  };
}

function filterOf({ revision: { compiled }, event }: DecideInput): DryRun['filter'] {
  if (!event || !compiled?.filter) return null;
  const expression = compiled.filter.source;
  const match = matchEvent(compiled, event);
  const { values } = match;
  if (match.outcome === 'filter_error') return { expression, values, result: null, message: match.message };
  return { expression, values, result: match.outcome === 'matched', message: null };
}

function unrenderable({ sink, error }: ReportRecord): DryRun['errors'] {
  return error === null ? [] : [{ code: 'report_failed', message: `${sink}: ${error}`, details: { sink } }];
}

export function factsOf(run: {
  run_id: string;
  definition_id: string;
  scheduled_for: string | null;
}): RunFacts {
  const { run_id, definition_id, scheduled_for } = run;
  return {
    run_id,
    definition_id,
    scheduled_for,
    date: (scheduled_for ?? new Date().toISOString()).slice(0, 10),
  };
}
