/** A run started by hand: `POST /api/v1/definitions/{id}/runs`, real or dry. */
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { AskModel } from '../activities/ask-model.ts';
import type { StartDispatch } from '../bridge/dispatch.ts';
import {
  checkEnvelope,
  checkEvent,
  type Decoded,
  type Envelope,
  MAX_EVENT_BYTES,
  type Refusal,
} from '../core/envelope.ts';
import { runId } from '../core/ids.ts';
import { canonicalJson } from '../core/json.ts';
import { manualTriggerKey } from '../core/trigger.ts';
import type { ActiveDefinition, AppliedRegistry, Registry } from '../definitions/applied-registry.ts';
import { eventPayload } from '../resolvers/event-payload.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import type { DecideSinkMode } from '../sinks/sink-mode.ts';
import { type Pool, transaction } from '../store/pool.ts';
import { findRunByTriggerKey } from '../store/runs.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type DryRun, factsOf, rehearseRun } from './dry-run.ts';
import { findDefinition } from './find-definition.ts';
import { dryRunFlag, inUtc, storableText, timeText } from './inputs.ts';
import { Problem } from './problem.ts';
import { insertStartingRun, type StartedRun, type StartingRun, startWorkflow } from './started-run.ts';

export interface StartRunDeps {
  pool: Pool;
  registry: AppliedRegistry;
  resolvers: Resolvers;
  /** For dry runs: asks the model and keeps nothing of it. */
  rehearseModel: () => AskModel;
  sinkMode: DecideSinkMode;
  startDispatch: StartDispatch;
  logger: Logger;
  dedupeDays: number;
}

export const startRunBody = z
  .strictObject({
    event: z
      .unknown()
      .optional()
      .meta({ type: 'object', description: 'An envelope, or a CloudEvents 1.0 JSON event' }),
    dry_run: dryRunFlag,
    model: z.boolean().default(false).describe('Dry run only: also ask the language model'),
    reason: storableText(1000).optional().describe('Why, for the record'),
    at: timeText.optional().describe('Dry run only: stands for the scheduled time'),
  })
  .refine(({ at, dry_run }) => at === undefined || dry_run, {
    path: ['at'],
    error: 'expected only with dry_run',
  })
  .refine(({ model, dry_run }) => !model || dry_run, {
    path: ['model'],
    error: 'expected only with dry_run; a real run always asks the model',
  })
  .meta({
    examples: [
      {
        event: {
          id: '01JDZ8X6QY3V9W4T1N2M7K5R0B',
          type: 'kaizen.metrics.recorded',
          source: 'kaizen-agentic',
          time: '2026-11-20T08:15:00Z',
          attributes: { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: 0.62 } },
        },
        dry_run: true,
      },
    ],
  });

export interface StartRunRequest {
  definitionId: string;
  body: z.output<typeof startRunBody>;
  /** What the client repeats the request under; a random one where it sent none. */
  idempotencyKey: string | undefined;
  requestedBy: string;
}

export interface ManualRuns {
  start(request: StartRunRequest): Promise<StartedRun>;
  rehearse(request: StartRunRequest): Promise<DryRun>;
}

/** Both throw `Problem`. */
export function createManualRuns(deps: StartRunDeps): ManualRuns {
  return {
    async start(request) {
      const registry = await deps.registry.current();
      const definition = findDefinition(registry, request.definitionId);
      const event = decodeEvent(request.body.event);
      const run = newManualRun(deps, definition, event, request);
      // Asked before the checks that may turn out otherwise later: a repetition gets the answer that the first one got.
      const known =
        request.idempotencyKey === undefined ? null : await findRepeated(deps.pool, run, request.body);
      if (known) return startWorkflow(deps, known);
      checkAgainst(definition, registry, event?.envelope ?? null, deps.dedupeDays);
      refuseDisabled(definition);
      return startWorkflow(deps, await insertOrFind(deps.pool, run, request.body));
    },
    async rehearse(request) {
      const registry = await deps.registry.current();
      const revision = findDefinition(registry, request.definitionId);
      const decoded = decodeEvent(request.body.event);
      const event = decoded?.envelope ?? null;
      checkAgainst(revision, registry, event, deps.dedupeDays);
      const { run_id, definition_id } = newManualRun(deps, revision, decoded, request);
      const { at } = request.body;
      const run = factsOf({ run_id, definition_id, scheduled_for: at === undefined ? null : inUtc(at) });
      const askModel = request.body.model ? deps.rehearseModel() : null;
      return rehearseRun({ revision, event, run }, { resolvers: deps.resolvers, askModel });
    },
  };
}

export function refuseDisabled({ definition }: ActiveDefinition): void {
  if (!definition.enabled)
    throw new Problem('definition_disabled', `${definition.id} is disabled; it can only be dry-run`);
}

type SentEvent = Extract<Decoded, { ok: true }>;

function decodeEvent(value: unknown): SentEvent | null {
  if (value === undefined || value === null) return null;
  const decoded = checkEnvelope(value, new Date().toISOString());
  if (!decoded.ok) throw invalidEvent(decoded);
  // Its depth is bounded by now: it can be written without overflowing the stack.
  const size = Buffer.byteLength(JSON.stringify(value));
  if (size <= MAX_EVENT_BYTES) return decoded;
  throw new Problem('too_large', `the event has ${size} bytes; expected at most ${MAX_EVENT_BYTES}`);
}

function checkAgainst(
  active: ActiveDefinition,
  registry: Registry,
  event: Envelope | null,
  dedupeDays: number,
): void {
  const { definition } = active;
  if (!event) {
    if (!definition.context_sources.some(({ type }) => type === eventPayload.type)) return;
    throw new Problem(
      'event_required',
      `${definition.id} binds the attributes of an event; send one as \`event\`, or with --event FILE`,
    );
  }
  const wanted = definition.trigger.event?.type;
  if (wanted !== undefined && event.type !== wanted) {
    const message = `is ${event.type}; expected ${wanted}, which triggers ${definition.id}`;
    throw new Problem('invalid_event', `wrong type: ${message}`, {
      violations: [{ pointer: '/type', message }],
    });
  }
  const { attributesCheck, eventTypes } = registry;
  const checks = { subject: null, attributesCheck, eventTypes, now: Date.now(), dedupeDays };
  const refusal = checkEvent(event, checks);
  if (refusal) throw invalidEvent(refusal);
}

function invalidEvent({ reason, violations }: Refusal): Problem {
  const found = violations.map(({ pointer, message }) => `${pointer} ${message}`.trim()).join('; ');
  return new Problem('invalid_event', `${reason}: ${found}`, { violations });
}

function newManualRun(
  deps: StartRunDeps,
  active: ActiveDefinition,
  event: SentEvent | null,
  { body, idempotencyKey, requestedBy }: StartRunRequest,
): StartingRun {
  const { definition_id, definition_hash } = active;
  const triggerKey = manualTriggerKey(idempotencyKey ?? randomUUID());
  const id = runId(definition_id, triggerKey);
  const { mode, reason } = deps.sinkMode(active);
  return {
    run_id: id,
    definition_id,
    definition_hash,
    trigger_key: triggerKey,
    origin_trigger_key: triggerKey,
    trigger_kind: 'manual',
    event_id: event?.envelope.id ?? null,
    // It does not enter the ledger: nothing stands there under its uid.
    event_uid: null,
    traceparent: event?.traceparent ?? null,
    requested_by: requestedBy,
    trigger_reason: body.reason ?? null,
    event: event?.envelope ?? null,
    request_hash: hashOf(withoutTrace(body)),
    retry_of: null,
    dispatch_id: id,
    sink_mode: mode,
    sink_reason: reason,
  };
}

/** As PostgreSQL reads bytes. */
function hashOf(body: object): string {
  return `\\x${createHash('sha256').update(canonicalJson(body)).digest('hex')}`;
}

/** A repetition may belong to another trace. */
function withoutTrace({ event, ...body }: Body): object {
  if (typeof event !== 'object' || event === null || !('traceparent' in event)) return { ...body, event };
  const { traceparent: _, ...rest } = event;
  return { ...body, event: rest };
}

type Body = StartRunRequest['body'];

async function insertOrFind(pool: Pool, run: StartingRun, body: Body): Promise<StartedRun> {
  const isNew = await transaction(pool, (client) => insertStartingRun(client, run));
  if (isNew) return { run_id: run.run_id, workflow_id: run.dispatch_id };
  const standing = await findRepeated(pool, run, body);
  if (!standing) throw new Error(`run ${run.run_id} was there and is gone`);
  return standing;
}

async function findRepeated(pool: Pool, run: StartingRun, body: Body): Promise<StartedRun | null> {
  const standing = await findRunByTriggerKey(pool, run.definition_id, run.trigger_key);
  if (!standing) return null;
  const hash = `\\x${standing.request_hash?.toString('hex')}`;
  // Versions before traces hashed the whole body.
  if (hash !== run.request_hash && hash !== hashOf(body)) {
    throw new Problem(
      'idempotency_conflict',
      `this Idempotency-Key started run ${standing.run_id} with another body`,
    );
  }
  return { run_id: standing.run_id, workflow_id: standing.workflow_id ?? standing.run_id };
}
