import { ApplicationFailure } from '@temporalio/activity';
import { isTransient } from '../store/failure.ts';
import type { Logger } from '../telemetry/logger.ts';

/** What Temporal is told of a fault: a code and an id. Its history holds no message of PostgreSQL's, which may quote data. */
export function toActivityFailure(
  logger: Logger,
  dispatchId: string,
  error: unknown,
  ids: { definition_id?: string } = {},
): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  if (isTransient(error)) {
    logger.warn({ err: error, dispatch_id: dispatchId, ...ids }, 'a step is tried again');
    return ApplicationFailure.retryable(`dispatch ${dispatchId}`, 'postgres_unavailable');
  }
  logger.error({ err: error, dispatch_id: dispatchId, ...ids }, 'a step failed');
  return ApplicationFailure.nonRetryable(`dispatch ${dispatchId}`, 'workflow_failed');
}
