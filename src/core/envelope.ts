/**
 * Bytes → envelope, or the reason why not (contract 2, the table of fates).
 * Both forms come in: ours, and a CloudEvents 1.0 JSON event in structured mode.
 */
import { z } from 'zod';
import { EVENT_TYPE } from './definition.ts';
import type { JsonObject } from './json.ts';
import { findInexactInteger, findUnstorable, nestingDepth } from './storable.ts';
import { parseTraceparent } from './trace-context.ts';
import { describeFound, nearestName } from './wording.ts';

export const MAX_EVENT_BYTES = 256 * 1024;
export const MAX_EVENT_DEPTH = 64;
export const SUBJECT_PREFIX = 'activity.';

export const QUARANTINE_REASONS = [
  'not_json',
  'invalid_envelope',
  'too_large',
  'too_deep',
  'subject_mismatch',
  'unstorable',
  'unregistered_type',
  'invalid_attributes',
  'too_old',
  'id_conflict',
  'causal_loop',
] as const;
export type QuarantineReason = (typeof QUARANTINE_REASONS)[number];

/** `pointer`: JSON Pointer (RFC 6901) from the envelope, as in `/attributes/summary`. */
export interface Violation {
  pointer: string;
  message: string;
}

export interface Refusal {
  reason: QuarantineReason;
  violations: Violation[];
}

export interface Envelope extends JsonObject {
  id: string;
  type: string;
  source: string;
  time: string;
  subject: string | null;
  schema_version: string | null;
  correlation_id: string | null;
  causation_id: string | null;
  attributes: JsonObject;
}

/** `traceparent`: beside the envelope, not of it; null where it has none, or an invalid one. */
export type Decoded =
  | { ok: true; envelope: Envelope; traceparent: string | null }
  | ({ ok: false } & Refusal);

/** What the registry knows of a type: `null` where it is not registered. */
export type AttributesCheck = (type: string) => ((attributes: JsonObject) => Violation[]) | null;

const identifier = z
  .string('expected a text of 1 to 200 characters')
  .min(1, 'expected 1 to 200 characters')
  .max(200, 'expected 1 to 200 characters');
const optionalText = z
  .string('expected a text or null')
  .max(1000, 'expected at most 1000 characters')
  .nullish()
  .transform((text) => text ?? null);
// It comes from JSON.parse: that its members are JSON need not be walked again.
const object = z.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'expected an object',
);
// RFC 3339 lets `t` and `z` stand in lower case.
const time = z.preprocess(
  (value) => (typeof value === 'string' ? value.toUpperCase() : value),
  z.iso.datetime({ offset: true, error: 'expected an RFC 3339 time, as in 2026-11-20T08:15:00Z' }),
);
const extension = z
  .union([z.string().max(1000), z.number(), z.boolean()], 'expected a text, a number or true or false')
  .transform(String)
  .nullish()
  .transform((text) => text ?? null);
const type = z
  .string('expected a dotted, lower-case type')
  .max(200, 'expected at most 200 characters')
  .regex(EVENT_TYPE, 'expected a dotted, lower-case type, as in kaizen.metrics.recorded');

const envelopeSchema = z.object({
  id: identifier,
  type,
  source: identifier,
  time,
  subject: optionalText,
  schema_version: optionalText,
  correlation_id: optionalText,
  causation_id: optionalText,
  attributes: object,
});

const cloudEventSchema = z
  .object({
    specversion: z.literal('1.0', 'expected CloudEvents specversion 1.0'),
    id: identifier,
    type,
    source: identifier,
    time: time.nullish(),
    subject: optionalText,
    data: object,
    data_base64: z.null('is refused: send `data`, an object').optional(),
    correlationid: extension,
    causationid: extension,
  })
  .transform(({ specversion: _, data, data_base64: __, correlationid, causationid, ...event }) => ({
    ...event,
    schema_version: null,
    correlation_id: correlationid,
    causation_id: causationid,
    attributes: data,
  }));

/** The order of the checks is the order of their cost. `receivedAt`: RFC 3339, counts where a CloudEvent has no time. */
export function decodeEnvelope(bytes: Uint8Array, receivedAt: string): Decoded {
  if (bytes.byteLength > MAX_EVENT_BYTES) {
    return refuse('too_large', `has ${bytes.byteLength} bytes; expected at most ${MAX_EVENT_BYTES}`);
  }
  const parsed = parse(bytes);
  if (!parsed.ok) return refuse('not_json', parsed.message);
  const decoded = checkEnvelope(parsed.value, receivedAt);
  const inexact = decoded.ok && findInexactInteger(parsed.text);
  if (!inexact) return decoded;
  return refuse('unstorable', `holds ${inexact}, a whole number that a double would change; send it as text`);
}

export function checkEnvelope(value: unknown, receivedAt: string): Decoded {
  const depth = nestingDepth(value);
  if (depth > MAX_EVENT_DEPTH) {
    return refuse('too_deep', `is nested more than ${MAX_EVENT_DEPTH} levels deep`);
  }
  const unstorable = findUnstorable(value);
  if (unstorable) return { ok: false, reason: 'unstorable', violations: [unstorable] };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('invalid_envelope', `is ${describeFound(value)}; expected an object`);
  }
  const isCloudEvent = 'specversion' in value;
  const parsed = isCloudEvent ? cloudEventSchema.safeParse(value) : envelopeSchema.safeParse(value);
  if (!parsed.success) {
    return { ok: false, reason: 'invalid_envelope', violations: parsed.error.issues.map(violationOf) };
  }
  const envelope = { ...parsed.data, time: parsed.data.time ?? receivedAt };
  const traceparent = 'traceparent' in value ? parseTraceparent(value.traceparent) : null;
  return { ok: true, envelope, traceparent };
}

export interface EventChecks {
  /** Null where it came without one. */
  subject: string | null;
  attributesCheck: AttributesCheck;
  /** The registered ones, for what may have been meant. */
  eventTypes: readonly { type: string }[];
  now: number;
  dedupeDays: number;
}

/** Everything about an envelope that does not need the database. `now` and the limit decide `too_old`. */
export function checkEvent(envelope: Envelope, input: EventChecks): Refusal | null {
  if (input.subject !== null && input.subject !== SUBJECT_PREFIX + envelope.type) {
    return {
      reason: 'subject_mismatch',
      violations: [
        {
          pointer: '/type',
          message: `is ${envelope.type}, but the subject is ${input.subject}; expected ${SUBJECT_PREFIX}${envelope.type}`,
        },
      ],
    };
  }
  const validate = input.attributesCheck(envelope.type);
  if (!validate) {
    const near = nearestName(
      envelope.type,
      input.eventTypes.map(({ type }) => type),
    );
    const meant = near === null ? '' : `did you mean \`${near}\`? If not, `;
    return {
      reason: 'unregistered_type',
      violations: [
        {
          pointer: '/type',
          message: `${envelope.type} is not registered; ${meant}add definitions/event-types/${envelope.type}.yaml and apply it`,
        },
      ],
    };
  }
  const violations = validate(envelope.attributes);
  if (violations.length > 0) return { reason: 'invalid_attributes', violations };
  if (input.now - Date.parse(envelope.time) > input.dedupeDays * 86_400_000) {
    return {
      reason: 'too_old',
      violations: [
        {
          pointer: '/time',
          message: `is ${envelope.time}; expected at most ${input.dedupeDays} days ago (DEDUPE_DAYS)`,
        },
      ],
    };
  }
  return null;
}

/** Refused bytes are looked into for their id up to here; no event that can be accepted is longer. */
const MAX_READ_BYTES = 1_048_576;

/** The event's own id, where refused bytes can be read so far as to know it. */
export function readEventId(bytes: Uint8Array): string | null {
  if (bytes.byteLength > MAX_READ_BYTES) return null;
  const parsed = parse(bytes);
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null) return null;
  const { success, data } = identifier.safeParse('id' in parsed.value ? parsed.value.id : null);
  return success && findUnstorable(data) === null ? data : null;
}

type Parsed = { ok: true; text: string; value: unknown } | { ok: false; message: string };

function parse(bytes: Uint8Array): Parsed {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { ok: true, text, value: JSON.parse(text) };
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
}

function refuse(reason: QuarantineReason, message: string): Decoded {
  return { ok: false, reason, violations: [{ pointer: '', message }] };
}

function violationOf(issue: z.core.$ZodIssue): Violation {
  const pointer = issue.path
    .map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
  return { pointer, message: issue.message };
}
