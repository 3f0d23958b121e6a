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
import { cronFault, timezoneFault } from './cron.ts';
import { duration, durationMs, spelled } from './duration.ts';
import { describeFound, listNames } from './wording.ts';

export const DEFINITION_ID = /^[a-z0-9][a-z0-9-]{0,99}$/;
const RULE_ID = /^[a-z0-9][a-z0-9_-]{0,99}$/;
const BIND_TO = /^context\.[a-z][a-z0-9_]*$/;
const VARIABLE = /^[a-z][a-z0-9_]*$/;
/** Dotted and lower case; the NATS subject is `activity.` followed by it. */
export const EVENT_TYPE = /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+$/;
/** Of one that is repeated in a message. */
const LONGEST_CRON = 60;

function checked(schema: z.ZodString, fault: (text: string) => string | null) {
  return schema.superRefine((text, context) => {
    const message = fault(text);
    if (message) context.addIssue({ code: 'custom', message });
  });
}

/** Undefined where there is nothing to add. */
function predicateFault(input: unknown): string | undefined {
  if (input === undefined) return 'missing required field `condition`; `"true"` always holds';
  if (input === null) return `expected a text, found ${describeFound(input)}; \`"true"\` always holds`;
  return typeof input === 'boolean' ? `expected a text, found \`${input}\`; write \`"${input}"\`` : undefined;
}

function scheduleFault(input: unknown): string | undefined {
  if (typeof input !== 'string') return undefined;
  const text = input.trim();
  const every = spelled(text);
  const found = `expected a mapping, found ${describeFound(input)}`;
  if (every !== null && interval.safeParse(every).success)
    return `${found}; write \`schedule: { every: ${every} }\``;
  const isCron = text.length <= LONGEST_CRON && cronFault(text) === null;
  if (isCron) return `${found}; write \`schedule: { cron: ${JSON.stringify(text)} }\``;
  return `${found}; its cron or interval belongs below it, as in \`schedule: { cron: "15 * * * *" }\``;
}

const interval = duration('1s').refine((text) => durationMs(text) < 1000 || durationMs(text) % 1000 === 0, {
  error: ({ input }) => `expected whole seconds, found ${describeFound(input)}`,
});

const expression = z.string().min(1).max(4096).describe('A CEL expression');
const predicate = z
  .string({ error: ({ input }) => predicateFault(input) })
  .min(1)
  .max(4096);
const template = z.string().max(16_384).describe('Text; {{ CEL }} is replaced by the value');

const ruleId = z
  .string()
  .regex(RULE_ID, 'a name of lower-case letters, digits, - and _')
  .describe('Unique in the definition');
const variable = z.string().regex(VARIABLE, 'a variable name, as in item');

const eventTrigger = z.strictObject({
  type: z
    .string()
    .regex(EVENT_TYPE, 'a dotted, lower-case event type')
    .describe('A registered event type, as in kaizen.metrics.recorded'),
  filter: predicate
    .optional()
    .describe('CEL over `event`; where it is false the event is `filtered` and nothing runs'),
});

const scheduleTrigger = z
  .strictObject(
    {
      cron: checked(z.string(), cronFault)
        .optional()
        .describe('Five fields, as in `15 * * * *`; either this or every'),
      every: interval.optional().describe('An interval, instead of cron; at least 1s'),
      timezone: checked(z.string(), timezoneFault).default('UTC').describe('The IANA time zone of cron'),
      overlap: z
        .enum(['skip', 'buffer_one', 'buffer_all', 'allow_all'])
        .default('skip')
        .describe('What happens to a tick while the run before it is still going'),
      catchup_window: duration('10s').default('1h').describe('How late a tick may still start; at least 10s'),
      jitter: duration('0s').default('0s').describe('Ticks are delayed by a random time up to this'),
    },
    { error: ({ input }) => scheduleFault(input) },
  )
  .superRefine(({ cron, every }, context) => {
    if ((cron === undefined) !== (every === undefined)) return;
    const found = cron === undefined ? 'neither' : 'both';
    context.addIssue({
      code: 'custom',
      message: `expected exactly one of \`cron\`, \`every\`; found ${found}`,
    });
  })
  .meta({ oneOf: [{ required: ['cron'] }, { required: ['every'] }] });

const trigger = z
  .strictObject({
    event: eventTrigger.optional().describe('Each event of one type'),
    schedule: scheduleTrigger.optional().describe('A clock'),
    manual: z.strictObject({}).optional().describe('Only by hand: `manual: {}`'),
  })
  .superRefine((triggers, context) => {
    const found = Object.keys(triggers);
    if (found.length === 1) return;
    const message = `expected exactly one of \`event\`, \`schedule\`, \`manual\`; found ${listNames(found) || 'none'}`;
    context.addIssue({ code: 'custom', message });
  })
  .meta({
    description: 'What starts a run: exactly one of event, schedule, manual',
    minProperties: 1,
    maxProperties: 1,
  });

const contextSource = z
  .strictObject({
    type: z.string().min(1).describe('A registered context source type'),
    bind_to: z
      .string()
      .regex(BIND_TO, 'a name in the context, as in context.metrics')
      .describe('As in context.metrics'),
    params: z
      .record(z.string(), z.json())
      .default({})
      .describe('What the source type asks for; texts may hold {{ CEL }}'),
  })
  .describe('Data that rules see as `context.<name>`');

export const taskTemplate = z
  .strictObject({
    title: template.min(1).describe('The task’s title; {{ CEL }} is replaced by the value'),
    description: template.default('').describe('The task’s text; {{ CEL }} is replaced by the value'),
    target_repo: template.optional().describe('The repository that the task is about'),
    labels: z.array(template).max(50).default([]),
    priority: z.enum(['low', 'medium', 'high', 'urgent']).default('medium'),
    dedupe_key: template.optional().describe('Tasks with one key are the same piece of work'),
  })
  .describe('The task that is asked for where the condition holds');

const rule = z
  .strictObject({
    id: ruleId,
    for_each: expression.optional().describe('CEL that gives a list; the rule is evaluated for each element'),
    as: variable.optional().describe('The name of the element, `item` unless set'),
    condition: predicate.describe('CEL that gives true or false'),
    task: taskTemplate,
  })
  .transform((rule) => (rule.for_each === undefined ? rule : { ...rule, as: rule.as ?? 'item' }));

const instruction = z
  .strictObject({
    id: ruleId,
    prompt: template.min(1).describe('What the model is asked; {{ CEL }} is replaced by the value'),
    output_schema: z.record(z.string(), z.json()).describe('JSON Schema of the answer'),
    review_required: z
      .boolean()
      .default(false)
      .describe('Shown with the run, its reports and these tasks; never sent to a sink'),
    temperature: z.number().min(0).max(2).optional(),
    max_tokens: z
      .int()
      .min(1)
      .max(200_000)
      .default(4096)
      .describe('The longest answer, in tokens; an answer that is cut off there is refused'),
    tasks: z
      .array(
        z.strictObject({
          for_each: expression.describe('CEL that gives a list; it sees the answer as `output`'),
          as: variable.default('item').describe('The name of the element'),
          task: taskTemplate,
        }),
      )
      .max(20)
      .default([])
      .describe('Tasks to make of the answer'),
  })
  .describe('A question to a language model');

const report = z.looseObject({ sink: z.string().min(1).describe('A registered report sink') });

const expectation = z
  .strictObject({ run_every: duration('1m').describe('At least 1m') })
  .describe('An alarm when no run completed for that long');

const limits = z.strictObject({
  max_tasks_per_run: z
    .int()
    .min(1)
    .max(10_000)
    .default(50)
    .describe('A run that wants more fails and makes none'),
  max_tasks_per_hour: z
    .int()
    .min(1)
    .optional()
    .describe('The run that crosses it finishes, then the definition is paused'),
  max_model_calls_per_run: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe('Requests to the model, over a run and all of its retries; 10 unless set'),
});

export const definitionSchema = z
  .strictObject({
    id: z
      .string()
      .regex(DEFINITION_ID, 'lower-case letters, digits and -, at most 100')
      .describe('The name of the file, without .yaml'),
    title: z.string().min(1).max(500).describe('One line for people'),
    owner: z.string().min(1).max(200).describe('Who answers for it'),
    enabled: z.boolean().default(true).describe('A disabled definition never runs'),
    trigger,
    context_sources: z
      .array(contextSource)
      .default([])
      .describe('Data to bind before the rules are evaluated'),
    rules: z.array(rule).default([]).describe('What to decide, in this order'),
    instructions: z.array(instruction).default([]).describe('Questions to a language model'),
    reports: z.array(report).default([]).describe('Where to tell what a run did'),
    emit: z
      .enum(['audit', 'live'])
      .default('audit')
      .describe('audit: tasks are recorded only; live: they are created'),
    on_duplicate: z
      .enum(['skip', 'comment', 'always'])
      .default('skip')
      .describe('What to do where an open task has the same dedupe_key'),
    expect: expectation.optional(),
    limits: limits.prefault({}).describe('How many tasks are too many'),
  })
  .describe('An ActivityDefinition');

export type Definition = z.output<typeof definitionSchema>;
export type Rule = Definition['rules'][number];
export type TaskTemplate = z.output<typeof taskTemplate>;
export type Instruction = Definition['instructions'][number];
export type ContextSource = Definition['context_sources'][number];
export type ScheduleTrigger = NonNullable<Definition['trigger']['schedule']>;

export type TriggerKind = 'event' | 'schedule' | 'manual';

export function triggerKind(definition: Definition): TriggerKind {
  if (definition.trigger.event) return 'event';
  return definition.trigger.schedule ? 'schedule' : 'manual';
}
