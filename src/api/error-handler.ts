/** Whatever is thrown → a problem. Only what is the caller's business is told; the rest is logged under a request id. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { Violation } from '../core/envelope.ts';
import { InvalidDefinitionsError } from '../definitions/invalid-definitions.ts';
import { ScheduleRefusedError, TemporalUnavailableError } from '../schedules/temporal-schedules.ts';
import { isTransient } from '../store/failure.ts';
import { InvalidCursorError } from '../store/page.ts';
import { PROBLEM_TYPE, Problem, problemBody } from './problem.ts';

export async function handleError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const problem = toProblem(error);
  if (problem.code === 'internal') request.log.error({ err: error }, 'a request failed');
  if (problem.code === 'unavailable') request.log.warn({ err: error }, 'a request could not be answered');
  if (problem.code === 'unauthorized') reply.header('www-authenticate', 'Bearer');
  const { retry_after_seconds } = problem.extras;
  if (retry_after_seconds !== undefined) reply.header('retry-after', retry_after_seconds);
  // A string passes the serializers by: a problem never fails because of a route's schemas.
  return reply
    .code(problem.status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problemBody(problem, request.id)));
}

export async function handleNotFound(request: FastifyRequest): Promise<never> {
  throw new Problem(
    'not_found',
    `${request.method} ${request.url.split('?')[0]} is not served here; see /openapi.json`,
  );
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (hasZodFastifySchemaValidationErrors(error))
    return invalidRequest(error.validation, error.validationContext);
  if (error instanceof InvalidCursorError) {
    const violations = [{ pointer: '/cursor', message: 'expected the next_cursor of an earlier answer' }];
    return new Problem('invalid_request', error.message, { violations });
  }
  if (error instanceof InvalidDefinitionsError)
    return new Problem('invalid_definitions', error.message, { errors: error.errors });
  if (error instanceof ScheduleRefusedError)
    return new Problem('wrong_state', error.message, { cause: error });
  if (error instanceof TemporalUnavailableError)
    return new Problem('unavailable', error.message, { cause: error });
  if (isTransient(error))
    return new Problem('unavailable', 'PostgreSQL cannot be reached; try again later', { cause: error });
  const status = statusOf(error);
  const message = error instanceof Error ? error.message : '';
  if (status === 401)
    return new Problem('unauthorized', `${message}; expected Authorization: Bearer <ADMIN_TOKEN>`);
  if (status === 413) return new Problem('too_large', message);
  if (status === 415)
    return new Problem('invalid_request', `${message}; expected content-type: application/json`);
  if (status !== null && status >= 400 && status < 500) return new Problem('invalid_request', message);
  return new Problem('internal', 'the service failed; its log has the reason under request_id', {
    cause: error,
  });
}

type Issue = { instancePath: string; keyword: string; message?: string; params: Record<string, unknown> };

function invalidRequest(issues: Issue[], place = 'request'): Problem {
  const violations = issues.flatMap(violationsOf);
  const found = violations.map(({ pointer, message }) => `${pointer} ${message}`.trim()).join('; ');
  return new Problem('invalid_request', `${place === 'querystring' ? 'query' : place}: ${found}`, {
    violations,
  });
}

function violationsOf({ instancePath, keyword, message = 'is not valid', params }: Issue): Violation[] {
  const pointer = instancePath === '/' ? '' : instancePath;
  if (keyword !== 'unrecognized_keys' || !Array.isArray(params.keys)) return [{ pointer, message }];
  return params.keys.map((key) => ({
    pointer: `${pointer}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`,
    message: 'is not known here',
  }));
}

function statusOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('statusCode' in error)) return null;
  return typeof error.statusCode === 'number' ? error.statusCode : null;
}
