/** The steps that workflows call, each with what it needs. */
import type { Activities, EmissionActivities } from '../workflows/contract.ts';
import { createAdmit } from './admit.ts';
import { createClose } from './close.ts';
import { type CollectEvidenceDeps, createCollectEvidence } from './collect-evidence.ts';
import { createEmit, type EmitDeps } from './emit.ts';
import { createPrepare } from './prepare.ts';
import { createPrepareRemote } from './prepare-remote.ts';
import { createReport, type ReportDeps } from './report.ts';
import type { PrepareDeps } from './run-dispatch.ts';

export type ActivitiesDeps = PrepareDeps & ReportDeps & CollectEvidenceDeps;

export function createActivities(deps: ActivitiesDeps): Activities {
  return {
    admit: createAdmit(deps),
    prepare: createPrepare(deps),
    prepareRemote: createPrepareRemote(deps),
    close: createClose(deps),
    report: createReport(deps),
    collectEvidence: createCollectEvidence(deps),
  };
}

/** On a task queue of their own: contract.ts. */
export function createEmissionActivities(deps: EmitDeps): EmissionActivities {
  return { emit: createEmit(deps) };
}
