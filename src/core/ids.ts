/** Deterministic identities. The same input gives the same id on every machine, for ever: never change a namespace. */
import { createHash } from 'node:crypto';
import { v5 as uuidV5 } from 'uuid';
import { canonicalJson } from './json.ts';

const EVENT_NAMESPACE = '5b1f6a5e-3c0e-5d3a-9a55-2f0c8b8f5e01';
const RUN_NAMESPACE = '5b1f6a5e-3c0e-5d3a-9a55-2f0c8b8f5e02';
const QUARANTINE_NAMESPACE = '5b1f6a5e-3c0e-5d3a-9a55-2f0c8b8f5e03';
const SCHEDULED_NAMESPACE = '5b1f6a5e-3c0e-5d3a-9a55-2f0c8b8f5e04';

/** Identity of an event is (`source`, `id`): contract 2. */
export function eventUid(source: string, id: string): string {
  return uuidV5(JSON.stringify([source, id]), EVENT_NAMESPACE);
}

export function runId(definitionId: string, triggerKey: string): string {
  return uuidV5(JSON.stringify([definitionId, triggerKey]), RUN_NAMESPACE);
}

/** One stored message of a stream. Sequences start again when a stream is made anew; the time tells them apart. */
export function quarantineId(streamSeq: number, streamTimestamp: number): string {
  return uuidV5(JSON.stringify([streamSeq, streamTimestamp]), QUARANTINE_NAMESPACE);
}

/** `triggerKey` is the original run's, so that a retry has the same keys (contract 5). */
export function idempotencyKey(
  definitionId: string,
  triggerKey: string,
  ruleId: string,
  position: number,
): string {
  return createHash('sha256')
    .update(JSON.stringify([definitionId, triggerKey, ruleId, position]))
    .digest('hex');
}

/** Tells a repetition of an accepted event from a conflict: only its type and attributes count. */
export function contentHash(type: string, attributes: unknown): Buffer {
  return createHash('sha256')
    .update(canonicalJson([type, attributes]))
    .digest();
}

/** The dispatch of a workflow that a schedule started. A reset has the same first run: it is the same dispatch. */
export function scheduledDispatchId(workflowId: string, firstWorkflowRunId: string): string {
  return uuidV5(JSON.stringify([workflowId, firstWorkflowRunId]), SCHEDULED_NAMESPACE);
}
