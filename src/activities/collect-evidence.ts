/** The step that looks after a tick when its run is over. Until then it fails, and Temporal tries it again. */
import { ApplicationFailure, activityInfo } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { Logger } from '../telemetry/logger.ts';
import { type CollectEvidence, EvidenceUnavailable } from '../trust/collect-evidence.ts';
import type { RemoteActivities } from '../workflows/contract.ts';
import { toActivityFailure } from './failure.ts';

export interface CollectEvidenceDeps {
  collectEvidence: CollectEvidence;
  logger: Logger;
}

export function createCollectEvidence(deps: CollectEvidenceDeps): RemoteActivities['collectEvidence'] {
  return async function collectEvidence({ dispatch_id }) {
    let collected: Awaited<ReturnType<CollectEvidence>>;
    try {
      collected = await deps.collectEvidence(dispatch_id, activityInfo().attempt);
    } catch (error) {
      if (!(error instanceof EvidenceUnavailable)) throw toActivityFailure(deps.logger, dispatch_id, error);
      deps.logger.warn({ err: error, dispatch_id }, 'evidence cannot be had now; it is tried again');
      throw later(dispatch_id, 'evidence_unavailable');
    }
    if (collected === 'not_yet') throw later(dispatch_id, 'run_not_over');
  };
}

/** It is how waiting is done. */
function later(dispatchId: string, type: string): ApplicationFailure {
  return ApplicationFailure.create({
    message: `dispatch ${dispatchId}`,
    type,
    nonRetryable: false,
    category: ApplicationFailureCategory.BENIGN,
  });
}
