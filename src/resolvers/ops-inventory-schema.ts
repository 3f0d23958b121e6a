/** What `ops-inventory` binds, as JSON Schema. Every object is closed: a rule that asks for another field is refused. */
import type { JsonObject } from '../core/json.ts';

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };
const count = { type: 'integer', minimum: 0 };
const countOrNull = { type: ['integer', 'null'], minimum: 0 };
const flag = { type: 'boolean' };
const time = { type: 'string', format: 'date-time' };

export const OPS_INVENTORY_SCHEMA: JsonObject = closed({
  service: closed({ version: text, node_version: text, roles: listOf(text) }),
  dependencies: listOf(
    closed({
      name: {
        type: 'string',
        enum: ['postgres', 'nats', 'temporal', 'state-hub', 'issue-core', 'llm-connect'],
      },
      configured: flag,
      ok: { type: ['boolean', 'null'] },
      version: textOrNull,
      message: text,
      latency_ms: countOrNull,
    }),
  ),
  schedules: closed({
    applied: count,
    paused: count,
    next_runs: listOf(closed({ definition_id: text, next_run: time })),
  }),
  queues: closed({
    consumer_lag: countOrNull,
    open_dispatches: count,
    outbox_pending: count,
    held_events: count,
    quarantine_open: count,
    running_runs: count,
  }),
  definitions: closed({ enabled: count, disabled: count, paused: count }),
  snapshot_hash: text,
});

function closed(properties: JsonObject): JsonObject {
  return { type: 'object', required: Object.keys(properties), additionalProperties: false, properties };
}

function listOf(items: JsonObject): JsonObject {
  return { type: 'array', items };
}
