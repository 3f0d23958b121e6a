/**
 * `prepare` for a definition whose context comes from somebody else: an ordinary activity that heartbeats, and no open
 * transaction while it waits. Sources that may answer later are asked again for two minutes (contract 8).
 */
import { ApplicationFailure, activityInfo, Context } from '@temporalio/activity';
import { beginDispatch, countAttempt, forgetAttempt } from '../store/dispatches.ts';
import type { Activities } from '../workflows/contract.ts';
import { toActivityFailure } from './failure.ts';
import { MAX_ATTEMPTS_ALONE } from './prepare.ts';
import { ResolverUnavailable } from './prepare-run.ts';
import { type PrepareDeps, runDispatch } from './run-dispatch.ts';

const HEARTBEAT_MS = 5_000;
const RETRIED_FOR_MS = 120_000;
const MIN_ATTEMPTS = 3;

export function createPrepareRemote(deps: PrepareDeps): Activities['prepareRemote'] {
  return async function prepareRemote({ dispatch_id }) {
    const context = Context.current();
    context.heartbeat();
    const beating = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
    try {
      return await attempt(deps, dispatch_id);
    } catch (error) {
      if (!(error instanceof ResolverUnavailable)) throw toActivityFailure(deps.logger, dispatch_id, error);
      deps.logger.warn({ err: error, dispatch_id }, 'a context source does not answer; it is asked again');
      throw ApplicationFailure.retryable(`dispatch ${dispatch_id}`, 'resolver_failed');
    } finally {
      clearInterval(beating);
    }
  };
}

async function attempt(deps: PrepareDeps, dispatchId: string): Promise<'emit' | undefined> {
  const [dispatch, registry] = await Promise.all([
    beginDispatch(deps.pool, dispatchId),
    deps.registry.current(),
  ]);
  if (!dispatch) throw ApplicationFailure.nonRetryable('the dispatch is not recorded', 'dispatch_missing');
  if (dispatch.closed_at !== null) return undefined;
  if (dispatch.prepared_at !== null) return 'emit';
  // The local `prepare` has counted once. An attempt that ends in any way but with its process is forgotten again.
  const attempts = await countAttempt(deps.pool, dispatchId);
  const { attempt: attemptOfActivity, scheduledTimestampMs } = activityInfo();
  try {
    return await runDispatch(deps, registry, dispatch, {
      hasCrashed: attempts - 1 > MAX_ATTEMPTS_ALONE,
      // Also where the activity waited long for a worker: a source is asked more than once.
      mayRetry: attemptOfActivity < MIN_ATTEMPTS || Date.now() - scheduledTimestampMs < RETRIED_FOR_MS,
    });
  } catch (error) {
    await forgetAttempt(deps.pool, dispatchId).catch((fault: unknown) =>
      deps.logger.warn({ err: fault, dispatch_id: dispatchId }, 'an attempt stays counted'),
    );
    throw error;
  }
}
