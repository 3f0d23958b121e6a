/** Binds State Hub's active workstreams and its open tasks, ranked by WSJF (contract 8). */
import { z } from 'zod';
import { type StateHubClient, StateHubError } from '../clients/state-hub.ts';
import type { JsonObject } from '../core/json.ts';
import { WSJF_INPUTS } from '../core/wsjf.ts';
import { type Resolver, ResolverError } from './resolver.ts';
import { snapshotOf } from './state-hub-snapshot.ts';

export interface StateHubSourceDeps {
  stateHub?: StateHubClient | undefined;
}

const params = z.strictObject({});

const text = { type: 'string' };
const textOrNull = { type: ['string', 'null'] };
const inputs = Object.fromEntries(WSJF_INPUTS.map((name) => [name, { type: 'number' }]));

// State Hub may say more about a workstream or a task; what stands there is then dynamic.
const OUTPUT = objectOf({
  workstreams: listOf({ id: text, title: textOrNull, status: textOrNull }, true),
  ranked: listOf(
    {
      id: text,
      title: textOrNull,
      workstream_id: textOrNull,
      status: textOrNull,
      ...inputs,
      updated_at: textOrNull,
      wsjf: { type: 'number' },
    },
    true,
  ),
  unranked: listOf({
    id: text,
    missing: { type: 'array', items: { type: 'string', enum: [...WSJF_INPUTS] } },
  }),
  snapshot_hash: text,
  truncated: { type: 'boolean' },
});

export function createStateHubSource({ stateHub }: StateHubSourceDeps): Resolver<z.output<typeof params>> {
  return {
    type: 'state-hub',
    io: 'remote',
    params,
    output: () => OUTPUT,
    async resolve() {
      if (!stateHub) {
        throw new ResolverError('resolver_failed', 'state-hub needs State Hub; set STATE_HUB_URL');
      }
      try {
        // One after the other: where one fails, nothing of it goes on while it is asked again.
        const workstreams = await stateHub.listWorkstreams();
        return snapshotOf(workstreams, await stateHub.listTasks());
      } catch (error) {
        if (!(error instanceof StateHubError)) throw error;
        // Whatever State Hub says: a rollout's 404 or a token that is being changed is over in two minutes (contract 8).
        throw new ResolverError('resolver_failed', error.message, { cause: error, retryable: true });
      }
    },
  };
}

function objectOf(properties: JsonObject, additionalProperties = false): JsonObject {
  return { type: 'object', required: Object.keys(properties), additionalProperties, properties };
}

function listOf(properties: JsonObject, additionalProperties = false): JsonObject {
  return { type: 'array', items: objectOf(properties, additionalProperties) };
}
