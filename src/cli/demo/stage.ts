/** The demo's own clients of an instance: plain NATS, the API, issue-core's stand-in, and an editor of its definitions. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { type ActivityCoreApi, createActivityCoreApi } from '../../clients/activity-core-api.ts';
import type { Instance } from './instance.ts';
import { createIssueCore } from './issue-core.ts';
import { hold, type Stage } from './scene.ts';

export interface OpenStage extends Stage, AsyncDisposable {}

export async function openStage(
  instance: Omit<Instance, 'lastLines' | typeof Symbol.asyncDispose>,
  signal: AbortSignal,
): Promise<OpenStage> {
  const { api_url, nats_url, issue_core_url, definitionsDir, engagement } = instance;
  const connection = await connect({ servers: nats_url, name: 'activity-core demo', timeout: 10_000 });
  const client = jetstream(connection);
  const api = createActivityCoreApi({ url: api_url, token: undefined });
  return {
    api,
    async publish(subject, payload) {
      await client.publish(subject, payload, { timeout: 10_000 });
    },
    async publishPlainly(subject, payload) {
      connection.publish(subject, payload);
      await connection.flush();
    },
    startedAt: new Date().toISOString(),
    engagement,
    issueCore: createIssueCore(issue_core_url),
    setEmit: createSetEmit(api, definitionsDir),
    signal,
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

/** One line of the file, as an operator changes it. */
function createSetEmit(api: ActivityCoreApi, definitionsDir: string): Stage['setEmit'] {
  return async (definitionId, emit) => {
    const file = join(definitionsDir, `${definitionId}.yaml`);
    const before = await readFile(file, 'utf8');
    const after = before.replace(/^emit: (audit|live)$/m, `emit: ${emit}`);
    hold(after !== before, `a line in ${definitionId} that "emit: ${emit}" would change`, before);
    await writeFile(file, after);
    const { changes } = await api.applyPlan();
    const change = changes.find(({ definition_id }) => definition_id === definitionId);
    hold(change !== undefined, `${definitionId} to be applied`, changes);
    return change;
  };
}
