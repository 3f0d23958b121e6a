/** Errors as `application/problem+json` (RFC 9457) with a stable `code` (contract 5). */
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import type { Violation } from '../core/envelope.ts';
import { WARNING_CODES } from '../core/expression-warning.ts';
import type { DefinitionError } from '../definitions/errors.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** Every code, with its HTTP status and what it says of the request. */
export const PROBLEMS = {
  invalid_request: { status: 400, meaning: 'the query, a header or the body is not as described' },
  invalid_event: { status: 400, meaning: 'the event would be refused; `detail` starts with the reason' },
  event_required: { status: 400, meaning: 'the definition cannot run without an event' },
  unauthorized: { status: 401, meaning: 'the bearer token is missing or wrong' },
  not_found: { status: 404, meaning: 'there is no such thing' },
  definition_disabled: { status: 409, meaning: 'the definition is disabled or no longer declared' },
  definition_paused: { status: 409, meaning: 'the definition is paused' },
  ambiguous_id: { status: 409, meaning: 'several sources have this id; `event_uids` lists the events' },
  wrong_state: { status: 409, meaning: 'it is not in the state that this needs' },
  too_large: { status: 413, meaning: 'the body or the event is too large' },
  invalid_definitions: {
    status: 422,
    meaning: 'files of DEFINITIONS_DIR are invalid, nothing was applied; `errors` has each fault',
  },
  idempotency_conflict: { status: 422, meaning: 'the Idempotency-Key was used with another body' },
  too_many_requests: {
    status: 429,
    meaning: 'too many requests, or too many wrong tokens, from this address; again after `Retry-After`',
  },
  internal: { status: 500, meaning: 'a fault of the service; its log has the reason under `request_id`' },
  unavailable: { status: 503, meaning: 'something that the service needs is away; the same again later' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export interface ProblemExtras {
  violations?: Violation[];
  event_uids?: string[];
  errors?: DefinitionError[];
  retry_after_seconds?: number;
  cause?: unknown;
}

/** Thrown where a request cannot be answered; the error handler sends it. */
export class Problem extends Error {
  override name = 'Problem';
  readonly code: ProblemCode;
  readonly status: number;
  readonly extras: Omit<ProblemExtras, 'cause'>;

  constructor(code: ProblemCode, detail: string, { cause, ...extras }: ProblemExtras = {}) {
    super(detail, { cause });
    this.code = code;
    this.status = PROBLEMS[code].status;
    this.extras = extras;
  }
}

const violationSchema = z.object({
  pointer: z.string().describe('JSON Pointer (RFC 6901)'),
  message: z.string(),
});

export const definitionError = z.object({
  file: z.string(),
  line: z.int().describe('From 1, as `column`'),
  column: z.int(),
  path: z.string().describe('As in `rules[0].condition`; empty where the file as a whole is meant'),
  message: z.string(),
});

export const definitionWarning = definitionError.extend({ code: z.enum(WARNING_CODES) });

export const problemShape = z
  .object({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(PROBLEMS) as ProblemCode[]),
    violations: z.array(violationSchema).optional().describe('What is wrong, and where'),
    event_uids: z.array(z.string()).optional().describe('With `ambiguous_id`'),
    errors: z.array(definitionError).optional().describe('With `invalid_definitions`'),
    retry_after_seconds: z.int().optional().describe('With `too_many_requests`, as in `Retry-After`'),
    request_id: z.string().optional().describe('With `internal`: stands in the log'),
  })
  .describe('RFC 9457 problem details');
/** Under its id, routes refer to it instead of repeating it. */
export const problemSchema = problemShape.meta({ id: 'Problem' });

export type ProblemBody = z.output<typeof problemSchema>;

export function problemBody(problem: Problem, requestId: string): ProblemBody {
  return {
    type: 'about:blank',
    title: STATUS_CODES[problem.status] ?? 'Error',
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    ...problem.extras,
    ...(problem.code === 'internal' ? { request_id: requestId } : {}),
  };
}

interface ProblemResponse {
  description: string;
  content: { [PROBLEM_TYPE]: { schema: typeof problemSchema } };
}

/** The responses of a route that can give these codes, besides those that every route can give. */
export function problems(...codes: ProblemCode[]): Record<number, ProblemResponse> {
  const all: ProblemCode[] = [
    'invalid_request',
    'unauthorized',
    ...codes,
    'too_many_requests',
    'internal',
    'unavailable',
  ];
  const byStatus = Map.groupBy(all, (code) => PROBLEMS[code].status);
  const responses = [...byStatus].map(([status, those]): [number, ProblemResponse] => {
    const description = those.map((code) => `\`${code}\`: ${PROBLEMS[code].meaning}`).join('. ');
    return [status, { description, content: { [PROBLEM_TYPE]: { schema: problemSchema } } }];
  });
  return Object.fromEntries(responses);
}
