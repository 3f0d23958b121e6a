/**
 * The shape of an ActivityDefinition document (contract 3).
 *
 * Glossary
 *   definition  what an author declares: a trigger, what to bind, what to decide
 *   revision    one content of a definition, named by its `definition_hash`
 *   trigger     what starts a run: an event type, a schedule, or a person
 *   rule        a CEL condition and the task to make where it holds
 */
import { z } from 'zod';

const DEFINITION_ID = /^[a-z0-9][a-z0-9-]{0,99}$/;
const RULE_ID = /^[a-z0-9][a-z0-9_-]{0,99}$/;
const BIND_TO = /^context\.[a-z_][a-z0-9_]*$/;
const VARIABLE = /^[a-z_][a-z0-9_]*$/;
const DURATION = /^(\d+)(ms|s|m|h|d)$/;
/** Dotted and lower case; the NATS subject is `activity.` followed by it. */
export const EVENT_TYPE = /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+$/;

const duration = z.string().regex(DURATION, 'a duration like 30s, 15m, 1h or 7d');
const expression = z.string().min(1).max(4096).describe('A CEL expression');
const template = z.string().max(16_384).describe('Text; {{ CEL }} is replaced by the value');

const eventTrigger = z.strictObject({
  type: z.string().regex(EVENT_TYPE, 'a dotted, lower-case event type').describe('A registered event type'),
  filter: expression.optional().describe('CEL over `event`; the event is `filtered` where it is false'),
});

const scheduleTrigger = z.strictObject({
  cron: z.string().optional().describe('Five fields, as in `15 * * * *`'),
  every: duration.optional().describe('An interval, instead of cron'),
  timezone: z.string().default('UTC').describe('An IANA time zone'),
  overlap: z.enum(['skip', 'buffer_one', 'buffer_all', 'allow_all']).default('skip'),
  catchup_window: duration.default('1h').describe('How late a tick may start; at least 10s'),
  jitter: duration.default('0s'),
});

const trigger = z
  .strictObject({
    event: eventTrigger.optional(),
    schedule: scheduleTrigger.optional(),
    manual: z.strictObject({}).optional(),
  })
  .describe('Exactly one of event, schedule, manual');

const contextSource = z.strictObject({
  type: z.string().min(1).describe('A registered context source type'),
  bind_to: z.string().regex(BIND_TO, 'a name in the context, as in context.metrics'),
  params: z.record(z.string(), z.json()).default({}),
});

export const taskTemplate = z.strictObject({
  title: template.min(1),
  description: template.default(''),
  target_repo: template.optional(),
  labels: z.array(template).max(50).default([]),
  priority: z.enum(['low', 'medium', 'high', 'urgent']).default('medium'),
  dedupe_key: template.optional().describe('Tasks with one key are the same piece of work'),
});

const rule = z.strictObject({
  id: z.string().regex(RULE_ID, 'lower-case letters, digits, - and _'),
  for_each: expression.optional().describe('CEL that gives a list; the rule is evaluated for each element'),
  as: z.string().regex(VARIABLE, 'a variable name').optional().describe('The name of the element'),
  condition: expression.describe('CEL that gives true or false'),
  task: taskTemplate,
});

const instruction = z.strictObject({
  id: z.string().regex(RULE_ID, 'lower-case letters, digits, - and _'),
  prompt: template.min(1),
  output_schema: z.record(z.string(), z.json()),
  review_required: z.boolean().default(false),
  temperature: z.number().min(0).max(2).optional(),
  max_tokens: z.int().positive().optional(),
  tasks: z
    .array(
      z.strictObject({
        for_each: expression,
        as: z.string().regex(VARIABLE).default('item'),
        task: taskTemplate,
      }),
    )
    .default([]),
});

const report = z.looseObject({ sink: z.string().min(1).describe('A registered report sink') });

const expectation = z.strictObject({ run_every: duration });

const limits = z.strictObject({
  max_tasks_per_run: z.int().min(1).max(10_000).default(50),
  max_tasks_per_hour: z.int().min(1).optional(),
});

export const definitionSchema = z
  .strictObject({
    id: z.string().regex(DEFINITION_ID, 'lower-case letters, digits and -; the name of the file'),
    title: z.string().min(1).max(500),
    owner: z.string().min(1).max(200),
    enabled: z.boolean().default(true),
    trigger,
    context_sources: z.array(contextSource).default([]),
    rules: z.array(rule).default([]),
    instructions: z.array(instruction).default([]),
    reports: z.array(report).default([]),
    emit: z.enum(['audit', 'live']).default('audit'),
    on_duplicate: z.enum(['skip', 'comment', 'always']).default('skip'),
    expect: expectation.optional(),
    limits: limits.prefault({}),
  })
  .describe('An ActivityDefinition');

export type Definition = z.output<typeof definitionSchema>;
export type Rule = Definition['rules'][number];
export type TaskTemplate = z.output<typeof taskTemplate>;
export type ContextSource = Definition['context_sources'][number];

export type TriggerKind = 'event' | 'schedule' | 'manual';

export function triggerKind(definition: Definition): TriggerKind {
  if (definition.trigger.event) return 'event';
  return definition.trigger.schedule ? 'schedule' : 'manual';
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `1h` → 3600000. The text has passed the schema. */
export function durationMs(text: string): number {
  const [, amount, unit] = DURATION.exec(text)!;
  return Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
}
