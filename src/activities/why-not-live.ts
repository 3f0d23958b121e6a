/** Whether specs of a run that was live may be sent now: while it emits, and when an operator resumes it. */
import type { Registry } from '../definitions/applied-registry.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';

/** The reason, or null where they may. `run`: with the revision that it is pinned to. */
export async function whyNotLive(
  sinkMode: DecideSinkMode,
  registry: Registry,
  run: { definition_id: string; definition_hash: string },
): Promise<string | null> {
  const current = registry.find(run.definition_id);
  if (!current) return 'the definition is no longer declared';
  // Whether it emits is said by what is applied now, whether it may by the content that the run has.
  const revision = await registry.revision(run.definition_id, run.definition_hash);
  return sinkMode({ definition: current.definition, approved: revision?.approved ?? false }).reason;
}
