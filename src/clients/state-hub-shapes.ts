/** What State Hub's answers are made of (contract 8). All of it is foreign text: it is made storable before it is looked at. */
import { z } from 'zod';
import { TRUNCATED } from '../core/expression-values.ts';
import type { Json } from '../core/json.ts';
import { storableText } from '../core/storable.ts';
import { keptText } from './answer-text.ts';

const MAX_DEPTH = 32;
const LONGEST_ID = 500;

const other = z.custom<Json>();
const identifier = z.union(
  [z.string().min(1).max(LONGEST_ID), z.int().transform(String)],
  `expected an id: a text of 1 to ${LONGEST_ID} characters, or a whole number`,
);
const optionalId = identifier.nullable().catch(null);
const textOrNull = z.string().nullable().catch(null);
const numberOrNull = z.number().nullable().catch(null);

/** Its texts have at most 4 KiB each. What has another type than expected is null; members that are not named here stay. */
const task = z
  .object({
    id: identifier,
    title: textOrNull,
    workstream_id: optionalId,
    status: textOrNull,
    business_value: numberOrNull,
    time_criticality: numberOrNull,
    risk_reduction: numberOrNull,
    job_size: numberOrNull,
    updated_at: textOrNull,
  })
  .catchall(other);
export type HubTask = z.output<typeof task>;

const workstream = z.object({ id: identifier, title: textOrNull, status: textOrNull }).catchall(other);
export type HubWorkstream = z.output<typeof workstream>;

/** Its texts are as long as they are: `detail` is evidence. */
const progress = z
  .object({
    id: identifier,
    event_type: textOrNull,
    summary: textOrNull,
    detail: z.record(z.string(), other).catch({}),
  })
  .catchall(other);
export type HubProgress = z.output<typeof progress>;

export const taskSchema = z.preprocess((item) => storable(item, keptText), task);
export const workstreamSchema = z.preprocess((item) => storable(item, keptText), workstream);
export const progressSchema = z.preprocess((item) => storable(item, storableText), progress);

export const filedProgressSchema = z.preprocess(
  (answer) => storable(answer, storableText),
  z.object({ id: identifier }),
);

export const engagementSchema = z.preprocess(
  (answer) => storable(answer, storableText),
  z.object({
    roster_path: z
      .string()
      .max(4096)
      .nullish()
      .transform((path) => path || null),
  }),
);
export type Engagement = z.output<typeof engagementSchema>;

const cursor = z
  .union([z.string().max(4096), z.number().transform(String)])
  .nullish()
  .transform((text) => text || null);

export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: cursor });

/** A copy that PostgreSQL takes: without `__proto__`, numbers beyond a double as null, and what is too deep as a mark. */
function storable(value: unknown, keep: (text: string) => string, depth = 0): Json {
  if (typeof value === 'string') return keep(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'object' || value === null) return null;
  if (depth === MAX_DEPTH) return TRUNCATED;
  if (Array.isArray(value)) return value.map((element) => storable(element, keep, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== '__proto__')
      .map(([name, member]) => [keep(name), storable(member, keep, depth + 1)]),
  );
}
