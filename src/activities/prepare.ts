/**
 * The step that decides: resolves contexts, evaluates rules, and commits runs and task specs in one transaction.
 * For definitions that only audit, it is the whole run. Run again after a crash or a reset, it finds its own rows.
 */
import { randomUUID } from 'node:crypto';
import { closeDispatch, countAttempt, type Dispatch, insertDispatch } from '../store/dispatches.ts';
import { moveDecisions } from '../store/event-decisions.ts';
import { transaction } from '../store/pool.ts';
import type { Activities } from '../workflows/contract.ts';
import { toActivityFailure } from './failure.ts';
import { type BegunDispatch, begin, type PrepareDeps, runDispatch, whomItAsks } from './run-dispatch.ts';

/** Attempts without an answer, after which a dispatch is held to kill its worker: it is halved, or its one run failed. */
const MAX_ATTEMPTS_SHARED = 2;
export const MAX_ATTEMPTS_ALONE = 5;
/** Those whose retry runs elsewhere are never taken out again: forgetting all of them costs one count each. */
const MAX_BEGUN = 10_000;

export function createPrepare(deps: PrepareDeps): Activities['prepare'] {
  // A dispatch that this process has begun before did not kill it, whether it failed or took too long: it is not counted again.
  const begunHere = new Set<string>();
  // Dispatches under suspicion run one at a time: one that kills the worker takes no innocent ones along.
  let suspects: Promise<unknown> = Promise.resolve();

  async function attempt(
    dispatchId: string,
    survived: boolean,
  ): Promise<Awaited<ReturnType<Activities['prepare']>>> {
    const begun = await begin(deps, dispatchId);
    const { dispatch } = begun;
    if (dispatch.closed_at !== null) return undefined;
    if (dispatch.prepared_at !== null) return 'emit';
    const asked = await whomItAsks(deps.resolvers, begun);
    if (asked) return asked;
    if (dispatch.attempts === 0 || survived) return runDispatch(deps, begun, {});
    const turn = suspects.then(() => runSuspect(deps, begun));
    suspects = turn.catch(() => undefined);
    return turn;
  }

  return async function prepare({ dispatch_id }) {
    const survived = begunHere.has(dispatch_id);
    if (begunHere.size >= MAX_BEGUN) begunHere.clear();
    begunHere.add(dispatch_id);
    try {
      const outcome = await attempt(dispatch_id, survived);
      begunHere.delete(dispatch_id);
      return outcome;
    } catch (error) {
      const failure = toActivityFailure(deps.logger, dispatch_id, error);
      if (failure.nonRetryable) begunHere.delete(dispatch_id);
      throw failure;
    }
  };
}

async function runSuspect(deps: PrepareDeps, begun: BegunDispatch): Promise<'emit' | undefined> {
  const { dispatch } = begun;
  const attempts = await countAttempt(deps.pool, dispatch.dispatch_id);
  const isShared = dispatch.members.length > 1;
  if (isShared && attempts > MAX_ATTEMPTS_SHARED) {
    await split(deps, dispatch, attempts);
    return undefined;
  }
  return runDispatch(deps, begun, { hasCrashed: attempts > MAX_ATTEMPTS_ALONE });
}

/** The halves become dispatches of their own, each with its own count; the reconciler starts them. */
async function split(deps: PrepareDeps, dispatch: Dispatch, attempts: number): Promise<void> {
  const { dispatch_id, members } = dispatch;
  const definition_ids = [...new Set(members.map(({ definition_id }) => definition_id))];
  const context = { dispatch_id, definition_ids, attempts, members: members.length };
  deps.logger.error(context, 'a dispatch keeps killing its worker and is halved');
  const middle = members.length >> 1;
  await transaction(deps.pool, async (client) => {
    if (!(await closeDispatch(client, dispatch_id, 'deciding'))) return;
    for (const half of [members.slice(0, middle), members.slice(middle)]) {
      const id = randomUUID();
      await insertDispatch(client, { dispatch_id: id, members: half, due: true });
      await moveDecisions(client, dispatch_id, half, id);
    }
  });
}
