import { z } from 'zod';
import { storableText } from './inputs.ts';

/** Loose: what is not named here is still there for the others. */
export const requestHeaders = z.looseObject({
  'idempotency-key': storableText(200)
    .optional()
    .describe('The same key with the same body is the same run; its scope is the definition'),
  'x-requested-by': storableText(200).optional().describe('Who asks, for the record; `api` unless set'),
});

export const retryHeaders = requestHeaders.omit({ 'idempotency-key': true });

export function requestedBy(headers: { 'x-requested-by'?: string | undefined }): string {
  return headers['x-requested-by'] ?? 'api';
}
