/** What the row of a tick's run says. */
import type { Definition } from '../core/definition.ts';
import { contentSha256 } from '../core/document.ts';
import type { TickRun } from '../store/tick-evidence.ts';
import type { EvidenceItem } from './evidence.ts';

/** `revision`: the one that the run is pinned to; null where it is not on record. */
export function runEvidence(tick: TickRun, revision: Definition | null): EvidenceItem {
  const { run_id, definition_id, definition_hash, trigger_key, scheduled_for } = tick.run;
  const { status, task_count, workflow_id, started_at, finished_at } = tick.run;
  const row = {
    ...{ run_id, definition_id, definition_hash, trigger_key, scheduled_for },
    ...{ status, task_count, workflow_id, started_at, finished_at },
  };
  const facts = { run_id, status, definition_hash, finished_at, row_sha256: contentSha256(row) };
  const fault = faultOf(tick, revision);
  return { ok: fault === null, detail: fault ?? `completed at ${finished_at}`, facts };
}

function faultOf({ scheduled_for, run }: TickRun, revision: Definition | null): string | null {
  if (run.status === 'failed') return `failed with ${run.error?.code}: ${run.error?.message}`;
  if (run.status !== 'completed') return `it is ${run.status}`;
  if (run.scheduled_for === null || Date.parse(run.scheduled_for) !== Date.parse(scheduled_for))
    return `the run says that it was for ${run.scheduled_for}`;
  return revision ? null : `its revision ${run.definition_hash} is not on record`;
}
