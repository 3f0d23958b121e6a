/** What a run would decide, through the code that decides runs. Nothing is written, sent or started. */
import { z } from 'zod';
import { type DecideInput, decideRun } from '../activities/decide-run.ts';
import type { RunFacts } from '../core/decision.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { jsonObject, ruleTrace, runError } from './outputs.ts';

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
    errors: z.array(runError),
  })
  .meta({
    description: 'What the run would do',
    examples: [
      {
        context: { metrics: { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: 0.62 } } },
        rules: [ruleExample],
        tasks: [{ rule_id: 'low-success-rate', dedupe_key: specExample.dedupe_key, spec: specExample }],
        errors: [],
      },
    ],
  });

export type DryRun = z.output<typeof dryRunAnswer>;

export async function rehearseRun(input: DecideInput, resolvers: Resolvers): Promise<DryRun> {
  const { context, rules, tasks, error } = await decideRun(input, resolvers);
  return {
    context,
    rules,
    tasks: error ? [] : tasks.map(({ rule_id, dedupe_key, spec }) => ({ rule_id, dedupe_key, spec })),
    errors: error ? [error] : [],
  };
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
