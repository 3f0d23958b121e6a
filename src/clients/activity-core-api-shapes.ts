/** What the HTTP API answers (contract 5): the fields that are read here; others pass through untouched. */
import { z } from 'zod';
import { definitionErrorSchema } from './activity-core-api-plan.ts';
import { feedbackSchema } from './activity-core-api-trust.ts';

const json = z.json();
export const jsonObject = z.record(z.string(), json);
const text = z.string();
const textOrNull = z.string().nullable();

export const problemSchema = z.looseObject({
  code: text,
  title: text.optional(),
  detail: text.optional(),
  violations: z.array(z.looseObject({ pointer: text, message: text })).optional(),
  event_uids: z.array(text).optional(),
  errors: z.array(definitionErrorSchema).optional(),
});

const failureSchema = z.looseObject({ code: text, message: text, details: json.optional() });

const triggerSchema = z.looseObject({
  kind: text,
  event_id: textOrNull.optional(),
  event_uid: textOrNull.optional(),
  scheduled_for: textOrNull.optional(),
  requested_by: textOrNull.optional(),
  reason: textOrNull.optional(),
});

export const runSchema = z.looseObject({
  run_id: text,
  definition_id: text,
  definition_hash: text,
  trigger: triggerSchema,
  status: text,
  task_count: z.number(),
  sink_mode: text,
  sink_reason: textOrNull,
  retry_of: textOrNull,
  traceparent: textOrNull.optional(),
  temporal: z.looseObject({ workflow_id: text, run_id: textOrNull }).nullable(),
  started_at: text,
  finished_at: textOrNull,
  error: failureSchema.nullable(),
});

const specSchema = z.looseObject({
  title: text,
  description: textOrNull.optional(),
  labels: z.array(text).optional(),
  priority: text.optional(),
  target_repo: textOrNull.optional(),
  dedupe_key: textOrNull.optional(),
});

export const taskSchema = z.looseObject({
  idempotency_key: text,
  run_id: text,
  definition_id: text,
  rule_id: text,
  spec: specSchema,
  dedupe_key: textOrNull,
  status: text,
  task_ref: textOrNull,
  attempts: z.number(),
  last_error: json.optional(),
  created_at: text,
});

const ruleSchema = z.looseObject({
  rule_id: text,
  item: json.optional(),
  as: text.optional(),
  expression: text,
  values: jsonObject,
  result: z.boolean().nullable(),
});

const instructionSchema = z.looseObject({
  instruction_id: text,
  status: text,
  reused: z.boolean(),
  output: json.optional(),
  answers: z.array(
    z.looseObject({
      answer: textOrNull,
      accepted: z.boolean(),
      violations: z.array(z.looseObject({ pointer: text, message: text })),
      fault: textOrNull,
      model: textOrNull,
      usage: z.looseObject({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullable(),
      latency_ms: z.number().nullable(),
    }),
  ),
});

const reportSchema = z.looseObject({
  sink: text,
  report: jsonObject,
  status: text.optional(),
  error: textOrNull,
  filed: jsonObject.nullable().optional(),
});

export const runDetailSchema = z.looseObject({
  ...runSchema.shape,
  context: jsonObject.nullable(),
  rules: z.array(ruleSchema),
  instructions: z.array(instructionSchema).default([]),
  reports: z.array(reportSchema).default([]),
  tasks: z.array(taskSchema),
  reviews: z
    .array(z.looseObject({ verdict: text, reviewer: text, note: textOrNull, reviewed_at: text }))
    .optional(),
  feedback: z.array(feedbackSchema).optional(),
  // An older service does not tell.
  retried_as: z.looseObject({ run_id: text, status: text }).nullish(),
});

export const definitionSchema = z.looseObject({
  definition_id: text,
  title: text,
  owner: text,
  enabled: z.boolean(),
  paused: z.boolean(),
  pause_reason: textOrNull,
  definition_hash: text,
  problem: textOrNull.optional(),
  trigger: z.looseObject({
    event: z.looseObject({ type: text, filter: text.optional() }).optional(),
    schedule: z
      .looseObject({ cron: text.optional(), every: text.optional(), timezone: text.optional() })
      .optional(),
  }),
  emit: text,
  sink_mode: text,
  sink_reason: textOrNull,
  last_run: z.looseObject({ run_id: text, status: text, started_at: text }).nullable(),
  next_run: textOrNull,
  schedule: z
    .looseObject({
      cron: textOrNull,
      every: textOrNull,
      timezone: text,
      overlap: text,
      catchup_window: text,
      jitter: text,
    })
    .nullable()
    .optional(),
  document: z.looseObject({
    context_sources: z.array(z.looseObject({ type: text, bind_to: text })).optional(),
    rules: z
      .array(z.looseObject({ id: text, condition: text, task: z.looseObject({ title: text }) }))
      .optional(),
    on_duplicate: text.optional(),
    expect: z.looseObject({ run_every: text }).optional(),
    limits: z
      .looseObject({ max_tasks_per_run: z.number(), max_tasks_per_hour: z.number().optional() })
      .optional(),
  }),
});

/** Of a definition that is no longer declared, the API tells nothing else. */
export const resumedSchema = z.looseObject({
  definition_id: text,
  paused: z.boolean(),
  // An older service does not tell.
  was_paused: z.boolean().optional(),
  held: z.looseObject({ fired: z.number(), discarded: z.number() }),
});

export const tickSchema = z.looseObject({
  definition_id: text,
  scheduled_for: text,
  outcome: text,
  reason: textOrNull,
  run_id: textOrNull,
});

/** `would_start` of a preview, `started` of the real one. */
export const backfillSchema = z.looseObject({
  definition_id: text,
  from: text,
  to: text,
  ticks: z.number(),
  have_runs: z.number(),
  pending: z.number(),
  would_start: z.number().optional(),
  started: z.number().optional(),
  remaining: z.number(),
  items: z.array(z.looseObject({ scheduled_for: text, run_id: textOrNull, action: text })),
});

export const startedSchema = z.looseObject({ run_id: text, workflow_id: text });

export const dryRunSchema = z.looseObject({
  context: jsonObject.nullable(),
  rules: z.array(ruleSchema),
  tasks: z.array(z.looseObject({ rule_id: text, dedupe_key: textOrNull, spec: specSchema })),
  instructions: z.array(instructionSchema).default([]),
  reports: z.array(reportSchema).default([]),
  errors: z.array(failureSchema),
  filter: z
    .looseObject({
      expression: text,
      values: jsonObject,
      result: z.boolean().nullable(),
      message: textOrNull,
    })
    .nullable()
    .default(null),
});

export const eventTypeSchema = z.looseObject({ type: text });

export const eventSchema = z.looseObject({
  event_uid: text,
  fate: text,
  id: text,
  source: text,
  type: text,
  time: text,
  received_at: text,
  subject: text,
  stream_seq: z.number().nullable(),
  duplicates: z.number(),
  traceparent: textOrNull.optional(),
});

const decisionSchema = z.looseObject({
  definition_id: text,
  definition_hash: text,
  outcome: text,
  reason: textOrNull,
  values: jsonObject,
  run_id: textOrNull,
});

export const eventDetailSchema = z.looseObject({
  ...eventSchema.shape,
  envelope: jsonObject,
  decisions: z.array(decisionSchema),
});

const violationSchema = z.looseObject({ pointer: text, message: text });

/** `event_id`: an older service does not tell. */
export const quarantinedSchema = z.looseObject({
  id: text,
  event_id: text.nullish(),
  received_at: text,
  subject: text,
  headers: z.record(z.string(), z.union([text, z.array(text)])).nullable(),
  reason: text,
  violations: z.array(violationSchema),
  bytes_base64: text.optional(),
  size: z.number(),
  state: text,
});

/** `overflow`: counted and not kept, since quarantine was full; an older service does not tell. */
export const quarantinePageSchema = z.looseObject({
  ...pageSchema(quarantinedSchema).shape,
  overflow: z
    .array(z.looseObject({ reason: text, count: z.number(), first_at: text, last_at: text }))
    .optional(),
});

export const redrivenSchema = z.looseObject({
  fate: text,
  decisions: z.array(decisionSchema.partial({ definition_hash: true, values: true, run_id: true })),
  reason: textOrNull.optional(),
  violations: z.array(violationSchema).optional(),
});

/** `next_cursor`: null on the last page. */
export function pageSchema<Item extends z.ZodType>(item: Item) {
  return z.looseObject({ items: z.array(item), next_cursor: textOrNull });
}

export type Problem = z.output<typeof problemSchema>;
export type Failure = z.output<typeof failureSchema>;
export type Run = z.output<typeof runSchema>;
export type RunDetail = z.output<typeof runDetailSchema>;
export type RuleTrace = z.output<typeof ruleSchema>;
export type InstructionItem = z.output<typeof instructionSchema>;
export type ReportItem = z.output<typeof reportSchema>;
export type TaskSpec = z.output<typeof specSchema>;
export type Task = z.output<typeof taskSchema>;
export type DefinitionItem = z.output<typeof definitionSchema>;
export type Resumed = z.output<typeof resumedSchema>;
export type Tick = z.output<typeof tickSchema>;
export type Backfill = z.output<typeof backfillSchema>;
export type Started = z.output<typeof startedSchema>;
export type DryRun = z.output<typeof dryRunSchema>;
export type EventItem = z.output<typeof eventSchema>;
export type EventDetail = z.output<typeof eventDetailSchema>;
export type Decision = z.output<typeof decisionSchema>;
export type Quarantined = z.output<typeof quarantinedSchema>;
export type QuarantinePage = z.output<typeof quarantinePageSchema>;
export type Redriven = z.output<typeof redrivenSchema>;
export type Violation = z.output<typeof violationSchema>;
export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}
