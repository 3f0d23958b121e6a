/** The end of a dispatch whose `prepare` gave up: every run that it did not make is recorded as failed. */
import type { RunErrorCode } from '../core/decision.ts';
import { closeDispatch, listMembersWithoutRun } from '../store/dispatches.ts';
import { readEnvelopes } from '../store/events.ts';
import { type Pool, transaction } from '../store/pool.ts';
import { failRunningRuns, insertDecidedRuns } from '../store/runs.ts';
import type { Activities } from '../workflows/contract.ts';
import { newEventRun } from './prepare-run.ts';

export function createClose(deps: { pool: Pool }): Activities['close'] {
  return async function close({ dispatch_id, code }) {
    const error = {
      code: 'workflow_failed' as RunErrorCode,
      message: `the run could not be prepared (${code}); the service's log has the reason under its dispatch_id`,
      details: { dispatch_id, code },
    };
    await transaction(deps.pool, async (client) => {
      await failRunningRuns(client, dispatch_id, error);
      const members = await listMembersWithoutRun(client, dispatch_id);
      const envelopes = await readEnvelopes(
        client,
        members.flatMap(({ event_uid }) => event_uid ?? []),
      );
      await insertDecidedRuns(
        client,
        members.map((member) => ({
          ...newEventRun(dispatch_id, member, envelopes.get(member.event_uid ?? '') ?? null),
          status: 'failed',
          task_count: 0,
          error,
          context: null,
          rules: [],
          workflow_id: dispatch_id,
          workflow_run_id: null,
        })),
      );
      await closeDispatch(client, dispatch_id);
    });
  };
}
