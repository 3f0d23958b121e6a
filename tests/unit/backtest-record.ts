/** A record to backtest against, held in memory, and definitions as their files would be. */
import { type BacktestInput, type RecordApi, runBacktest } from '../../src/backtest/run-backtest.ts';
import type {
  OnRecord,
  RecordedEvent,
  RecordedRun,
  RecordedTask,
  RecordedTick,
} from '../../src/clients/activity-core-api-backtest.ts';
import { ApiProblemError } from '../../src/clients/activity-core-api-errors.ts';
import type { RunError, RunErrorCode, TaskSpec } from '../../src/core/decision.ts';
import type { Envelope } from '../../src/core/envelope.ts';
import { idempotencyKey } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { LoadedDefinition } from '../../src/definitions/check.ts';
import { loadPaths } from '../../src/definitions/load.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { definitionFolder } from './definition-folder.ts';

export const ID = 'review';
export const NOW = '2026-11-20T12:00:00Z';
const resolvers = createResolvers();

/** An event definition with one rule, or a variant of it. */
export const review = (change: object = {}) => ({
  ...{ id: ID, title: 'Review an agent', owner: 'kaizen' },
  trigger: { event: { type: 'kaizen.metrics.recorded', filter: 'event.attributes.project != "sandbox"' } },
  context_sources: [{ type: 'event-payload', bind_to: 'context.metrics' }],
  rules: [rule('low', 'context.metrics.summary.success_rate < 0.8')],
  ...change,
});

export const rule = (id: string, condition: string, title = 'Review {{ context.metrics.agent }}') => ({
  ...{ id, condition, task: { title } },
});

export async function load(document: object): Promise<LoadedDefinition> {
  await using folder = await definitionFolder({ [`${ID}.yaml`]: JSON.stringify(document) });
  const result = await loadPaths([folder.in(`${ID}.yaml`)], { resolvers, definitionsDir: null });
  const [loaded] = result.definitions;
  if (!result.ok || !loaded) throw new Error(JSON.stringify(result));
  return loaded;
}

export const specOf = (title: string): TaskSpec => ({
  ...{ title, description: '', labels: [], priority: 'medium', target_repo: null, dedupe_key: null },
});

export const task = (triggerKey: string, rule_id: string, title: string, moved = false): RecordedTask => ({
  idempotency_key: idempotencyKey(ID, triggerKey, rule_id, 0),
  ...{ rule_id, spec: specOf(title), moved },
});

export const runOf = (change: Partial<RecordedRun> = {}): RecordedRun => ({
  ...{ run_id: 'run', definition_hash: 'applied', status: 'completed', started_at: '2026-11-20T08:15:00Z' },
  ...{ error: null, has_context: true, context: null, instructions: [], tasks: [] },
  ...change,
});

export const failed = (
  code: RunErrorCode,
  { details = {}, ...change }: Partial<RecordedRun> & { details?: JsonObject } = {},
): RecordedRun => {
  const error: RunError = { code, message: code, details };
  return runOf({ status: 'failed', error, ...change });
};

export const EVENT_KEY = 'event:u-1';

/** Of a rate that the rule of `review` fires for. */
export function eventOf(outcome: string | null, runs: RecordedRun[] = [], hash = 'applied'): RecordedEvent {
  const envelope: Envelope = {
    ...{ id: 'e-1', type: 'kaizen.metrics.recorded', source: 's', time: '2026-11-20T08:15:00Z' },
    ...{ subject: null, schema_version: null, correlation_id: null, causation_id: null },
    attributes: { agent: 'coach', project: 'p', summary: { success_rate: 0.5 } },
  };
  const decision = outcome === null ? null : { definition_hash: hash, outcome, reason: null };
  return { event_uid: 'u-1', received_at: '2026-11-20T08:15:00Z', envelope, decision, runs };
}

export interface OnThisRecord {
  applied: LoadedDefinition | null;
  /** Revisions before it. */
  earlier?: LoadedDefinition[];
  eventType?: OnRecord['event_type'];
  events?: RecordedEvent[];
  ticks?: RecordedTick[];
  /** More inputs in one answer are refused, as where a statement takes too long. */
  mostInputs?: number;
}

export interface RecordInMemory extends RecordApi {
  asked: { limit: number; until: string }[];
}

export function recordApi({ applied, earlier = [], eventType, ...record }: OnThisRecord): RecordInMemory {
  const { events = [], ticks = [], mostInputs = 1000 } = record;
  const asked: RecordInMemory['asked'] = [];
  async function pageOf<Item>(items: Item[], query: Readonly<Record<string, unknown>>) {
    const limit = Number(query.limit);
    asked.push({ limit, until: String(query.until) });
    if (limit > mostInputs) throw new ApiProblemError(503, { code: 'unavailable', detail: 'so many' });
    const start = Number(query.cursor ?? 0);
    const next_cursor = start + limit < items.length ? String(start + limit) : null;
    return { items: items.slice(start, start + limit), next_cursor };
  }
  return {
    asked,
    getOnRecord: async (definition_id) => ({
      ...{ definition_id, now: NOW, forgotten_before: null, event_type: eventType ?? null },
      current: applied && { definition_hash: applied.definition_hash, document: applied.definition },
    }),
    async getRevision(_definitionId, hash) {
      const found = earlier.find(({ definition_hash }) => definition_hash === hash);
      if (!found) throw new Error(`revision ${hash} is not on this record`);
      return { document: found.definition };
    },
    listRecordedEvents: (_definitionId, query) => pageOf(events, query),
    listRecordedTicks: (_definitionId, query) => pageOf(ticks, query),
  };
}

export const backtest = (
  loaded: LoadedDefinition,
  api: RecordApi,
  change: Partial<BacktestInput> = {},
): ReturnType<typeof runBacktest> =>
  runBacktest({
    ...{ api, loaded, resolvers, eventType: null, since: '2026-11-20T06:00:00Z', until: null, examples: 1 },
    onProgress: () => undefined,
    ...change,
  });
