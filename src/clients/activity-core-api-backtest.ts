/** What `/api/v1/backtest` answers. Whoever reads it decides again, with the code of the service: the shapes are its own. */
import { z } from 'zod';
import type { RunError, TaskSpec } from '../core/decision.ts';
import type { Definition } from '../core/definition.ts';
import type { Envelope } from '../core/envelope.ts';
import type { InstructionRecord } from '../core/instruction-record.ts';
import type { JsonObject } from '../core/json.ts';

const text = z.string();
/** Large, and only passed on: their members are not walked. */
const asItIs = <T>() => z.custom<T>((value) => typeof value === 'object' && value !== null);

const documentSchema = asItIs<Definition>();

export const onRecordSchema = z.looseObject({
  definition_id: text,
  now: text,
  forgotten_before: text.nullable(),
  current: z.looseObject({ definition_hash: text, document: documentSchema }).nullable(),
  event_type: z.looseObject({ type: text, attributes_schema: asItIs<JsonObject>() }).nullable(),
});

export const revisionSchema = z.looseObject({ document: documentSchema });

const runSchema = z.looseObject({
  run_id: text,
  definition_hash: text,
  status: text,
  started_at: text,
  error: asItIs<RunError>().nullable(),
  has_context: z.boolean(),
  context: asItIs<JsonObject>().nullable(),
  instructions: z.array(asItIs<InstructionRecord>()),
  tasks: z.array(
    z.looseObject({ idempotency_key: text, rule_id: text, spec: asItIs<TaskSpec>(), moved: z.boolean() }),
  ),
});

export const recordedEventSchema = z.looseObject({
  event_uid: text,
  received_at: text,
  envelope: asItIs<Envelope>(),
  decision: z.looseObject({ definition_hash: text, outcome: text, reason: text.nullable() }).nullable(),
  /** Oldest first. */
  runs: z.array(runSchema),
});

export const recordedTickSchema = z.looseObject({
  scheduled_for: text,
  outcome: text,
  reason: text.nullable(),
  /** Oldest first. */
  runs: z.array(runSchema),
});

export type OnRecord = z.output<typeof onRecordSchema>;
export type RecordedRun = z.output<typeof runSchema>;
export type RecordedTask = RecordedRun['tasks'][number];
export type RecordedEvent = z.output<typeof recordedEventSchema>;
export type RecordedTick = z.output<typeof recordedTickSchema>;
