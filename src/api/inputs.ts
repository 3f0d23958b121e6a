/** What requests are made of: texts that can be stored, times, ids, pages. */
import { z } from 'zod';
import { findUnstorable } from '../core/storable.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Without this, PostgreSQL would answer U+0000 and lone surrogates with an error of its own. */
export function storableText(longest: number) {
  return z
    .string()
    .min(1, { error: 'expected a text that is not empty', abort: true })
    .max(longest, `expected at most ${longest} characters`)
    .refine((text) => findUnstorable(text) === null, {
      error: ({ input }) => findUnstorable(input)?.message,
    });
}

export const idText = storableText(200);

/** RFC 3339 with any offset. */
export const timeText = z.iso
  .datetime({ offset: true, abort: true, error: 'expected an RFC 3339 time, as in 2026-11-20T08:15:00Z' })
  .refine((text) => /^(?!0000)\d{4}-/.test(inUtc(text)), 'expected a year from 1 to 9999');

/** The same in UTC: PostgreSQL refuses offsets beyond 16 hours and the year 0, both of which RFC 3339 allows. */
export const time = timeText.transform(inUtc);

export function inUtc(text: string): string {
  return text.endsWith('Z') ? text : new Date(text).toISOString().replace('.000Z', 'Z');
}

export const uuid = z.guid('expected a UUID').transform((text) => text.toLowerCase());

/** For paths, where an id that cannot exist is simply not found. */
export const pathUuid = z.string().meta({ format: 'uuid' });

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(500).default(50).describe('How many items, 1 to 500'),
  cursor: storableText(500).optional().describe('The `next_cursor` of the answer before'),
};

/** `true` only rehearses: nothing is written, sent or started. */
export const dryRunFlag = z.boolean().default(false).describe('Only say what would happen');
