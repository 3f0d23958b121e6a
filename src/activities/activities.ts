/** The steps that workflows call, each with what it needs. */
import type { Activities } from '../workflows/contract.ts';
import { createClose } from './close.ts';
import { createPrepare, type PrepareDeps } from './prepare.ts';

export function createActivities(deps: PrepareDeps): Activities {
  return { prepare: createPrepare(deps), close: createClose(deps) };
}
