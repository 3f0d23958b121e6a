/**
 * What trust is made of (contract 5, `GET /api/v1/trust/{definition_id}`).
 *
 * Glossary
 *   tick      a time at which a schedule was due; a run by hand is none
 *   evidence  what one system says of a tick's run
 *   clean     all of its evidence is there and agrees; dirty: some is not. missed: nothing ran. pending: not known yet
 *   counted   a tick that is not pending
 */
import type { JsonObject } from '../core/json.ts';
import type { EvidenceName } from '../store/tick-evidence.ts';

export type { Evidence, EvidenceItem, EvidenceName } from '../store/tick-evidence.ts';

export const EVIDENCE_NAMES: readonly EvidenceName[] = [
  'temporal_history',
  'activity_run',
  'state_hub_progress',
  'working_memory_note',
];

export type TickState = 'clean' | 'dirty' | 'missed' | 'pending';

/** What was filed is not to be seen where it should be: it may show up yet. Its message is the evidence's detail. */
export class NotSeenYet extends Error {
  override name = 'NotSeenYet';
  readonly facts: JsonObject;

  constructor(detail: string, facts: JsonObject) {
    super(detail);
    this.facts = facts;
  }
}

export interface ShownEvidence {
  ok: boolean;
  /** What was found, or what is missing or disagrees. */
  detail: string;
  /** False where the revision declares no such report: there is nothing to look for. */
  needed: boolean;
  /** Why it could not be looked at again just now; null where it was, or where nothing can be looked at again. */
  unchecked: string | null;
}

export interface TrustTick {
  scheduled_for: string;
  state: TickState;
  run_id: string | null;
  evidence: Record<EvidenceName, ShownEvidence>;
  collected_at: string | null;
  evidence_hash: string | null;
  /** Why it is in that state; null where it is clean. */
  reason: string | null;
}

export interface TrustFeedback {
  run_id: string;
  verdict: string;
  at: string;
}

export interface Trust {
  definition_id: string;
  /** How many clean ticks in a row it takes. */
  required: number;
  trusted: boolean;
  /** Without a schedule there are no ticks, and nothing to trust. */
  scheduled: boolean;
  /** One sentence for people. */
  reason: string;
  /** Clean ticks from the newest counted one on. */
  clean_streak: number;
  /** The newest one for one of the newest `required` counted ticks. */
  feedback: TrustFeedback | null;
  /** Newest first. */
  ticks: TrustTick[];
}
