/**
 * Evidence for a tick, when its run is over: each part from its own system, stored once, with its hash. Temporal's history
 * and State Hub's progress may be gone when somebody asks.
 */
import type { WorkflowClient } from '@temporalio/client';
import { keptText } from '../clients/answer-text.ts';
import type { StateHubClient } from '../clients/state-hub.ts';
import type { JsonObject } from '../core/json.ts';
import { findRevision } from '../store/definitions.ts';
import type { Pool } from '../store/pool.ts';
import { evidenceHash, findTickRun, insertTickEvidence, type TickRun } from '../store/tick-evidence.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type Evidence, type EvidenceItem, type EvidenceName, NotSeenYet } from './evidence.ts';
import { noteEvidence } from './note-evidence.ts';
import { progressEvidence } from './progress-evidence.ts';
import { runEvidence } from './run-evidence.ts';
import { lookAtWorkflow, type TickWorkflow } from './temporal-evidence.ts';

export interface CollectEvidenceDeps {
  pool: Pool;
  workflows: WorkflowClient;
  /** Null where STATE_HUB_URL is not set. */
  stateHub: StateHubClient | null;
  workingMemoryDir: string | undefined;
  logger: Logger;
}

/** `not_yet`: its run is not over. `no_tick`: the dispatch is no tick's. @throws EvidenceUnavailable */
export type CollectEvidence = (
  dispatchId: string,
  /** Which try this is, from 1. */
  attempt: number,
) => Promise<'stored' | 'not_yet' | 'no_tick'>;

/** One of the systems does not answer: later it may. */
export class EvidenceUnavailable extends Error {
  override name = 'EvidenceUnavailable';
}

/**
 * After its run, a system that does not answer, or does not show yet what was filed there, is asked again; then that it did
 * not is the evidence. A worker that comes back late asks as often.
 */
const PATIENCE_MS = 10 * 60_000;
const PATIENT_ATTEMPTS = 20;
/** A run that is not over by then is found not to be. */
const GIVE_UP_MS = 7 * 24 * 3_600_000;

export function createCollectEvidence(deps: CollectEvidenceDeps): CollectEvidence {
  return async function collectEvidence(dispatchId, attempt) {
    const tick = await findTickRun(deps.pool, dispatchId);
    if (!tick) return 'no_tick';
    if (tick.is_collected) return 'stored';
    const gaveUp = tick.age_ms > GIVE_UP_MS;
    if (tick.ended_ms === null && !gaveUp) return 'not_yet';
    const isPatient =
      !gaveUp && tick.ended_ms !== null && (tick.ended_ms <= PATIENCE_MS || attempt < PATIENT_ATTEMPTS);
    const look = () => lookAtWorkflow(deps.workflows, tick);
    const workflow = await ask(isPatient, 'temporal_history', look, unseen);
    if (workflow.is_open && !gaveUp) return 'not_yet';
    await store(deps, tick, await evidenceOf(deps, tick, workflow, isPatient));
    return 'stored';
  };
}

async function evidenceOf(
  { pool, stateHub, workingMemoryDir }: CollectEvidenceDeps,
  tick: TickRun,
  workflow: TickWorkflow,
  isPatient: boolean,
): Promise<Evidence> {
  const revision = await findRevision(pool, tick.definition_id, tick.run.definition_hash);
  const progress = () => progressEvidence(tick, revision, stateHub);
  const note = () => noteEvidence(tick, revision, workingMemoryDir);
  return {
    temporal_history: kept(workflow.item),
    activity_run: kept(runEvidence(tick, revision)),
    state_hub_progress: kept(await ask(isPatient, 'state_hub_progress', progress, notOk)),
    working_memory_note: kept(await ask(isPatient, 'working_memory_note', note, notOk)),
  };
}

/** What the system answers; once patience has ended, `otherwise`. */
async function ask<T>(
  isPatient: boolean,
  name: EvidenceName,
  look: () => Promise<T>,
  otherwise: (reason: string, facts: JsonObject) => T,
): Promise<T> {
  try {
    return await look();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (isPatient) throw new EvidenceUnavailable(`${name}: ${reason}`, { cause: error });
    return otherwise(reason, error instanceof NotSeenYet ? error.facts : {});
  }
}

const notOk = (detail: string, facts: JsonObject = {}): EvidenceItem => ({ ok: false, detail, facts });
const unseen = (reason: string): TickWorkflow => ({ is_open: false, item: notOk(reason) });

/** Messages of others may be long, or hold what PostgreSQL does not take. */
const kept = (item: EvidenceItem): EvidenceItem => ({ ...item, detail: keptText(item.detail) });

async function store(
  { pool, logger }: CollectEvidenceDeps,
  { definition_id, scheduled_for, run }: TickRun,
  evidence: Evidence,
): Promise<void> {
  const { run_id } = run;
  const found = { definition_id, scheduled_for, run_id, evidence };
  const evidence_hash = evidenceHash(found);
  await insertTickEvidence(pool, { ...found, evidence_hash });
  const missing = Object.entries(evidence).flatMap(([name, { ok }]) => (ok ? [] : [name]));
  const context = { definition_id, scheduled_for, run_id, evidence_hash, missing };
  if (missing.length === 0) logger.info(context, 'a tick has all of its evidence');
  else logger.warn(context, 'a tick lacks evidence');
}
