/** The demo's own clients of an instance: plain NATS, and the API. */
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { createActivityCoreApi } from '../../clients/activity-core-api.ts';
import type { Instance } from './instance.ts';
import type { Stage } from './scene.ts';

export interface OpenStage extends Stage, AsyncDisposable {}

export async function openStage(
  { api_url, nats_url, engagement }: Pick<Instance, 'api_url' | 'nats_url' | 'engagement'>,
  signal: AbortSignal,
): Promise<OpenStage> {
  const connection = await connect({ servers: nats_url, name: 'activity-core demo', timeout: 10_000 });
  const client = jetstream(connection);
  return {
    api: createActivityCoreApi({ url: api_url, token: undefined }),
    async publish(subject, payload) {
      await client.publish(subject, payload, { timeout: 10_000 });
    },
    async publishPlainly(subject, payload) {
      connection.publish(subject, payload);
      await connection.flush();
    },
    startedAt: new Date().toISOString(),
    engagement,
    signal,
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
