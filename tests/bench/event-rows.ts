/** One event → the rows that activity-core keeps of it, without an engine, a registry or an expression: `if (rate < 0.8)`. */
import type { Envelope } from '../../src/core/envelope.ts';
import { contentHash, eventUid, idempotencyKey, runId } from '../../src/core/ids.ts';
import { eventTriggerKey } from '../../src/core/trigger.ts';
import { type EventDecision, insertDecisions } from '../../src/store/event-decisions.ts';
import { claimEventIds, type EventIdentity } from '../../src/store/event-ids.ts';
import { insertEvents, type NewEvent } from '../../src/store/events.ts';
import type { Queryable } from '../../src/store/pool.ts';
import { type DecidedRun, insertDecidedRuns, NOTHING_DECIDED, newEventRun } from '../../src/store/runs.ts';
import { insertTasks, type NewTask } from '../../src/store/task-spawn-log.ts';
import { SUBJECT, THRESHOLD } from './events.ts';

export interface EventRows {
  identity: EventIdentity;
  event: NewEvent;
  decision: EventDecision;
  run: DecidedRun;
  task: NewTask | null;
}

interface Attributes {
  agent: string;
  project: string;
  summary: { success_rate: number };
}

const definition_id = 'low-success-rate-review';
const definition_hash = '0'.repeat(64);
const rule_id = 'low-success-rate';

/** `stream_timestamp`: microseconds since 1970. */
export function rowsOf(
  bytes: Uint8Array,
  received: { stream_seq: number; stream_timestamp: number },
): EventRows {
  const envelope: Envelope & { attributes: Attributes } = JSON.parse(Buffer.from(bytes).toString());
  const { attributes } = envelope;
  const { project, summary } = attributes;
  const event_uid = eventUid(envelope.source, envelope.id);
  const triggerKey = eventTriggerKey(event_uid);
  const run_id = runId(definition_id, triggerKey);
  const member = { run_id, definition_id, definition_hash, event_uid };
  const isLow = summary.success_rate < THRESHOLD;
  return {
    identity: {
      event_uid,
      content_hash: `\\x${contentHash(envelope.type, envelope.attributes).toString('hex')}`,
      ...received,
    },
    event: {
      event_uid,
      fate: 'accepted',
      subject: SUBJECT,
      stream_seq: received.stream_seq,
      depth: 0,
      traceparent: null,
      envelope,
    },
    decision: {
      ...member,
      outcome: 'fired',
      reason: null,
      values: { 'event.attributes.project': project },
      dispatch_id: null,
    },
    run: {
      ...newEventRun(member, { envelope, traceparent: null }, null),
      ...NOTHING_DECIDED,
      sink_reason: 'the definition says emit: audit',
      status: 'completed',
      task_count: isLow ? 1 : 0,
      error: null,
      context: { metrics: envelope.attributes },
      rules: [
        {
          rule_id,
          expression: 'context.metrics.summary.success_rate < 0.8',
          values: { 'context.metrics.summary.success_rate': summary.success_rate },
          result: isLow,
        },
      ],
      workflow_id: null,
      workflow_run_id: null,
    },
    task: isLow ? taskOf(attributes, run_id, triggerKey) : null,
  };
}

function taskOf({ agent, project, summary }: Attributes, run_id: string, triggerKey: string): NewTask {
  const dedupe_key = `low-success-rate:${project}:${agent}`;
  return {
    idempotency_key: idempotencyKey(definition_id, triggerKey, rule_id, 0),
    run_id,
    definition_id,
    rule_id,
    spec: {
      title: `Review ${agent} in ${project}`,
      description: `Success rate ${summary.success_rate}`,
      labels: ['kaizen', 'quality'],
      priority: 'medium',
      target_repo: project,
      dedupe_key,
    },
    dedupe_key,
    status: 'audited',
    review_required: false,
  };
}

/** With the statements that activity-core itself uses; `client` is inside a transaction. */
export async function insertRows(client: Queryable, all: EventRows[]): Promise<void> {
  const claimed = await claimEventIds(
    client,
    all.map(({ identity }) => identity),
  );
  const fresh = all.filter(({ identity }) => claimed.has(identity.event_uid));
  if (fresh.length === 0) return;
  await insertEvents(
    client,
    fresh.map(({ event }) => event),
  );
  await insertDecisions(
    client,
    fresh.map(({ decision }) => decision),
  );
  await insertDecidedRuns(
    client,
    fresh.map(({ run }) => run),
  );
  const tasks = fresh.flatMap(({ task }) => task ?? []);
  if (tasks.length > 0) await insertTasks(client, tasks);
}
