/**
 * `prepare` for a definition that asks somebody else, for its context or for a model's answer: an ordinary activity that
 * heartbeats, and no open transaction while it waits. Who may answer later is asked again for two minutes (contract 8).
 */
import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import { countAttempt, forgetAttempt } from '../store/dispatches.ts';
import { markUnanswered, type UnansweredRun } from '../store/unanswered-dispatches.ts';
import type { Activities } from '../workflows/contract.ts';
import { toActivityFailure } from './failure.ts';
import { withHeartbeat } from './heartbeat.ts';
import { mayAskAgain } from './patience.ts';
import { MAX_ATTEMPTS_ALONE } from './prepare.ts';
import { NotAnswered } from './prepare-run.ts';
import { begin, type PrepareDeps, runDispatch } from './run-dispatch.ts';

const HEARTBEAT_MS = 5_000;
/** However long somebody asks to be left alone. */
const LONGEST_DELAY_MS = 60_000;

export function createPrepareRemote(deps: PrepareDeps): Activities['prepareRemote'] {
  return async function prepareRemote({ dispatch_id }) {
    try {
      return await withHeartbeat(HEARTBEAT_MS, (signal) => attempt(deps, dispatch_id, signal));
    } catch (error) {
      if (!(error instanceof NotAnswered)) throw toActivityFailure(deps.logger, dispatch_id, error);
      const { message: reason, retry_after_ms, run } = error;
      const { run_id, definition_id, event_uid } = run;
      deps.logger.warn(
        { run_id, definition_id, event_uid, dispatch_id, reason },
        'a run waits for somebody who does not answer; they are asked again',
      );
      throw ApplicationFailure.create({
        message: `dispatch ${dispatch_id}`,
        type: 'not_answered',
        ...(retry_after_ms ? { nextRetryDelay: Math.min(retry_after_ms, LONGEST_DELAY_MS) } : {}),
      });
    }
  };
}

async function attempt(
  deps: PrepareDeps,
  dispatchId: string,
  signal: AbortSignal,
): Promise<'emit' | undefined> {
  const begun = await begin(deps, dispatchId);
  const { dispatch } = begun;
  if (dispatch.closed_at !== null) return undefined;
  if (dispatch.prepared_at !== null) return 'emit';
  // The local `prepare` has counted once. An attempt that ends in any way but with its process is forgotten again.
  const attempts = await countAttempt(deps.pool, dispatchId);
  const { attempt: attemptOfActivity } = activityInfo();
  const mayRetry = async (run: UnansweredRun): Promise<boolean> => {
    // It is us who gave up: nobody is to blame for not answering.
    if (signal.aborted) return true;
    const waitedMs = await markUnanswered(deps.pool, dispatchId, run);
    return mayAskAgain(attemptOfActivity, waitedMs);
  };
  try {
    return await runDispatch(deps, begun, {
      hasCrashed: attempts - 1 > MAX_ATTEMPTS_ALONE,
      mayRetry,
      signal,
    });
  } catch (error) {
    await forgetAttempt(deps.pool, dispatchId).catch((fault: unknown) =>
      deps.logger.warn({ err: fault, dispatch_id: dispatchId }, 'an attempt stays counted'),
    );
    throw error;
  }
}
